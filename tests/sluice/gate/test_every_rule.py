"""What each rule reports of one candidate: its value, its limit and its intervals, with rows that
are independent and with rows that belong together. Each figure is worked out beside it by the
functions of the pages that define them.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import numpy as np
import pytest
from scipy import stats
from support.holdouts import Trial, World, groups, measured, model, require_readable, world

from sluice.gate import as_shipped, spending
from sluice.gate.case import BROKEN, MET, OPEN, Case, Facts, Holdout, Model, Rule
from sluice.gate.decide import Verdict, case_of, decide
from sluice.gate.floors import precision_share, recall_share
from sluice.gate.paired import (
    Difference,
    Pairs,
    at_equal_counts,
    better,
    mean_difference,
    on_positives,
    recall_difference,
    top,
    unit_variance,
)
from sluice.gate.power import margin_needed
from sluice.gate.sequential import log_e_value
from sluice.model.quality.clusters import of_share
from sluice.model.quality.metrics import by_segment, intervals
from sluice.model.quality.statistics import (
    calibration_gap,
    roc_auc,
    roc_auc_interval,
    roc_auc_variance,
    wilson_high,
    wilson_low,
)
from sluice.policy import GroupFloor

FEW = 1_200
FACTS = Facts(duplicates=6, near_duplicates=3, left_out=40, uses=2)
TEAM = groups("AB", [0.3, 0.7], rows=FEW)


@cache
def rows() -> World:
    return world(FEW, 4)


@dataclass(frozen=True)
class Judged:
    """A candidate beside a champion, an anchor and its best column, and the rules on it."""

    holdout: Holdout
    trial: Trial

    def rule(self, name: str) -> Rule:
        [found] = [one for one in self.verdict().rules if one.rule == name]
        return found

    def verdict(self, facts: Facts = FACTS) -> Verdict:
        trial, holdout = self.trial, self.holdout
        metrics = measured(trial)
        labels, candidate, level = holdout.labels, holdout.candidate, 0.9
        told = intervals(labels, candidate.scores, candidate.threshold, level, holdout.clusters)
        by = by_segment(labels, candidate.flagged, holdout.segments, level, holdout.clusters)
        metrics |= msgspec.json.decode(msgspec.json.encode({"intervals": told, "segments": by}))
        verdict = decide(metrics, holdout, facts, trial.policy, words=trial.words)
        for rule in verdict.rules:
            require_readable(rule)
        return verdict

    @property
    def labels(self) -> np.ndarray:
        return self.holdout.labels

    @property
    def clusters(self) -> np.ndarray | None:
        return self.holdout.clusters

    @property
    def scores(self) -> np.ndarray:
        return self.holdout.candidate.scores

    @property
    def flagged(self) -> np.ndarray:
        return self.holdout.candidate.flagged

    def beside(self, other: Model, flagged: int | None = None) -> Pairs:
        """Candidate and another model, both cut at its number of flagged rows."""
        count = int(other.flagged.sum()) if flagged is None else flagged
        mine = top(self.scores, self.holdout.hashes, count)
        theirs = top(other.scores, self.holdout.hashes, count)
        return at_equal_counts(self.labels, mine, theirs, self.clusters)


@cache
def judged(*, grouped: bool) -> Judged:
    frozen, old = model("frozen", 0.9, of=rows()), model("old", 0.75, of=rows())
    trial = Trial(
        model("new", 0.2, of=rows()), old, frozen, model("grade", 4.0, of=rows()), of=rows()
    )
    trial = trial.but(
        segments={"team": TEAM},
        least_positives=100,
        near_duplicate_ceiling=0.0025,
        duplicate_ceiling=0.005,
        stability_ceiling=0.2,
        calibration_ceiling=0.2,
        group_floors=(GroupFloor("team = A", 0.6), GroupFloor("team = B", 0.99)),
    )
    clusters = np.random.default_rng(6).integers(0, 260, FEW) if grouped else None
    return Judged(replace(trial.holdout, clusters=clusters), trial)


BOTH = pytest.mark.parametrize(
    "case", [judged(grouped=False), judged(grouped=True)], ids=["rows", "groups"]
)


def shown(difference: Difference) -> str:
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def same(rule: Rule, state: str, value: float | None, limit: float | None) -> None:
    """The rule says this, and has a next step where it is not met."""
    assert rule.state == state
    assert rule.value == (None if value is None else pytest.approx(value, abs=1e-12))
    assert rule.limit == (None if limit is None else pytest.approx(limit, abs=1e-12))
    assert bool(rule.needed) is (state != MET)


@BOTH
def test_what_can_be_believed(case: Judged) -> None:
    positives, area = int(case.labels.sum()), roc_auc(case.labels, case.scores)
    same(case.rule("binary"), MET, 0.0, 0.0)
    assert case.rule("binary").sentence == "0 of 1,200 labels are neither 0 nor 1; none may be"
    same(case.rule("labelled"), MET, positives, 2.0)
    assert case.rule("labelled").sentence == (
        f"The holdout has {positives} positives and {FEW - positives} negatives; at least 2 of each"
        " are required"
    )
    same(case.rule("finite"), MET, 0.0, 0.0)
    assert case.rule("finite").sentence.startswith("0 of 1,200 scores are not probabilities;")
    same(case.rule("not_constant"), MET, 1 / FEW, 0.5)
    low, high = roc_auc_interval(case.labels, case.scores, 0.9, case.clusters)
    same(case.rule("signal"), MET, area, 0.5)
    assert f"{area:.4f} [{low:.4f}, {high:.4f}]" in case.rule("signal").sentence
    same(case.rule("no_duplicates"), MET, 0.005, 0.005)
    same(case.rule("no_near_duplicates"), MET, 0.0025, 0.0025)
    same(case.rule("metrics_match"), MET, 0.0, 0.0)
    assert case.rule("metrics_match").sentence == "metrics.json agrees with the scores"


@BOTH
def test_the_best_column(case: Judged) -> None:
    alone = case.holdout.one_column
    assert alone is not None
    same(case.rule("no_leak"), MET, roc_auc(case.labels, alone.scores), 0.80)
    flagged = int(case.flagged.sum())
    gain = recall_difference(case.beside(alone, flagged), 0.05)
    rule = case.rule("more_than_one_column")
    same(rule, MET, gain.low, 0.0)
    assert rule.sentence == (
        f"Recall differs by {shown(gain)} from grade alone, at {flagged:,} flagged rows; a lower"
        " limit above 0 is required"
    )


@BOTH
def test_shares_as_shipped(case: Judged) -> None:
    of = looked_at(case)
    for name, share, floor in (
        ("recall_floor", recall_share(of), 0.72),
        ("precision_floor", precision_share(of), 0.66),
    ):
        same(case.rule(name), MET, share.value, floor)
        assert f"with a lower limit of {share.low:.4f}" in case.rule(name).sentence
    share, count = float(case.flagged.mean()), int(case.flagged.sum())
    same(case.rule("flagged_ceiling"), MET, share, 0.70)
    design = of_share(case.flagged, np.ones(FEW, dtype=bool), case.clusters)
    low = wilson_low(count, FEW, 0.05, design)
    assert f"a lower limit of {100 * low:.1f} %" in case.rule("flagged_ceiling").sentence


def looked_at(case: Judged) -> Case:
    return case_of({}, case.holdout, FACTS, case.trial.policy, case.trial.words)


@BOTH
def test_calibration_and_stability(case: Judged) -> None:
    gap = calibration_gap(case.labels, case.scores, 0.05, clusters=case.clusters)
    same(case.rule("calibration"), MET, gap.value, 0.2)
    assert f"{gap.value:.4f} [{gap.low:.4f}, {gap.high:.4f}]" in case.rule("calibration").sentence
    area = roc_auc(case.labels, case.scores)
    variance = roc_auc_variance(case.labels, case.scores, case.clusters)
    moved = {"roc_auc": {"mean": area - 0.3, "std": 0.25, "folds": [area] * 5}}
    metrics = measured(case.trial) | {"cross_validation": moved, "validation": {"roc_auc": 0.5}}
    metrics["rows"] |= {"train": 3_000, "validation": 600}
    verdict = decide(metrics, case.holdout, FACTS, case.trial.policy)
    found = {one.rule: one for one in verdict.rules}
    sure = stats.norm.isf(0.05)
    for name, gap_found, of_other in (
        ("stable_cross_validation", 0.3, 0.25**2 / 4),
        ("stable_validation", area - 0.5, variance * FEW / 600),
    ):
        low = gap_found - sure * math.sqrt(of_other + variance)
        same(found[name], BROKEN if low > 0.2 else OPEN, gap_found, 0.2)
        told = f"a difference of {gap_found:.4f} with a lower limit of {max(low, 0.0):.4f}"
        assert told in found[name].sentence
    by_chance = variance * FEW / 600  # each fold has a fifth of the training rows
    beyond = math.sqrt(0.25**2 - by_chance)
    low = math.sqrt(max(5 * 0.25**2 / stats.chi2.isf(0.05, 4) - by_chance, 0))
    folds = found["stable_folds"]
    assert (folds.value, folds.limit) == (pytest.approx(beyond), 0.2)
    assert folds.sentence.startswith("ROC-AUC has a standard deviation of 0.2500 across folds")
    assert f"{beyond:.4f} beyond chance with a lower limit of {low:.4f}" in folds.sentence


@BOTH
def test_the_ledger_and_the_rows_that_are_left(case: Judged) -> None:
    same(case.rule("ledger"), MET, 2, 20)
    level = spending.level_of(0.05, 2)
    assert case.rule("ledger").sentence == (
        f"This is use 3 of 20 of this holdout, and its level is {level:.3g}"
    )
    same(case.rule("split_changed"), MET, case.labels.sum(), 100)
    assert case.rule("split_changed").sentence.startswith("The split changed: 40 rows that a")


@BOTH
def test_beside_the_champion(case: Judged) -> None:
    champion = case.holdout.champion
    assert champion is not None
    pairs, flagged = case.beside(champion), int(champion.flagged.sum())
    first = spending.first_level(0.05, 2)
    state = MET if better(pairs) <= first else OPEN
    same(case.rule("better"), state, better(pairs), first)
    assert case.rule("better").sentence == (
        f"The candidate finds {pairs.gained} positives that old misses and misses {pairs.lost} that"
        f" it finds, at {flagged} flagged rows each, with p = {better(pairs):.3g}; at most"
        f" {first:.3g} is required to be better"
    )
    recall = recall_difference(pairs, 0.05)
    same(case.rule("not_worse"), MET, recall.low, -0.01)
    assert case.rule("not_worse").sentence == (
        f"Recall differs by {shown(recall)} from champion old; a lower limit above -0.01 is"
        " required"
    )


def against(case: Judged, champion: Model) -> Judged:
    """The same candidate beside another champion."""
    return replace(case, holdout=replace(case.holdout, champion=champion))


@BOTH
def test_a_gain_that_is_shown_has_its_p_value_and_the_level_of_its_use(case: Judged) -> None:
    weak = model("weak", 3.0, of=rows())
    rule = against(case, weak).rule("better")
    same(rule, MET, better(case.beside(weak)), spending.first_level(0.05, 2))


@BOTH
@pytest.mark.parametrize("noise", [0.75, 3.0])
def test_a_later_look_has_the_measure_that_its_rows_allow(case: Judged, noise: float) -> None:
    """The e-value of independent rows, and for groups a p-value with a part of the level."""
    other = model("other", noise, of=rows())
    verdict = against(case, other).verdict(replace(FACTS, looks=2))
    [rule] = [one for one in verdict.rules if one.rule == "better"]
    pairs = case.beside(other)
    if case.clusters is None:
        limit = -math.log(spending.later_level(0.05, 2))
        reached = log_e_value(pairs, 0.01)
        same(rule, MET if reached >= limit else OPEN, reached, limit)
        return
    limit, p_value = spending.grouped_level(0.05, 2, 2), better(pairs)
    same(rule, MET if p_value <= limit else OPEN, p_value, limit)


@BOTH
def test_beside_the_anchor(case: Judged) -> None:
    anchor, level = case.holdout.anchor, spending.anchor_level(0.05)
    assert anchor is not None
    pairs, flagged = case.beside(anchor), int(anchor.flagged.sum())
    recall = recall_difference(pairs, level)
    named = f"anchor frozen ({100 * (1 - 2 * level):.0f} % interval)"
    same(case.rule("anchor_recall"), MET, recall.low, -0.01)
    assert f"{shown(recall)} from {named}" in case.rule("anchor_recall").sentence
    unit = int(case.labels.sum()) / flagged
    precise = Difference(recall.value * unit, recall.low * unit, recall.high * unit, level)
    same(case.rule("anchor_precision"), MET, precise.low, -0.01)
    assert f"{shown(precise)} from {named}" in case.rule("anchor_precision").sentence
    errors = [(one - case.labels) ** 2 for one in (case.scores, anchor.scores)]
    brier = mean_difference(*errors, level, case.clusters)
    same(case.rule("anchor_brier"), MET, brier.high, 0.02)
    assert f"{shown(brier)} from {named}" in case.rule("anchor_brier").sentence


@BOTH
def test_a_loss_of_precision_that_may_be_is_told_in_positives_that_would_show_it(
    case: Judged,
) -> None:
    """With as many rows flagged, the margin of precision is one of recall in another unit."""
    twin, level = model("twin", 0.2, of=rows()), spending.anchor_level(0.05)
    rule = replace(case, holdout=replace(case.holdout, anchor=twin)).rule("anchor_precision")
    pairs = case.beside(twin)
    margin = 0.01 * int(twin.flagged.sum()) / int(case.labels.sum())
    variance, at = unit_variance(pairs, -margin), pairs.design.as_if(level)
    needed = margin_needed(margin, pairs.difference, variance, at)
    assert needed is not None
    assert rule.state == OPEN
    more = case.trial.words.more(max(needed - pairs.rows, 1))
    assert rule.needed == f"Label {more}, if the difference stays"


@BOTH
def test_groups_beside_floors(case: Judged) -> None:
    sentences = []
    for name, floor in (("A", 0.6), ("B", 0.99)):
        positive = (name == TEAM) & (case.labels == 1)
        hit, of = int(case.flagged[positive].sum()), int(positive.sum())
        design = of_share(case.flagged, positive, case.clusters)
        low, high = wilson_low(hit, of, 0.05, design), wilson_high(hit, of, 0.05, design)
        sentences.append(
            f"Recall of team = {name} is {hit / of:.4f} [{low:.4f}, {high:.4f}]; at least {floor:g}"
            " is required"
        )
    rule = case.rule("group_floors")
    assert rule.sentence == "; ".join(sentences)
    same(rule, BROKEN, 1.0, 0.0)
    positive = (TEAM == "B") & (case.labels == 1)
    more = math.ceil(0.99 * positive.sum() - 1e-9) - int(case.flagged[positive].sum())
    assert rule.needed == f"Find {more} more positives in team = B"


@BOTH
def test_groups_beside_the_champion(case: Judged) -> None:
    champion = case.holdout.champion
    assert champion is not None
    lows = []
    for name in "AB":
        inside = name == TEAM
        clusters = None if case.clusters is None else case.clusters[inside]
        flags = case.flagged[inside], champion.flagged[inside]
        pairs = on_positives(case.labels[inside], *flags, clusters)
        lows.append(recall_difference(pairs, 0.05).low)
    sure = [f"team = {name}" for name, low in zip("AB", lows, strict=True) if low <= -0.03]
    rule = case.rule("segments")
    same(rule, MET, 0.0, 0.0)
    start = f"{2 - len(sure)} of 2 groups are shown to lose less than 0.03 of their recall"
    assert rule.sentence == start + (
        f"; too few positives to say for {', '.join(sure)}" if sure else ""
    )


@BOTH
def test_as_shipped_the_three_measures_have_the_intervals_of_their_rows(case: Judged) -> None:
    champion, anchor = case.holdout.champion, case.holdout.anchor
    assert champion is not None
    assert anchor is not None
    rule, lows = case.rule("as_shipped"), []
    for other in (champion, anchor):
        recall = recall_difference(
            on_positives(case.labels, case.flagged, other.flagged, case.clusters), 0.05
        )
        every = on_positives(np.ones(FEW), case.flagged, other.flagged, case.clusters)
        flagged = recall_difference(every, 0.05)
        assert f"recall {shown(recall)}, precision " in rule.sentence
        assert f"share flagged {shown(flagged)} against" in rule.sentence
        lows.append(recall.low)
    assert rule.value == pytest.approx(min(lows))
    assert rule.limit == -case.trial.policy.shipped_margin


@BOTH
def test_a_share_flagged_is_the_worse_the_larger_it_is(case: Judged) -> None:
    """What is judged is the difference turned round, with its limits exchanged."""
    champion = case.holdout.champion
    assert champion is not None
    *_, measured_share = as_shipped._measured(looked_at(case), champion)
    found, turned = measured_share.difference, measured_share.worse
    assert (turned.value, turned.low, turned.high) == (-found.value, -found.high, -found.low)
    assert found.value != 0


@pytest.mark.parametrize("most", [0, 20])
def test_the_use_is_counted_with_and_without_a_limit(most: int) -> None:
    case = judged(grouped=False)
    unlimited = replace(case, trial=case.trial.but(uses=most))
    rule = unlimited.rule("ledger")
    assert rule.limit == (most or None)
    assert rule.sentence.startswith(f"This is use 3 {f'of {most} ' if most else ''}of this holdout")
