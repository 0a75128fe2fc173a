"""Candidates that answer with a number and show their fault only beside a champion or an anchor."""

from collections.abc import Iterator

import numpy as np

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase, MadeModel, scores_of
from flows.drills.gate.fault import REJECT, Fault, Look
from flows.drills.gate.mutants import lowered
from flows.drills.gate.number.candidates import LOW, drawn, middle_of, quantity_of, skill_on_holdout
from flows.drills.gate.paired_candidates import (
    OLD,
    SURELY,
    beside_any,
    members,
    smallest_group,
)
from flows.engine.phases import Decision

_GROUPS_APART = {"segment_margin": 0.9, "anchor_segment_margin": 0.9}
_LOST = 0.05  # of skill, that a group may lose where groups are what is drilled
_FAR = 3.0  # times as much as that is what it loses


def opponents() -> Iterator[Fault]:
    """All faults beside an opponent, and one case without a fault."""
    yield Fault("no better than its champion", "better", ("HOLD",), held, _is_equal)
    yield Fault(
        "worse than the champion, as good as the anchor",
        "not_worse",
        REJECT,
        _worse,
        _less_skill("champion"),
    )
    yield Fault(
        "no better than its champion, worse than the anchor",
        "anchor_skill",
        REJECT,
        _slowly,
        _less_skill("anchor"),
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
    yield from beside_any("labelled")
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
    """The real model beside one that says little. Groups are set aside."""
    champion = drawn(ground)
    return MadeCase(champion=champion, anchor=champion, limits=_GROUPS_APART)


def _worse(ground: Ground) -> MadeCase:
    made = drawn(ground)
    limits = {**_GROUPS_APART, "margin": 0.02}
    return MadeCase(made, real(ground), made, standing=OLD, limits=limits, own=LOW)


def _slowly(ground: Ground) -> MadeCase:
    """A little worse night after night: the policy lets fresh data replace each champion."""
    made = drawn(ground)
    limits = {**_GROUPS_APART, "margin": 0.02}
    return MadeCase(made, made, real(ground), standing=OLD, limits=limits, own=LOW)


def _one_group(ground: Ground) -> MadeCase:
    """One small group is answered far lower than under the champion, which says little."""
    champion = drawn(ground)
    limits = {"margin": 0.9, "segment_margin": _LOST, "anchor_segment_margin": 0.9}
    candidate = _group_lowered(ground, champion)
    return MadeCase(candidate, champion, champion, limits=limits, own=LOW)


def _walked(ground: Ground) -> MadeCase:
    """The champion has lost the group already; the candidate is the same."""
    lost = _group_lowered(ground, real(ground))
    limits = {"margin": 0.9, "segment_margin": 0.9, "anchor_segment_margin": _LOST}
    return MadeCase(lost, lost, real(ground), standing=OLD, limits=limits, own=LOW)


def _group_lowered(ground: Ground, other: MadeModel) -> MadeModel:
    """The real model with the answers to its smallest group lowered by so much that the group loses
    what nobody may, beside another model.
    """
    feature, level = smallest_group(ground)
    quantity = quantity_of(ground)
    member = ground.matrices.validation[:, feature] == level
    labels, answers = ground.labels.validation[member], ground.scores[member]
    error = float(np.abs(ground.labels.validation - middle_of(ground)).mean())
    off = np.abs(ground.score(other.model)[member] - labels).mean()
    steps = np.arange(0.01, 1.0, 0.01)
    for by in steps:
        moved = np.maximum(answers - by * quantity.spread, quantity.low)
        if np.abs(moved - labels).mean() - off >= _FAR * _LOST * error:
            break
    return MadeModel(lowered(ground.model, feature, (level, level), float(by)))


def _less_skill(opponent: str) -> Look:
    def look(ground: Ground, decision: Decision) -> bool:
        theirs = skill_on_holdout(ground, decision, opponent)
        return skill_on_holdout(ground, decision) < theirs

    return look


def _one_group_lost(opponent: str) -> Look:
    """Whether one group at least is answered worse by more than may be."""

    def look(ground: Ground, decision: Decision) -> bool:
        table = scores_of(decision)
        mine = np.abs(table["candidate"] - table["label"])
        theirs = np.abs(table[opponent] - table["label"])
        error = np.abs(table["label"] - middle_of(ground)).mean()
        return any(
            (mine[group].mean() - theirs[group].mean()) / error > _LOST for group in members(table)
        )

    return look


def _is_equal(_: Ground, decision: Decision) -> bool:
    table = scores_of(decision)
    return bool((table["candidate"] == table["champion"]).all())


def _clearly_better(_: Ground, decision: Decision) -> bool:
    """Whether what it gains is far beyond chance, so that every gate has to see it."""
    table = scores_of(decision)
    mine, theirs = (np.abs(table[name] - table["label"]) for name in ("candidate", "champion"))
    gains = theirs - mine
    return bool(gains.mean() > SURELY * gains.std() / np.sqrt(len(gains)))
