"""The table of the groups: what it counts, and what it says of each that the rules can see."""

from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import ROWS, Trial, better, first, groups, model, world

from sluice.gate.case import Case
from sluice.gate.decide import case_of
from sluice.gate.group_table import GroupRow, group_rows
from sluice.gate.groups import groups_beside, judged_of, seen_from
from sluice.policy import GroupFloor

# One group of 40 rows, one tenth, and the rest.
TEAM = np.where(np.arange(ROWS) < 40, "C", groups("AB", [0.1, 0.9]))
POSITIVE = world().labels == 1


def case(trial: Trial) -> Case:
    return case_of({}, trial.holdout, trial.facts, trial.policy, trial.words)


def table(trial: Trial) -> dict[str, GroupRow]:
    return {row.name: row for row in group_rows(case(trial))}


@pytest.fixture(scope="module")
def trial() -> Trial:
    floors = (GroupFloor("team = A", 0.7),)
    return better().but(segments={"team": TEAM}, group_floors=floors)


@pytest.fixture(scope="module")
def found(trial: Trial) -> dict[str, GroupRow]:
    return table(trial)


def test_rows_positives_and_recall_are_those_of_the_group(
    trial: Trial, found: dict[str, GroupRow]
) -> None:
    assert list(found) == ["A", "B", "C"]
    for name, row in found.items():
        inside = (name == TEAM) & POSITIVE
        assert (row.segment, row.rows) == ("team", int((name == TEAM).sum()))
        assert row.positives == int(inside.sum())
        assert row.recall == pytest.approx(trial.candidate.flagged[inside].mean())


def test_a_floor_is_told_where_the_policy_names_one(found: dict[str, GroupRow]) -> None:
    assert {name: row.floor for name, row in found.items()} == {"A": 0.7, "B": None, "C": None}


@pytest.mark.parametrize("other", ["champion", "anchor"])
def test_recalls_are_at_as_many_flagged_and_differ_by_what_is_said(
    other: str, trial: Trial, found: dict[str, GroupRow]
) -> None:
    theirs = getattr(trial, other)
    flagged = int(theirs.flagged.sum())
    mine = np.zeros(ROWS, dtype=bool)
    mine[np.argsort(-trial.candidate.scores, kind="stable")[:flagged]] = True
    for name, row in found.items():
        inside, beside = (name == TEAM) & POSITIVE, getattr(row, other)
        assert beside.candidate == pytest.approx(mine[inside].mean())
        assert beside.other == pytest.approx(theirs.flagged[inside].mean())
        assert beside.recall.value == pytest.approx(beside.candidate - beside.other)
        assert beside.recall.low <= beside.recall.value <= beside.recall.high


def test_what_is_seen_is_what_the_rule_sees(trial: Trial, found: dict[str, GroupRow]) -> None:
    given = case(trial)
    for other, margin in (("champion", 0.03), ("anchor", 0.05)):
        model_of = getattr(given.holdout, other)
        listed = list(groups_beside(given.holdout, model_of, int(model_of.flagged.sum())))
        count = len(judged_of(given, listed))
        assert count == 2
        for group in listed[:2]:
            beside = getattr(found[group.name.removeprefix("team = ")], other)
            assert beside.margin == margin
            assert beside.seen_from == seen_from(given, group, count, margin)


def test_of_a_group_with_few_positives_no_loss_is_seen(found: dict[str, GroupRow]) -> None:
    few = found["C"]
    assert few.positives < 50
    assert few.champion is not None and few.anchor is not None
    assert (few.champion.seen_from, few.anchor.seen_from) == (None, None)


def test_no_loss_is_seen_that_the_group_cannot_have(trial: Trial) -> None:
    """The champion finds two in a hundred of group A: it has no more to lose."""
    scores = trial.candidate.scores.copy()
    hit = np.flatnonzero((TEAM == "A") & POSITIVE)
    scores[hit[: round(0.98 * len(hit))]] = 0.001
    blind = replace(trial.candidate, tag="old", scores=scores)
    row = table(trial.but(champion=blind))["A"]
    assert row.champion is not None
    assert row.champion.other < 0.03
    assert row.champion.seen_from is None


def test_where_the_other_flags_nearly_everybody_nothing_is_seen(trial: Trial) -> None:
    wide = replace(model("old", 1.2), threshold=float(np.quantile(model("old", 1.2).scores, 0.01)))
    for row in table(trial.but(champion=wide)).values():
        assert row.champion is not None and row.anchor is not None
        assert row.champion.seen_from is None
    assert table(trial)["B"].champion is not None


def test_without_champion_and_anchor_the_groups_are_there_alone() -> None:
    rows = table(first().but(segments={"team": TEAM}))
    assert {(row.champion, row.anchor) for row in rows.values()} == {(None, None)}
    assert group_rows(case(first())) == ()


def test_a_champion_that_cannot_score_is_not_beside_anything(trial: Trial) -> None:
    blind = replace(trial.champion, scores=np.full(ROWS, np.nan))
    rows = table(trial.but(champion=blind))
    assert {row.champion for row in rows.values()} == {None}
    assert all(row.anchor for row in rows.values())
