"""Limits that the real model clears: behind one that is missed already, no other fault shows."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from flows.drills.gate.baseline import Ground, real
from flows.engine.request import Request
from sluice.class_policy import ClassFloor, ClassPolicy
from sluice.gate.travelling import brier_skill
from sluice.model.classes.recall import mean_recall
from sluice.model.data.split import GROUP
from sluice.model.number.metrics import mean_limits, skill_limits
from sluice.model.number.resampled import limits_of
from sluice.model.quality.clusters import numbered, of_share
from sluice.model.quality.metrics import confusion
from sluice.model.quality.statistics import wilson_low
from sluice.number_policy import NumberPolicy
from sluice.policy import FIGURES, GatePolicy, Policy
from sluice.served.classes import chosen

Say = Callable[[str], None]
# How far a floor lies below what the model reaches, so that a fault of the rows does not cross it.
_ROOM = 0.005
_BEYOND = 0.999  # a floor that no model clears
_WIDER = 1.02  # times what the error is at most, for its ceiling


def prepare(request: Request, scratch: Path, say: Say = lambda _: None) -> Ground:
    """The real data and the real model, with limits that it clears as a first release must.

    Raises what a step raises.
    """
    ground = real(request, scratch, say)
    # A HOLD may then replace a champion, which is drilled too.
    policy = replace(ground.request.policy, gate=replace(ground.request.policy.gate, told=FIGURES))
    within, lowered = _within(ground, policy)
    if lowered:
        say(f"the model does not clear {' and '.join(lowered)} well enough: lowered for the drill")
    cleared = replace(ground.request, policy=within)
    return replace(ground, candidate=replace(ground.candidate, request=cleared))


def _within(ground: Ground, policy: Policy) -> tuple[Policy, list[str]]:
    """The policy with limits that the model clears, and the names of those that it did not."""
    if policy.number:
        number, lowered = _of_number(ground, policy.number, policy.gate.level)
        return replace(policy, number=number), lowered
    if policy.classes:
        return _of_classes(ground, policy, policy.classes)
    gate, lowered = _of_one_class(ground, _in_floors(policy.gate))
    return replace(policy, gate=gate), lowered


def _of_one_class(ground: Ground, gate: GatePolicy) -> tuple[GatePolicy, list[str]]:
    floors = {
        name: min(getattr(gate, name), max(reached - _ROOM, _ROOM))
        for name, reached in _reached(ground).items()
    }
    lowered = [name for name, floor in floors.items() if floor < getattr(gate, name)]
    within = replace(
        gate,
        recall_floor=floors["recall_floor"],
        precision_floor=floors["precision_floor"],
        lift_floor=floors["lift_floor"],
        brier_skill_floor=floors["brier_skill_floor"],
    )
    return within, lowered


def _in_floors(gate: GatePolicy) -> GatePolicy:
    """The gate with floors alone, out of any model's reach where it states costs in their place:
    they are lowered to what the model clears. Drills of the costs state theirs themselves.
    """
    if not gate.costed:
        return gate
    return replace(
        gate,
        cost_of_a_miss=0.0,
        cost_of_a_false_alarm=0.0,
        recall_floor=gate.recall_floor or _BEYOND,
        precision_floor=gate.precision_floor or _BEYOND,
    )


def _reached(ground: Ground) -> dict[str, float]:
    """What the real model is sure to reach on the holdout, for each floor of the policy."""
    labels, level = ground.labels.holdout, ground.request.policy.gate.level
    counts = confusion(labels, ground.holdout_scores >= ground.threshold)
    clusters = numbered(ground.rows.holdout.get(GROUP))
    flagged, positive = ground.holdout_scores >= ground.threshold, labels == 1
    designs = of_share(positive, flagged, clusters), of_share(flagged, positive, clusters)
    precision = wilson_low(counts.true_positive, counts.flagged, level, designs[0])
    return {
        "recall_floor": wilson_low(counts.true_positive, counts.positives, level, designs[1]),
        "precision_floor": precision,
        # A tenth of room, because the prevalence has a chance of its own.
        "lift_floor": 0.9 * precision / float(labels.mean()),
        "brier_skill_floor": brier_skill(labels, ground.holdout_scores, level, clusters).low,
    }


def _of_classes(ground: Ground, policy: Policy, classes: ClassPolicy) -> tuple[Policy, list[str]]:
    labels, gate = ground.labels.holdout, policy.gate
    clusters = numbered(ground.rows.holdout.get(GROUP))
    answered = chosen(ground.holdout_scores, ground.weights)
    mean = mean_recall(labels, answered, gate.level, clusters)
    floor = min(gate.recall_floor, max(mean.low - _ROOM, _ROOM))
    lowered = ["recall_floor"] if floor < gate.recall_floor else []
    floors = []
    for one in classes.floors:
        own = labels == ground.request.contract.target.classes.index(one.name)
        right = answered == labels
        design = of_share(right, own, clusters)
        low = wilson_low(int((own & right).sum()), int(own.sum()), gate.level, design)
        reached = min(one.recall, max(low - _ROOM, _ROOM))
        floors.append(ClassFloor(one.name, reached))
        if reached < one.recall:
            lowered.append(f"the floor of {one.name!r}")
    within = replace(
        policy,
        gate=replace(gate, recall_floor=floor),
        classes=replace(classes, floors=tuple(floors)),
    )
    return within, lowered


def _of_number(
    ground: Ground, number: NumberPolicy, level: float
) -> tuple[NumberPolicy, list[str]]:
    labels, answers = ground.labels.holdout, ground.holdout_scores
    clusters = numbered(ground.rows.holdout.get(GROUP))
    middle = float(np.median(ground.labels.train))
    skill = skill_limits(labels, answers, middle, level, clusters)
    floor = min(number.skill_floor, max(skill.low - _ROOM, _ROOM)) if number.skill_floor else 0.0
    mae = mean_limits(np.abs(answers - labels), level, clusters)
    ceiling = max(number.mae_ceiling, _WIDER * mae.high) if number.mae_ceiling else 0.0
    off = limits_of(answers - labels, np.abs(labels - middle), level, clusters)
    furthest = max(abs(off.low), abs(off.high)) + _ROOM
    bias = max(number.bias_ceiling, furthest if math.isfinite(furthest) else number.bias_ceiling)
    within = replace(number, skill_floor=floor, mae_ceiling=ceiling, bias_ceiling=bias)
    names = ("skill_floor", "mae_ceiling", "bias_ceiling")
    return within, [name for name in names if getattr(within, name) != getattr(number, name)]
