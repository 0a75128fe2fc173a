"""The gate where rows belong together: copies of a row prove nothing, and nothing else changes."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.holdouts import Trial, World, measured, model, world

from sluice.gate import spending
from sluice.gate.case import MET, OPEN, Facts, Holdout, Model, Rule
from sluice.gate.decide import Verdict, decide
from sluice.gate.power import WHOLE, count

COPIES = 5
FEW = 1_200


@cache
def small() -> World:
    return world(FEW, 4)


def beside() -> Trial:
    """A candidate that is better than its champion by some points."""
    mine, theirs = model("new", 0.2, of=small()), model("old", 0.75, of=small())
    trial = Trial(mine, theirs, theirs, of=small())
    return trial.but(least_positives=100, stability_ceiling=0.2, calibration_ceiling=0.2)


def copied(trial: Trial, *, grouped: bool) -> Verdict:
    """The verdict where each row is there several times, as rows of a group or as if they were
    others.
    """
    holdout, times = trial.holdout, COPIES

    def again(one: Model | None) -> Model | None:
        return one and replace(one, scores=np.repeat(one.scores, times))

    candidate = again(holdout.candidate)
    assert candidate is not None
    rows = Holdout(
        np.repeat(holdout.labels, times),
        np.arange(times * len(holdout.labels), dtype=np.uint64),
        candidate,
        again(holdout.champion),
        again(holdout.anchor),
        clusters=np.repeat(np.arange(len(holdout.labels)), times) if grouped else None,
    )
    return decide(measured(trial), rows, trial.facts, trial.policy, without=["metrics_match"])


def rule(verdict: Verdict, name: str) -> Rule:
    return next(one for one in verdict.rules if one.rule == name)


def test_a_gain_that_copies_make_sure_is_none_where_they_are_a_group() -> None:
    trial = beside().but(facts=Facts(uses=12))
    alone = rule(trial.judge(), "better")
    assert alone.state == OPEN
    assert rule(copied(trial, grouped=False), "better").state == MET
    grouped = rule(copied(trial, grouped=True), "better")
    assert grouped.state == OPEN
    assert grouped.value == pytest.approx(alone.value, abs=0.05)
    assert grouped.needed.startswith("Find")


def test_limits_of_every_rule_are_those_of_the_rows_before_they_were_copied() -> None:
    trial = beside()
    alone, grouped, wrongly = (
        trial.judge("metrics_match"),
        copied(trial, grouped=True),
        copied(trial, grouped=False),
    )
    for name in ("not_worse", "anchor_recall", "anchor_precision", "anchor_brier"):
        value = [rule(verdict, name).value for verdict in (alone, grouped, wrongly)]
        assert value[1] == pytest.approx(value[0], abs=0.01), name
        assert abs(value[1] - value[2]) > abs(value[1] - value[0]), name


def test_a_first_release_needs_groups_and_not_rows() -> None:
    """The lower limit of its recall has to clear the floor; copies do not raise it."""
    trial = replace(beside(), champion=None, anchor=None)
    floor = round(rule(trial.judge("metrics_match"), "recall_floor").value - 0.02, 3)
    trial = trial.but(recall_floor=floor, precision_floor=0.5)
    assert rule(copied(trial, grouped=False), "recall_floor").state == MET
    open_one = rule(copied(trial, grouped=True), "recall_floor")
    assert open_one.state == OPEN
    assert open_one.needed.startswith("Label")


def test_so_few_groups_are_not_blamed_for_what_chance_does() -> None:
    """Sixty positives are many; of four groups they are not."""
    labels = np.repeat([1, 0], 60)
    scores = np.where(np.arange(120) % 3 > 0, 0.3, 0.2)
    trial = beside()
    rows = Holdout(
        labels,
        np.arange(120, dtype=np.uint64),
        Model("new", 0.25, scores),
        clusters=np.arange(120) // 15,
    )
    verdict = decide({}, rows, Facts(), trial.policy, without=["metrics_match"])
    signal = rule(verdict, "signal")
    assert signal.state == OPEN
    assert signal.needed == (
        "Label more rows, until there are 50 positives, each of another group, in each part; there"
        " are 4"
    )


def test_a_later_look_at_groups_has_a_part_of_the_level_for_itself() -> None:
    levels = [spending.grouped_level(0.05, 3, looks) for looks in range(1, 2_000)]
    assert sum(levels) < spending.later_level(0.05, 3)
    assert sum(levels) == pytest.approx(spending.later_level(0.05, 3), rel=0.001)
    trial = beside().but(facts=Facts(looks=2))
    looked = rule(copied(trial, grouped=True), "better")
    assert looked.limit == spending.grouped_level(0.05, 0, 2)
    assert "at look 3 of this use at most" in looked.sentence


def test_power_counts_the_least_that_rows_of_a_group_tell() -> None:
    labels, owners = np.repeat([1, 0, 1, 1], 5), np.repeat([0, 1, 2, 2], 5)
    team = np.repeat(["north", "south"], 10)
    assert count(labels, {"team": team}) == {
        WHOLE: 15,
        "team = north": 5,
        "team = south": 10,
    }
    assert count(labels, {"team": team}, owners) == {
        WHOLE: 1,
        "team = north": 1,
        "team = south": 1,
    }
