"""Groups beside the anchor and against floors of their own."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.holdouts import ROWS, Trial, better, first, groups, model, world

from sluice.gate.case import BROKEN, MET, OPEN, Facts, Rule
from sluice.gate.groups import Group, groups_beside, held_to
from sluice.gate.paired import Pairs, recall_difference, unit_variance
from sluice.gate.power import margin_needed
from sluice.model.quality.statistics import wilson_high, wilson_low
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
    stopped before its loss is beyond the margin, and its positives suffice for that.
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
        assert found(trial, "anchor_segments").state == OPEN
        assert trial.judge("anchor_segments").refresh
        assert 0.0 < lost <= 0.05


def test_a_group_that_may_have_lost_more_than_its_margin_is_waited_for() -> None:
    rule = found(lowered(0.045), "anchor_segments")
    assert rule.state == OPEN
    assert rule.sentence.startswith("Recall differs by -0.04")
    assert "] in team = A from anchor frozen, with as many rows flagged (96 %" in rule.sentence
    assert " intervals); a lower limit above -0.05 is required of a group with so " in rule.sentence
    assert rule.needed.endswith(" in team = A, if the difference stays")
    assert found(lowered(0.045).but(anchor_segment_margin=0.2), "anchor_segments").state == MET


def test_a_look_at_a_group_has_two_fifths_of_the_level() -> None:
    """The limit that is told is theirs, and it is the one that decides."""
    trial = lowered(0.045)
    sentence = found(trial, "anchor_segments").sentence
    numbers = re.search(r"by (-0\.\d+) \[(-0\.\d+), ", sentence)
    assert numbers is not None
    of = int(((TEAM == "A") & POSITIVE).sum())
    pairs = Pairs(0, -round(float(numbers[1]) * of), of)
    assert float(numbers[2]) == pytest.approx(recall_difference(pairs, 0.02).low, abs=2e-3)
    nearly = -float(numbers[2])
    assert found(trial.but(anchor_segment_margin=nearly + 0.001), "anchor_segments").state == MET
    assert found(trial.but(anchor_segment_margin=nearly - 0.001), "anchor_segments").state == OPEN


def test_how_many_labels_would_tell_is_asked_at_the_level_of_the_look() -> None:
    trial = lowered(0.045)
    anchor = trial.anchor
    assert anchor is not None
    beside = groups_beside(trial.holdout, anchor, int(anchor.flagged.sum()))
    pairs = next(group.equal for group in beside if group.name == "team = A")
    wanted, at_once = (
        margin_needed(0.05, pairs.difference, unit_variance(pairs, -0.05), level)
        for level in (0.02, 0.05)
    )
    assert wanted is not None and at_once is not None and wanted > at_once
    assert found(trial, "anchor_segments").needed == (
        f"Label {wanted - pairs.rows:,} more positives in team = A, if the difference stays"
    )


def test_a_group_that_loses_its_rank_and_none_of_its_flags_has_not_lost_to_a_better_model() -> None:
    """It puts rows of others before those of the group, and flags them all."""
    trial = lowered(0.045)
    frozen, candidate = trial.anchor, trial.candidate
    assert frozen is not None
    last = np.flatnonzero(candidate.scores < frozen.scores)

    def finding(more: int) -> Trial:
        scores = candidate.scores.copy()
        scores[last] = frozen.threshold
        scores[np.flatnonzero((TEAM == "B") & POSITIVE & ~frozen.flagged)[:more]] = 0.999
        return trial.but(
            candidate=replace(candidate, scores=scores),
            champion=replace(frozen, tag="old"),
            facts=Facts(fresh=True, champion_days=14),
        )

    better_one = finding(len(last) + 400)
    assert found(better_one, "better").state == MET
    assert found(better_one, "anchor_segments").state == MET
    # At a threshold that is so much higher that it flags as many as before, they are lost.
    higher = better_one.but(
        candidate=replace(better_one.candidate, threshold=frozen.threshold + 1e-9)
    )
    lost = found(higher, "anchor_segments")
    assert lost.state == OPEN
    assert "with as many rows flagged and as shipped (98 % intervals); one lower" in lost.sentence
    # Two ways to show it share the level: what the whole of it would show is not enough.
    limits = re.findall(r"\[(-0\.\d+), ", lost.sentence)
    assert len(limits) == 2
    nearly = max(float(limit) for limit in limits)
    assert found(higher.but(anchor_segment_margin=0.0005 - nearly), lost.rule).state == MET
    assert found(higher.but(anchor_segment_margin=-0.0005 - nearly), lost.rule).state == OPEN
    # What only replaces a champion by its age could take a little of the group each time.
    no_better = finding(len(last))
    assert found(no_better, "better").state == OPEN
    assert found(no_better, "anchor_segments").state == OPEN


@pytest.mark.parametrize(("gained", "lost"), [(30, 30), (20, 200), (3, 3), (0, 0), (300, 40)])
def test_a_group_is_held_to_its_margin_where_an_equal_model_is_shown_with_power(
    gained: int, lost: int
) -> None:
    """From the smallest number of positives on at which it is held, an equally good model that
    differs in as many rows by chance is shown to be within the margin four times in five.
    """
    chance = 2 * max(min(gained, lost), 1)

    def group(rows: int) -> Group:
        pairs = Pairs(gained, lost, rows)
        return Group("team = A", pairs, pairs, pairs.rows)

    rows = next(n for n in range(gained + lost, 20_000) if held_to(group(n), 0.05, 0.05))
    random = np.random.default_rng(1)
    drawn = random.binomial(chance, 0.5, 4_000)
    limits = {
        int(g): recall_difference(Pairs(int(g), chance - int(g), rows), 0.05).low
        for g in np.unique(drawn)
    }
    power = np.mean([limits[int(g)] > -0.05 for g in drawn])
    assert power >= 0.75
    if rows > gained + lost and chance > 20:
        assert not held_to(group(rows - 1), 0.05, 0.05)
        assert power <= 0.95


def test_a_group_that_loses_is_no_harder_to_hold_for_it() -> None:
    """What is lost beyond chance does not free a group from its margin."""
    rows = 700
    held = [
        held_to(Group("a", pairs, pairs, pairs.rows), 0.05, 0.05)
        for pairs in (Pairs(10, 10 + more, rows) for more in (0, 40, 200, 600))
    ]
    assert held == [True] * 4


def test_a_group_with_too_few_to_hold_it_is_named() -> None:
    few = np.where(np.cumsum(POSITIVE) <= 60, "C", TEAM)
    frozen = lowered(0.0).anchor
    assert frozen is not None
    scores, other = frozen.scores.copy(), frozen.scores.copy()
    group = np.flatnonzero((few == "C") & POSITIVE & frozen.flagged)
    rest = np.flatnonzero((few != "C") & frozen.flagged)
    scores[[*group[:6], *rest[:200]]] = 0.001
    other[[*group[6:12], *rest[200:400]]] = 0.001
    trial = lowered(0.0).but(
        candidate=replace(frozen, tag="candidate", scores=scores),
        anchor=replace(frozen, scores=other),
        segments={"team": few},
    )
    rule = found(trial, "anchor_segments")
    assert rule.state == MET
    assert "; too few positives to hold team = C to it" in rule.sentence


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
