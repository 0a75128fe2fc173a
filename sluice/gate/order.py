"""The order in which rules are told: how good a model is, before whether its numbers are sound."""

from sluice.gate.decide import MAY_BE_WAIVED, NEVER_WAIVED

# What a reader asks first; every other rule comes after these, in the order of the gate.
_FIRST = (
    "skill_floor",
    "mae_ceiling",
    "recall_floor",
    "class_floors",
    "precision_floor",
    "flagged_ceiling",
    "better",
    "not_worse",
    "as_shipped",
    "group_floors",
    "segments",
    "anchor_skill",
    "anchor_recall",
    "anchor_precision",
    "anchor_brier",
    "anchor_segments",
    "calibration",
    "bias",
)
_ORDER = tuple(dict.fromkeys((*_FIRST, *MAY_BE_WAIVED, *NEVER_WAIVED)))
_PLACES = {name: place for place, name in enumerate(_ORDER)}


def place(rule: str) -> int:
    """Where a rule stands, from 0 on; one that is not known stands last."""
    return _PLACES.get(rule, len(_PLACES))
