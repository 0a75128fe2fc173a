"""Candidates that show their fault only beside a champion or an anchor, in all rows or a group."""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import tomli_w

from flows.drills.gate.bad_rows import taken
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import LOW, cut, flagged
from flows.drills.gate.case import (
    Limits,
    MadeCase,
    MadeModel,
    case_facts,
    scores_of,
    threshold_of,
    without_some,
)
from flows.drills.gate.fault import KEPT, REJECT, STOPPED, Fault, Look, NotHere
from flows.drills.gate.mutants import bent, blurred, lowered, turned
from flows.drills.gate.parts import Columns
from flows.engine.phases import Decision
from sluice.gitops.state import Standing
from sluice.model.artifact.model_artifact import segment_groups
from sluice.model.quality.metrics import confusion
from sluice.model.quality.statistics import brier
from sluice.policy import GroupFloor

# Under this standing a HOLD would let the candidate in.
OLD = Standing(fresh=True, champion_days=10_000)
_CAUTIOUS = (0.6, 0.5, 0.4, 0.3, 0.2)  # of the rows that the real model flags
_FEWER = 0.05  # of the positives, that a cautious threshold does not find
SURELY = 4.0  # standard errors, beyond which chance is no explanation
_THIN = 12  # rows that are too few for a required group
# What people get is another fault: here a threshold may lie anywhere.
ANY_THRESHOLD = {"shipped_margin": 0.9, "shipped_flagged_margin": 0.9}
WIDE = {
    **LOW,
    **ANY_THRESHOLD,
    "calibration_ceiling": 0.9,
    "segment_margin": 0.9,
    "anchor_segment_margin": 0.9,
}


def opponents() -> Iterator[Fault]:
    """All faults beside an opponent, and one case without a fault.

    A gate that refuses everything would catch everything.
    """
    yield Fault(
        "the champion with its threshold lowered by 0.01",
        "better",
        ("HOLD",),
        _shifted,
        _is_shifted,
    )
    yield Fault(
        "worse than the champion, as good as the anchor",
        "not_worse",
        REJECT,
        _worse,
        _less_recall("champion"),
    )
    yield Fault(
        "no better than its champion, worse than the anchor",
        "anchor_recall",
        REJECT,
        _slowly,
        _less_recall("anchor"),
    )
    yield Fault(
        "no cheaper than its champion, dearer than the anchor",
        "anchor_net_benefit",
        REJECT,
        _slowly_dearer,
        _less_recall("anchor"),
    )
    yield Fault(
        "finds fewer of those that only an eager anchor finds",
        "anchor_recall",
        REJECT,
        _eager,
        _less_recall("anchor"),
    )
    yield Fault(
        "wrong about those whom a strict anchor is sure of",
        "anchor_precision",
        REJECT,
        _strict,
        _less_recall("anchor"),
    )
    yield Fault(
        "probabilities worse than those of the anchor",
        "anchor_brier",
        REJECT,
        _overconfident,
        _less_exact,
    )
    yield Fault(
        "better in all, one group 8 points worse", "segments", REJECT, _simpson, _one_group_lost
    )
    yield Fault(
        "ranks better, and its threshold finds far fewer",
        "as_shipped",
        REJECT,
        _cautious,
        _finds_fewer,
    )
    yield Fault(
        "one group far below the anchor, as good as the champion",
        "anchor_segments",
        REJECT,
        _walked,
        _one_group_below_the_anchor,
    )
    yield Fault(
        "one group below the floor that the policy gives it",
        "group_floors",
        REJECT,
        _below_a_group_floor,
        _is_no_fault,
    )
    yield Fault(
        "champion and anchor that flag everybody",
        "ranking_visible",
        KEPT,
        _blinded,
        _flags_everybody,
    )
    yield from beside_any()
    yield Fault(
        "no fault: a truly better model, which must go through",
        "better",
        ("PROMOTE",),
        better,
        _clearly_better,
    )


def beside_any(too_few: str = "split_changed") -> Iterator[Fault]:
    """What is at fault with the comparison itself: so for every kind of target. `too_few` is the
    rule that sees how many rows are left where a split changed.
    """
    yield Fault("a required group with too few rows", "segments_required", KEPT, _thinned, _is_thin)
    yield Fault("a champion whose contract refuses rows", "comparable", STOPPED, _narrow, _refuses)
    yield Fault(
        "an anchor that gives no number for some rows", "comparable", KEPT, _silent, _has_no_number
    )
    yield Fault("a champion, and no anchor", "anchored", KEPT, _unanchored, _has_no_anchor)
    yield Fault(
        "split changed: few rows that the champion has not seen",
        too_few,
        KEPT,
        _other_split,
        _left_out,
    )


def real(ground: Ground) -> MadeModel:
    """The real model."""
    return MadeModel(ground.model, ground.threshold)


def held(ground: Ground) -> MadeCase:
    """The real model beside itself: no better, no worse."""
    return MadeCase(champion=real(ground), anchor=real(ground))


def weak(ground: Ground, by: float = 0.6) -> MadeModel:
    """The real model with noise on its scores: worse by some points, in every group alike."""
    return cut(ground, blurred(ground.model, ground.whole, by), flagged(ground))


def better(ground: Ground) -> MadeCase:
    """A truly better model.

    Groups are set aside: a less certain model finds more in a group with few positives.
    """
    limits = {"segment_margin": 0.9, "anchor_segment_margin": 0.9}
    return MadeCase(champion=weak(ground), anchor=weak(ground), limits=limits)


def _cautious(ground: Ground) -> MadeCase:
    """The real model beside a weak one, with a threshold that flags little more than half as many,
    or as few as it takes to find far fewer.

    The precision floor stays: with another one, the operating point would be another.
    """
    labels = ground.labels.holdout
    champion = next((one for one in _weaker(ground) if _ranks_worse(ground, one)), None)
    if champion is None:
        raise NotHere("noise does not make the real model rank worse on these rows")
    theirs = ground.score_features(champion.model, ground.matrices.holdout) >= champion.threshold
    surely = SURELY * math.sqrt(0.5 / max(int(labels.sum()), 1))
    most = _recall(labels, theirs) - ground.request.policy.gate.shipped_margin - surely
    cuts = [cut(ground, ground.model, share * flagged(ground)) for share in _CAUTIOUS]
    candidate = next(
        (one for one in cuts if _recall(labels, ground.holdout_scores >= one.threshold) < most),
        None,
    )
    if candidate is None:
        raise NotHere("no threshold finds so few that chance is no explanation")
    limits = {
        "recall_floor": LOW["recall_floor"],
        "segment_margin": 0.9,
        "anchor_segment_margin": 0.9,
    }
    return MadeCase(candidate, champion, champion, limits=limits)


def _weaker(ground: Ground) -> Iterator[MadeModel]:
    for by in (0.6, 0.9, 1.2):
        yield weak(ground, by)


def _ranks_worse(ground: Ground, other: MadeModel) -> bool:
    """Whether it finds fewer than the real model on the holdout, with as many rows flagged."""
    labels = ground.labels.holdout
    theirs = ground.score_features(other.model, ground.matrices.holdout)
    count = int((theirs >= other.threshold).sum())
    return _hits(labels, theirs, count) < _hits(labels, ground.holdout_scores, count)


def _walked(ground: Ground) -> MadeCase:
    """The champion has lost the group already; the candidate is the same."""
    lost = _one_group_lowered(ground, real(ground))
    limits = {**WIDE, "margin": 0.3, "anchor_segment_margin": 0.05}
    return MadeCase(lost, lost, real(ground), standing=OLD, limits=limits)


def _below_a_group_floor(ground: Ground) -> MadeCase:
    """The policy names a group, and wants of it what the whole does not have."""
    segments = segment_groups(ground.request.contract, ground.rows.holdout)
    if not segments:
        raise NotHere("the contract has no segments")
    segment, groups = next(iter(segments.items()))
    names, counts = np.unique(groups, return_counts=True)
    floor = GroupFloor(f"{segment} = {names[counts.argmax()]}", 0.99)
    limits: Limits = {**WIDE, "group_floors": (floor,)}
    return MadeCase(champion=real(ground), anchor=real(ground), standing=OLD, limits=limits)


def _blinded(ground: Ground) -> MadeCase:
    """Whoever is compared with them loses nothing, however it ranks."""
    everybody = MadeModel(ground.model, 0.0)
    return MadeCase(
        weak(ground, 0.35),
        everybody,
        everybody,
        standing=OLD,
        limits={**WIDE, "brier_margin": 0.3},
    )


def _unanchored(ground: Ground) -> MadeCase:
    return MadeCase(champion=real(ground), standing=OLD)


def _shifted(ground: Ground) -> MadeCase:
    return MadeCase(MadeModel(ground.model, ground.threshold - 0.01), real(ground), real(ground))


def _worse(ground: Ground) -> MadeCase:
    made = weak(ground, 0.35)
    return MadeCase(made, real(ground), made, standing=OLD, limits=WIDE)


def _slowly(ground: Ground) -> MadeCase:
    """A little worse night after night: the policy lets fresh data replace each champion."""
    made = weak(ground, 0.35)
    return MadeCase(made, made, real(ground), standing=OLD, limits=WIDE)


def _slowly_dearer(ground: Ground) -> MadeCase:
    """The same where the policy says what errors cost, and asks nothing of the probabilities."""
    costs = {"cost_of_a_miss": 1.0, "cost_of_a_false_alarm": 1.0, "brier_margin": 0.9}
    made = _slowly(ground)
    return replace(made, limits={**made.limits, **costs})


def _eager(ground: Ground) -> MadeCase:
    """The anchor flags nine rows in ten; the candidate turns around the lowest fifth."""
    edge = float(np.quantile(ground.scores, 0.2))
    candidate = MadeModel(bent(ground.model, turned(0.0, edge)), ground.threshold)
    anchor = cut(ground, ground.model, 0.9)
    limits = {**ANY_THRESHOLD, "anchor_segment_margin": 0.9}
    return MadeCase(candidate, real(ground), anchor, standing=OLD, limits=limits)


def _strict(ground: Ground) -> MadeCase:
    """The anchor flags one row in fifty; the candidate turns around the highest quarter."""
    edge = float(np.quantile(ground.scores, max(0.75, 1 - flagged(ground))))
    candidate = MadeModel(bent(ground.model, turned(edge, 0.999)), ground.threshold)
    anchor = cut(ground, ground.model, 0.02)
    limits = {**ANY_THRESHOLD, "calibration_ceiling": 0.9, "anchor_segment_margin": 0.9}
    return MadeCase(candidate, real(ground), anchor, standing=OLD, limits=limits)


def _overconfident(ground: Ground) -> MadeCase:
    """The order and the rows flagged stay as they are."""
    curve = [(0.0, 0.0), (ground.threshold, 0.15), (1.0, 0.3)]
    return MadeCase(
        MadeModel(bent(ground.model, curve), 0.15),
        real(ground),
        real(ground),
        standing=OLD,
        limits=WIDE,
    )


def _simpson(ground: Ground) -> MadeCase:
    """One small group loses most of the recall that it has under the champion."""
    champion = weak(ground)
    limits = {**WIDE, "segment_margin": ground.request.policy.gate.segment_margin}
    return MadeCase(_one_group_lowered(ground, champion), champion, champion, limits=limits)


def _one_group_lowered(ground: Ground, champion: MadeModel) -> MadeModel:
    """The real model with the scores of its smallest group lowered."""
    feature, level = smallest_group(ground)
    by = _lowered_by(ground, champion, ground.matrices.validation[:, feature] == level)
    return MadeModel(lowered(ground.model, feature, (level, level), by), ground.threshold)


def _lowered_by(ground: Ground, champion: MadeModel, member: np.ndarray) -> float:
    """By how much the scores of a group are lowered until its recall is low enough.

    `member` says which validation rows are in the group; shape (rows,).
    """
    flagged_before = ground.score(champion.model) >= champion.threshold
    positive = member & (ground.labels.validation == 1)
    recall = float(flagged_before[positive].mean())
    wanted = max(0.2 * recall, recall - 0.25)
    steps = [float(by) for by in np.arange(0.01, 0.6, 0.01)]
    for by in steps:
        scores = np.clip(ground.scores - by * member, 0, 1)
        as_many = float(np.quantile(scores, 1 - flagged_before.mean()))
        threshold = min(ground.threshold, as_many)
        if (scores[positive] >= threshold).mean() <= wanted:
            return by
    return steps[-1]


def smallest_group(ground: Ground) -> tuple[int, int]:
    """Feature and level of the smallest group with a tenth of the rows.

    Looked at are the segments over an ordered feature, and where there are none those over a
    category. Raises NotHere where there is none either.
    """
    contract = ground.request.contract
    segments = {segment.column for segment in contract.segments}
    groups: list[tuple[float, int, int]] = []
    within: list[tuple[float, int, int]] = []  # a category has a feature of 0 and 1 for each value
    for column in contract.features:
        if column.key not in segments or column.numeric:
            continue
        for feature in ground.columns_of(column.key):
            if column.kind in ("ordinal", "boolean"):
                groups += _groups(ground, feature)
            else:
                within += [group for group in _groups(ground, feature) if group[2] == 1]
    groups = groups or within
    large = [group for group in groups if group[0] > 0.1]
    if not large:
        raise NotHere("no segment has a group of known values with a tenth of the rows")
    return min(large)[1:]


def _groups(ground: Ground, feature: int) -> list[tuple[float, int, int]]:
    """Share of the holdout, feature and level of each level of a feature."""
    levels, counts = np.unique(ground.matrices.holdout[:, feature], return_counts=True)
    shares = counts / counts.sum()
    return [
        (float(share), feature, int(level)) for share, level in zip(shares, levels, strict=True)
    ]


def _thinned(ground: Ground) -> MadeCase:
    """Of the smallest group of the first segment, a dozen rows are left in the holdout."""
    holdout = ground.rows.holdout
    segments = segment_groups(ground.request.contract, holdout)
    if not segments:
        raise NotHere("the contract has no segments")
    segment, groups = next(iter(segments.items()))
    names, counts = np.unique(groups, return_counts=True)
    keep = np.ones(len(groups), dtype=bool)
    keep[np.flatnonzero(groups == names[counts.argmin()])[_THIN:]] = False
    return MadeCase(
        champion=real(ground),
        anchor=real(ground),
        rows=replace(ground.rows, holdout=taken(holdout, keep)),
        standing=OLD,
        limits={**WIDE, "segment_margin": 0.01, "segments_required": (segment,)},
    )


def _narrow(ground: Ground) -> MadeCase:
    """The champion's contract knows fewer values of one column."""
    contract = ground.request.contract
    whole = [c for c in contract.features if c.kind == "integer" and c.missing == "refuse"]
    limits = {c.name: int(np.quantile(ground.rows.holdout[c.key], 0.8)) for c in whole}
    refused = {c.name: float((ground.rows.holdout[c.key] > limits[c.name]).mean()) for c in whole}
    allowed = 1 - ground.request.policy.gate.comparable_share
    names = [name for name, share in refused.items() if share > allowed]
    if not names:
        raise NotHere("no column of whole numbers can be narrowed so far")
    document = tomllib.loads(ground.request.contract_text)
    column = document["columns"][names[0]]
    column["maximum"] = limits[names[0]]
    if "example" in column:
        column["example"] = column["minimum"]
    old = replace(real(ground), contract=tomli_w.dumps(document))
    return MadeCase(champion=old, anchor=old, standing=OLD)


def _silent(ground: Ground) -> MadeCase:
    return MadeCase(
        champion=real(ground), anchor=real(ground), standing=OLD, written=without_some("anchor")
    )


def _other_split(ground: Ground) -> MadeCase:
    """The champion was split with another salt, and kept fewer rows aside than are needed now."""
    document = tomllib.loads(ground.request.policy_text)
    document["split"] |= {"salt": "before", "train": 0.7, "validation": 0.2}
    old = replace(real(ground), policy=tomli_w.dumps(document))
    limits = {**WIDE, "margin": 0.3, "least_positives": max(_least(ground) // 5, 1)}
    return MadeCase(champion=old, anchor=old, standing=OLD, limits=limits)


def _least(ground: Ground) -> int:
    """The positives of the holdout, or its rows of the rarest class, or all rows of a number."""
    target, labels = ground.request.contract.target, ground.labels.holdout
    if target.quantity:
        return len(labels)
    counts = np.bincount(labels, minlength=len(target.outcomes))
    return int(counts.min() if target.several else counts[1])


def _is_shifted(_: Ground, decision: Decision) -> bool:
    shift = threshold_of(decision, "champion") - threshold_of(decision, "candidate")
    return abs(shift - 0.01) < 1e-9


def _less_recall(opponent: str) -> Look:
    """Whether the candidate finds fewer positives than the opponent at as many flagged rows."""

    def look(_: Ground, decision: Decision) -> bool:
        table = scores_of(decision)
        labels, theirs = table["label"], table[opponent]
        count = int((theirs >= threshold_of(decision, opponent)).sum())
        return _hits(labels, table["candidate"], count) < _hits(labels, theirs, count)

    return look


def _hits(labels: np.ndarray, scores: np.ndarray, count: int) -> int:
    """How many positives are among the `count` rows with the highest scores."""
    return int(labels[np.argsort(-scores, kind="stable")[:count]].sum())


def _finds_fewer(ground: Ground, decision: Decision) -> bool:
    """Fewer at its own threshold, and no fewer with as many rows flagged."""
    table = scores_of(decision)
    labels = table["label"]
    ours = table["candidate"] >= threshold_of(decision, "candidate")
    theirs = table["champion"] >= threshold_of(decision, "champion")
    fewer = _recall(labels, theirs) - _recall(labels, ours) > _FEWER
    return fewer and not _less_recall("champion")(ground, decision)


def _one_group_below_the_anchor(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    labels = table["label"]
    ours = table["candidate"] >= threshold_of(decision, "candidate")
    theirs = table["anchor"] >= threshold_of(decision, "anchor")
    return any(
        _recall(labels[group], theirs[group]) - _recall(labels[group], ours[group]) >= 0.1
        for group in members(table)
    )


def _flags_everybody(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    return bool((table["champion"] >= threshold_of(decision, "champion")).all())


def _less_exact(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    return brier(table["label"], table["candidate"]) > brier(table["label"], table["anchor"])


def _one_group_lost(ground: Ground, decision: Decision) -> bool:
    """Better over all rows at as many flagged ones, and eight points worse in one group.

    The groups are compared at the shipped thresholds.
    """
    if _less_recall("champion")(ground, decision):
        return False
    table = scores_of(decision)
    labels = table["label"]
    ours = table["candidate"] >= threshold_of(decision, "candidate")
    theirs = table["champion"] >= threshold_of(decision, "champion")
    return any(
        _recall(labels[group], theirs[group]) - _recall(labels[group], ours[group]) >= 0.08
        for group in members(table)
    )


def members(table: Columns) -> Iterator[np.ndarray]:
    """Which rows are in each group of each segment; shape (rows,)."""
    for name, values in table.items():
        if name.startswith("segment "):
            for value in np.unique(values):
                yield values == value


def _recall(labels: np.ndarray, flagged: np.ndarray) -> float:
    counts = confusion(labels, flagged)
    return counts.true_positive / max(1, counts.positives)


def _is_thin(_: Ground, decision: Decision) -> bool:
    [segment] = decision.request.policy.gate.segments_required
    groups = scores_of(decision)[f"segment {segment}"]
    return _THIN in np.unique(groups, return_counts=True)[1]


def _refuses(ground: Ground, decision: Decision) -> bool:
    required = ground.request.policy.gate.comparable_share
    return bool(case_facts(decision).accepted < required)


def _has_no_number(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    return any(
        np.isnan(values).any() for name, values in table.items() if name.startswith("anchor")
    )


def _is_no_fault(_: Ground, decision: Decision) -> bool:
    return decision.case.champion is not None


def _clearly_better(_: Ground, decision: Decision) -> bool:
    """Whether what it gains is far beyond chance, so that every gate has to see it."""
    table = scores_of(decision)
    count = int((table["champion"] >= threshold_of(decision, "champion")).sum())
    mine, theirs = (_first(table[name], count) for name in ("candidate", "champion"))
    positive = table["label"] == 1
    gained, lost = int((positive & mine & ~theirs).sum()), int((positive & theirs & ~mine).sum())
    return gained - lost > SURELY * math.sqrt(gained + lost)


def _first(scores: np.ndarray, count: int) -> np.ndarray:
    """The rows with the highest scores, as many as that; boolean, shape (rows,)."""
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen


def _has_no_anchor(_: Ground, decision: Decision) -> bool:
    return decision.case.anchor is None


def _left_out(_: Ground, decision: Decision) -> bool:
    return bool(case_facts(decision).left_out > 0)
