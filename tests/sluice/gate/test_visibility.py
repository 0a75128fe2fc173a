"""Where champion and anchor leave a ranking no room, the gate says that it sees nothing."""

from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import Trial, better, first, model, world

from sluice.gate.case import MET, OPEN, Facts, Rule
from sluice.percent import percent

ANY = {"shipped_margin": 0.9, "shipped_flagged_margin": 0.9}


def seen(trial: Trial) -> Rule:
    """The rule on what can be seen."""
    return next(rule for rule in trial.judge().rules if rule.rule == "ranking_visible")


def flagging(share: float) -> Trial:
    """A champion and an anchor that flag this share, and an old champion's time is up."""
    old = better().champion
    cut = replace(old, threshold=float(np.quantile(old.scores, 1 - share)) if share else 1.1)
    return better().but(
        champion=cut,
        anchor=replace(cut, tag="frozen"),
        facts=Facts(fresh=True, champion_days=99),
        brier_margin=0.9,
        **ANY,
    )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.98, 0.99, 1.0])
def test_a_weak_model_is_not_let_by_where_nothing_can_be_seen(share: float) -> None:
    trial = flagging(share).but(candidate=model("candidate", 1.4))
    rule, verdict = seen(trial), trial.judge()
    assert rule.state == OPEN
    assert verdict.verdict != "PROMOTE"
    assert not verdict.refresh


def test_it_says_what_can_be_seen_and_what_then() -> None:
    trial = flagging(0.99)
    flagged = trial.champion.flagged
    lost = flagged[world().labels == 1].mean() - flagged.mean()
    assert str(seen(trial)) == (
        f"The anchor frozen flags {percent(flagged.mean(), 1)} of the rows, where a ranking by"
        f" chance loses {lost:.4f} of recall; more than 0.03 is required to see one. Sign an"
        " override of `ranking_visible` for a candidate whose threshold people have looked at, and"
        " then run `sluice anchor set champion`"
    )
    assert str(seen(trial)) in trial.judge().sentence
    waived = trial.but(facts=replace(trial.facts, waived="ranking_visible")).judge()
    assert waived.verdict in ("HOLD", "PROMOTE")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_an_ordinary_operating_point_is_seen(share: float) -> None:
    assert (seen(flagging(share)).state, seen(flagging(share)).needed) == (MET, "")


def test_without_another_model_there_is_nothing_to_see() -> None:
    assert "ranking_visible" not in {rule.rule for rule in first().judge().rules}
