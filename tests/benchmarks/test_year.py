"""Four hundred nights: what is asked quickly is what the gate says, and so are the figures."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import log_odds, year
from benchmarks.log_odds import Recipe
from benchmarks.year import THIRTIETH, Growth, Tonight, group_rot, sequence, slow_rot
from flows.project.root import ROOT
from sluice.gate.case import MET, Facts
from sluice.policy import GatePolicy, load_policy


@pytest.fixture(scope="module")
def policy() -> GatePolicy:
    text = (ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
    return load_policy(text).gate


def by_all_rules(tonight: Tonight, *models: log_odds.Seen) -> str:
    """What becomes of production if no rule that compares is left out and none is asked early."""
    case = tonight._case(*models)
    rules = [rule for look in year._COMPARING for rule in look(case)]
    short = {rule.rule for rule in rules if rule.state != MET}
    if short <= {"not_worse"}:
        return "PROMOTE"
    due = tonight.facts.champion_days >= tonight.policy.refresh_days
    return "HOLD" if due and short <= {"better"} else ""


def test_what_is_asked_quickly_is_what_all_rules_say(policy: GatePolicy) -> None:
    """Models of every kind, some of them shown to be better, on a fresh holdout each."""
    outcomes = []
    recipes = [
        *(Recipe(), Recipe(), log_odds.rotted(0.01), log_odds.improved(0.02)),
        *(log_odds.lowered(THIRTIETH, loss) for loss in (0.02, 0.05, 0.1)),
        replace(log_odds.improved(0.03), team=THIRTIETH, low=0.5),
        replace(log_odds.improved(0.03), team=THIRTIETH, low=1.5),
    ]
    for seed, recipe in enumerate(recipes * 3):
        random = np.random.default_rng((19, seed))
        rows = log_odds.archive(year.HOLDOUT, random)
        anchor, champion = (
            log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random) for _ in range(2)
        )
        seen = log_odds.trained(recipe, rows.log_odds(recipe, random), random)
        facts = Facts(fresh=True, champion_days=14 if seed % 4 else 3)
        tonight = Tonight(policy, rows, year.HOLDOUT, facts)
        wanted = by_all_rules(tonight, seen, champion, anchor)
        assert tonight.changes(seen, champion, anchor) == wanted
        assert tonight.may_change(seen.log_odds, champion, anchor) or not wanted
        outcomes.append(wanted)
    assert {"", "HOLD", "PROMOTE"} == set(outcomes)


@pytest.mark.parametrize("recipes", [slow_rot, partial(group_rot, THIRTIETH)])
def test_a_seed_gives_the_figures_that_all_rules_give_night_by_night(
    policy: GatePolicy, monkeypatch: pytest.MonkeyPatch, recipes: year.Recipes
) -> None:
    growth = Growth(0.001, tuple(range(45)))
    quick = sequence(policy, recipes, growth, 0)
    monkeypatch.setattr(Tonight, "may_change", lambda *_: True)
    monkeypatch.setattr(Tonight, "changes", by_all_rules)
    assert sequence(policy, recipes, growth, 0) == quick
    assert quick.refreshed > 0
