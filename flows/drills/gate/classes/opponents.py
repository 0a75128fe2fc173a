"""Candidates of several classes that show their fault only beside a champion or an anchor."""

from collections.abc import Iterator

import numpy as np

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import Limits, MadeCase, MadeModel, scores_of
from flows.drills.gate.classes.candidates import (
    LOW,
    NO_FLOORS,
    drawn,
    mean_recall_of,
    probabilities,
    recall_on_holdout,
    weak,
)
from flows.drills.gate.fault import REJECT, Fault, Look, NotHere
from flows.drills.gate.paired_candidates import OLD, SURELY, beside_any, members
from flows.engine.phases import Decision
from sluice.model.artifact.model_artifact import segment_groups
from sluice.model.classes.metrics import brier_rows
from sluice.policy import GroupFloor
from sluice.served.classes import chosen

_WIDE = {**LOW, "segment_margin": 0.9, "anchor_segment_margin": 0.9, "brier_margin": 0.9}
_NARROW = 0.01  # a margin that a weak model does not keep
_LOST = 0.05  # of recall, that a group may lose where groups are what is drilled


def opponents() -> Iterator[Fault]:
    """All faults beside an opponent, and one case without a fault."""
    yield Fault("no better than its champion", "better", ("HOLD",), held, _is_equal)
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
        "probabilities worse than those of the anchor",
        "anchor_brier",
        REJECT,
        _drawn,
        _less_exact,
    )
    yield Fault(
        "better in all, one group far worse",
        "segments",
        REJECT,
        _one_group,
        _one_group_lost("champion"),
    )
    yield Fault(
        "one group far below the anchor, as good as the champion",
        "anchor_segments",
        REJECT,
        _walked,
        _one_group_lost("anchor"),
    )
    yield Fault(
        "one group below the floor that the policy gives it",
        "group_floors",
        REJECT,
        _below_a_group_floor,
        _has_champion,
    )
    yield from beside_any()
    yield Fault(
        "no fault: a truly better model, which must go through",
        "better",
        ("PROMOTE",),
        better,
        _clearly_better,
    )


def real(ground: Ground) -> MadeModel:
    """The real model."""
    return MadeModel(ground.model)


def held(ground: Ground) -> MadeCase:
    """The real model beside itself."""
    return MadeCase(champion=real(ground), anchor=real(ground))


def better(ground: Ground) -> MadeCase:
    """The real model beside one that has learnt little. Groups are set aside."""
    champion = weak(ground)
    limits = {"segment_margin": 0.9, "anchor_segment_margin": 0.9}
    return MadeCase(champion=champion, anchor=champion, limits=limits)


def _worse(ground: Ground) -> MadeCase:
    made, limits = weak(ground), {**_WIDE, "margin": _NARROW}
    return MadeCase(made, real(ground), made, standing=OLD, limits=limits, own=NO_FLOORS)


def _slowly(ground: Ground) -> MadeCase:
    """A little worse night after night: the policy lets fresh data replace each champion."""
    made, limits = weak(ground), {**_WIDE, "margin": _NARROW}
    return MadeCase(made, made, real(ground), standing=OLD, limits=limits, own=NO_FLOORS)


def _drawn(ground: Ground) -> MadeCase:
    """Every row is answered as before, and the probabilities say less."""
    made = drawn(ground, 0.7)
    limits = {**_WIDE, "margin": 0.9, "brier_margin": _NARROW}
    return MadeCase(made, made, real(ground), standing=OLD, limits=limits, own=NO_FLOORS)


def _one_group(ground: Ground) -> MadeCase:
    """One small group is taught the classes of others; the champion has learnt little of all."""
    champion = weak(ground)
    limits = {**_WIDE, "margin": 0.9, "segment_margin": _LOST}
    return MadeCase(_without_group(ground), champion, champion, limits=limits, own=NO_FLOORS)


def _walked(ground: Ground) -> MadeCase:
    """The champion has lost the group already; the candidate is the same."""
    lost = _without_group(ground)
    limits = {**_WIDE, "margin": 0.9, "anchor_segment_margin": _LOST}
    return MadeCase(lost, lost, real(ground), standing=OLD, limits=limits, own=NO_FLOORS)


def _without_group(ground: Ground) -> MadeModel:
    """A model that answers the smallest group of the first segment with the class after its own."""
    contract = ground.request.contract
    segments = segment_groups(contract, ground.rows.train)
    if not segments:
        raise NotHere("the contract has no segments")
    groups = next(iter(segments.values()))
    names, counts = np.unique(groups, return_counts=True)
    large = counts >= 0.1 * len(groups)
    if not large.any():
        raise NotHere("no group has a tenth of the rows")
    member = groups == names[np.where(large, counts, counts.max() + 1).argmin()]
    labels = ground.labels.train.copy()
    labels[member] = (labels[member] + 1) % len(contract.target.classes)
    return MadeModel(ground.fitted(ground.matrices.train, labels))


def _below_a_group_floor(ground: Ground) -> MadeCase:
    """The policy names a group, and wants of it what the whole does not have."""
    segments = segment_groups(ground.request.contract, ground.rows.holdout)
    if not segments:
        raise NotHere("the contract has no segments")
    segment, groups = next(iter(segments.items()))
    names, counts = np.unique(groups, return_counts=True)
    floor = GroupFloor(f"{segment} = {names[counts.argmax()]}", 0.999)
    limits: Limits = {**_WIDE, "group_floors": (floor,)}
    return MadeCase(champion=real(ground), anchor=real(ground), standing=OLD, limits=limits)


def _less_recall(opponent: str) -> Look:
    def look(ground: Ground, decision: Decision) -> bool:
        theirs = recall_on_holdout(ground, decision, opponent)
        return recall_on_holdout(ground, decision) < theirs

    return look


def _less_exact(_: Ground, decision: Decision) -> bool:
    labels = scores_of(decision)["label"]
    mine = brier_rows(labels, probabilities(decision)).mean()
    return bool(mine > brier_rows(labels, probabilities(decision, "anchor")).mean())


def _one_group_lost(opponent: str) -> Look:
    """Whether one group at least loses more recall than may be."""

    def look(ground: Ground, decision: Decision) -> bool:
        table = scores_of(decision)
        labels, mine = table["label"], probabilities(decision)
        theirs = probabilities(decision, opponent)
        return any(
            mean_recall_of(ground, labels[group], theirs[group])
            - mean_recall_of(ground, labels[group], mine[group])
            > _LOST
            for group in members(table)
        )

    return look


def _is_equal(_: Ground, decision: Decision) -> bool:
    return bool((probabilities(decision) == probabilities(decision, "champion")).all())


def _clearly_better(ground: Ground, decision: Decision) -> bool:
    """Whether what it gains is far beyond chance, so that every gate has to see it."""
    labels = scores_of(decision)["label"]
    mine, theirs = (
        chosen(probabilities(decision, name), ground.weights) == labels
        for name in ("candidate", "champion")
    )
    gained, lost = int((mine & ~theirs).sum()), int((theirs & ~mine).sum())
    return bool(gained - lost > SURELY * np.sqrt(gained + lost))


def _has_champion(_: Ground, decision: Decision) -> bool:
    return decision.case.champion is not None
