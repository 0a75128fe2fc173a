"""What a policy says of a number as target: the table [number].

    [number]
    skill_floor = 0.2      # how much nearer answers are than the training median is, as a share
    mae_ceiling = 12.5     # the mean absolute error, in the unit of the target
    bias_ceiling = 0.1     # how far answers lie above or below on the average, as a share
    band = 10.0            # in the unit: the share of answers that are no further off is told

A skill is 1 less the mean absolute error over that of a model that always answers the median of
the training rows; every margin of [gate] is a difference of such skills, and a bias is measured in
the same unit. At least one of floor and ceiling is stated.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.errors import UsageError

TABLE = "number"
BINS = "bins"  # what a model artifact carries besides
# Limits of the gate that are about a positive class.
OF_A_CLASS = (
    "recall_floor",
    "precision_floor",
    "flagged_ceiling",
    "lift_floor",
    "brier_margin",
    "brier_skill_floor",
    "calibration_ceiling",
    "calibration_share_ceiling",
    "cost_of_a_miss",
    "cost_of_a_false_alarm",
    "shipped_margin",
    "shipped_flagged_margin",
    "group_floors",
)
_NOT_LOOKED_AT = {"flagged_ceiling": 0.999, "brier_margin": 0.9}  # by any rule on a number
_KEYS = ("skill_floor", "mae_ceiling", "bias_ceiling", "band")


@dataclass(frozen=True)
class NumberPolicy:
    """The limits of a number; 0 states no floor, and no ceiling of the error.

    `mae_ceiling` and `band` are in the unit of the target, `skill_floor` and `bias_ceiling` shares
    of the mean absolute error of the training median.
    """

    band: float
    bias_ceiling: float
    skill_floor: float = 0.0
    mae_ceiling: float = 0.0


def read_number(source: str, raw: Mapping[str, Any]) -> NumberPolicy | None:
    """The table [number] of a policy; None where it has none. Raises UsageError where it is
    wrong.
    """
    if TABLE not in raw:
        return None
    spec = raw[TABLE]
    if not isinstance(spec, dict):
        raise UsageError(f"{source}: {TABLE} is {spec!r}", f"Write it as a table, [{TABLE}].")
    for key in spec:
        if key not in (*_KEYS, BINS):
            what = f"{source}: [{TABLE}] {key!r} is not a known key"
            raise UsageError(what, f"Known: {', '.join(_KEYS)}.")
    found = {key: _number(source, key, spec[key]) for key in _KEYS if key in spec}
    for key in ("band", "bias_ceiling"):
        if key not in found:
            what = f"{source}: [{TABLE}] {key} is None; a value of type float is required"
            raise UsageError(what, "Write what the work can bear.")
    if "skill_floor" not in found and "mae_ceiling" not in found:
        what = f"{source}: [{TABLE}] skill_floor is None; a value of type float is required"
        raise UsageError(what, "Write skill_floor or mae_ceiling.")
    return NumberPolicy(**found)


def _number(source: str, key: str, value: object) -> float:
    """A limit, checked to lie where it can mean something."""
    share = key in ("skill_floor", "bias_ceiling")
    most = 1.0 if share else math.inf
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    if not sound or not 0 < value < most:  # type: ignore[operator]  # it is a number here
        fix = "It is a share between 0 and 1." if share else "It is a number above 0, in the unit."
        raise UsageError(f"{source}: [{TABLE}] {key} is {value!r}", fix)
    return float(value)  # type: ignore[arg-type]


def gate_of_number(source: str, gate: dict[str, Any]) -> dict[str, Any]:
    """The table [gate] of such a policy, with what nobody writes there.

    Raises UsageError for a limit of rows that are flagged.
    """
    for key in OF_A_CLASS:
        if key in gate:
            what = f"{source}: [gate] {key} is given beside [{TABLE}]"
            raise UsageError(what, "It is about a positive class, and here is none: leave it out.")
    return {**gate, **_NOT_LOOKED_AT}


def require_number(quantity: object, policy: NumberPolicy | None, source: str) -> None:
    """Raise UsageError where a policy is for another kind of target than the contract's;
    `quantity` is that of its target.
    """
    if quantity is not None and policy is None:
        what = f"{source} has no table [{TABLE}], and the target is a number"
        raise UsageError(what, f"Write [{TABLE}] with a floor or a ceiling: it is another gate.")
    if quantity is None and policy is not None:
        what = f"{source} has a table [{TABLE}], and the target is no number"
        raise UsageError(what, "Leave it out, or predict a number.")
