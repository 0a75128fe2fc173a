"""Groups beside the anchor and against floors of their own."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import ROWS, Trial, better, first, groups, model, world

from sluice.gate.case import BROKEN, MET, OPEN, Case, Facts, Rule
from sluice.gate.groups import Group, seen_from
from sluice.gate.paired import Pairs
from sluice.model.statistics import wilson_high, wilson_low
from sluice.policy import GroupFloor

TEAM = groups("AB", [0.1, 0.9])
POSITIVE = world().labels == 1


def found(trial: Trial, name: str) -> Rule:
    """The rule of this name."""
    return next(rule for rule in trial.judge().rules if rule.rule == name)


def lowered(points: float, seed: int = 0) -> Trial:
    """An anchor, and a candidate that is the same but for `points` of the recall of team A."""
    frozen = model("frozen", 0.6)
    group = np.flatnonzero((TEAM == "A") & POSITIVE)
    hit = np.random.default_rng(seed).permutation(group[frozen.flagged[group]])
    scores = frozen.scores.copy()
    scores[hit[: round(points * len(group))]] = 0.001
    candidate = replace(frozen, tag="candidate", scores=scores)
    return first().but(candidate=candidate, anchor=frozen, segments={"team": TEAM}, margin=0.3)


def test_small_losses_of_one_group_are_stopped_by_what_can_be_seen() -> None:
    """A tenth of the rows loses 2.5 points at each refresh, and the rest loses nothing. It is
    stopped before its loss is beyond the margin by what the rule says that it can see.
    """
    for seed in range(5):
        lost, champion = 0.0, lowered(0.0, seed).candidate
        while lost < 0.5:
            trial = lowered(lost + 0.025, seed).but(
                champion=replace(champion, tag="old"),
                facts=Facts(fresh=True, champion_days=14),
                shipped_margin=0.9,
            )
            if not trial.judge().refresh:
                break
            lost, champion = lost + 0.025, trial.candidate
        assert found(trial, "anchor_segments").state == BROKEN
        assert trial.judge("anchor_segments").refresh
        positives = int((POSITIVE & (TEAM == "A")).sum())
        pairs = Pairs(0, round(lost * positives), positives)
        case = Case({}, trial.holdout, trial.facts, trial.policy, None, None, trial.words)
        assert lost <= seen_from(case, Group("team = A", pairs, pairs, positives), 2, 0.05)


def test_the_loss_against_the_anchor_is_named() -> None:
    rule = found(lowered(0.15), "anchor_segments")
    assert rule.state == BROKEN
    assert rule.sentence.startswith("Recall of team = A falls by 0.15")
    assert " below anchor frozen over " in rule.sentence
    assert rule.sentence.endswith("; at most 0.05 is allowed")
    assert rule.needed.endswith(" more positives in team = A")
    assert found(lowered(0.15).but(anchor_segment_margin=0.2), "anchor_segments").state == MET


def test_what_can_be_seen_at_this_size_is_said() -> None:
    names = np.where(np.arange(ROWS) < 40, "C", TEAM)
    rule = found(lowered(0.0).but(segments={"team": names}), "anchor_segments")
    assert rule.state == MET
    start = "No group is shown to lose more than 0.05 of its recall against anchor frozen; a loss"
    assert rule.sentence.startswith(start)
    assert rule.sentence.endswith("; nothing is seen in team = C")
    assert " is seen from 0.05 in team = B to 0.0" in rule.sentence


def test_groups_of_which_the_same_is_seen_are_named_by_the_alphabet() -> None:
    twice = {"team": TEAM, "again": TEAM}
    rule = found(lowered(0.0).but(segments=twice), "anchor_segments")
    assert re.search(r"is seen from 0\.\d\d in again = B to 0\.\d\d in team = A$", rule.sentence)


def test_without_anchor_or_groups_nothing_is_said() -> None:
    for trial in (better(), lowered(0.2).but(anchor=None)):
        assert "anchor_segments" not in {rule.rule for rule in trial.judge().rules}


@pytest.mark.parametrize(
    ("floor", "state", "verdict"),
    [
        (-0.1, MET, "PROMOTE"),
        (-0.005, OPEN, "INSUFFICIENT"),
        (0.005, OPEN, "INSUFFICIENT"),
        (0.1, BROKEN, "REJECT"),
    ],
)
def test_a_group_has_a_floor_of_its_own(floor: float, state: str, verdict: str) -> None:
    """By so much above its recall: a first release clears it with its lower limit."""
    group = (TEAM == "A") & POSITIVE
    hit, of = int(first().candidate.flagged[group].sum()), int(group.sum())
    wanted = GroupFloor("team = A", round(hit / of + floor, 4))
    trial = first().but(segments={"team": TEAM}, group_floors=(wanted,))
    rule = found(trial, "group_floors")
    low, high = wilson_low(hit, of, 0.05), wilson_high(hit, of, 0.05)
    assert (rule.state, trial.judge().verdict) == (state, verdict)
    assert rule.sentence == (
        f"Recall of team = A is {hit / of:.4f} [{low:.4f}, {high:.4f}]; at least"
        f" {wanted.recall:g} is required"
    )
    assert bool(rule.needed) == (state != MET)


def test_a_later_release_clears_the_floor_of_a_group_as_it_is() -> None:
    group = (TEAM == "A") & POSITIVE
    value = float(better().candidate.flagged[group].mean())
    wanted = GroupFloor("team = A", round(value - 0.005, 4))
    trial = better().but(segments={"team": TEAM}, group_floors=(wanted,))
    assert found(trial, "group_floors").state == MET
    assert found(trial.but(champion=None, anchor=None), "group_floors").state == OPEN


def test_a_group_that_nobody_is_in_waits() -> None:
    for name in ("team = Z", "age = A"):
        trial = first().but(segments={"team": TEAM}, group_floors=(GroupFloor(name, 0.5),))
        rule = found(trial, "group_floors")
        assert rule.state == OPEN
        assert rule.needed == f"Label rows of {name}, or correct its name"
