"""What a policy says of a target with several classes: the table [classes].

    [classes]
    [classes.floors]       # the recall that a class must have; each that is named
    "class" = 0.5
    [classes.weights]      # by what the probability of a class is taken before the largest is
    "class" = 2.0          # answered; 1 for those that are not named

The floor of the mean recall over the classes is `recall_floor` of [gate], and every margin there is
one of that mean. The names of classes are the contract's: `require_kind` holds them against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.errors import UsageError

TABLE = "classes"
# Limits of the gate that are about rows flagged as the one positive class.
OF_ONE_CLASS = (
    "precision_floor",
    "flagged_ceiling",
    "lift_floor",
    "brier_skill_floor",
    "calibration_share_ceiling",
    "cost_of_a_miss",
    "cost_of_a_false_alarm",
    "shipped_margin",
    "shipped_flagged_margin",
)
_NO_CEILING = 0.999  # nothing is flagged, and no rule looks at it


@dataclass(frozen=True)
class ClassFloor:
    """The recall that a class must have."""

    name: str
    recall: float

    def __repr__(self) -> str:
        return f"{self.name}: {self.recall:g}"


@dataclass(frozen=True)
class ClassWeight:
    """By what the probability of a class is taken before the largest is answered."""

    name: str
    weight: float

    def __repr__(self) -> str:
        return f"{self.name}: {self.weight:g}"


@dataclass(frozen=True)
class ClassPolicy:
    """Floors and weights of classes, in the order in which they are written."""

    floors: tuple[ClassFloor, ...] = ()
    weights: tuple[ClassWeight, ...] = ()


def read_classes(source: str, raw: Mapping[str, Any]) -> ClassPolicy | None:
    """The table [classes] of a policy; None where it has none. Raises UsageError where it is
    wrong.
    """
    if TABLE not in raw:
        return None
    spec = raw[TABLE]
    if not isinstance(spec, dict):
        raise UsageError(f"{source}: {TABLE} is {spec!r}", f"Write it as a table, [{TABLE}].")
    for key in spec:
        if key not in ("floors", "weights"):
            what = f"{source}: [{TABLE}] {key!r} is not a known key"
            raise UsageError(what, "Known: floors, weights.")
    floors = _table(source, spec, "floors")
    weights = _table(source, spec, "weights")
    for name, value in floors.items():
        if not _is_number(value) or not 0 < value < 1:
            what = f"{source}: [{TABLE}.floors] {name!r} is {value!r}"
            raise UsageError(what, "It is a share between 0 and 1.")
    for name, value in weights.items():
        if not _is_number(value) or not 1e-6 <= value <= 1e6:
            what = f"{source}: [{TABLE}.weights] {name!r} is {value!r}"
            raise UsageError(what, "It is a number above 0; 1 leaves the probability as it is.")
    return ClassPolicy(
        tuple(ClassFloor(name, float(value)) for name, value in floors.items()),
        tuple(ClassWeight(name, float(value)) for name, value in weights.items()),
    )


def gate_of_classes(source: str, gate: dict[str, Any]) -> dict[str, Any]:
    """The table [gate] of such a policy, with what nobody writes there.

    Raises UsageError for a limit of rows that are flagged.
    """
    for key in OF_ONE_CLASS:
        if key in gate:
            what = f"{source}: [gate] {key} is given beside [{TABLE}]"
            raise UsageError(what, "It is about one class against all others: leave it out.")
    if "recall_floor" not in gate:
        what = f"{source}: [gate] recall_floor is missing; a number is required"
        raise UsageError(what, "Write the mean recall over the classes that the work needs.")
    if "calibration_ceiling" not in gate:
        what = f"{source}: [gate] calibration_ceiling is missing; a number is required"
        raise UsageError(what, "Write how far the probability of a class may be off.")
    return {**gate, "flagged_ceiling": _NO_CEILING}


def require_kind(classes: Sequence[str], policy: ClassPolicy | None, source: str) -> None:
    """Raise UsageError where a policy is for another kind of target than the contract's, or floors
    or weights are of what is no class of it. `classes` are empty where there is one positive class.
    """
    if policy is None:
        if classes:
            what = f"{source} has no table [{TABLE}], and the target has {len(classes)} classes"
            fix = (
                f"Write [{TABLE}] with the floors of classes, or an empty one: it is another gate."
            )
            raise UsageError(what, fix)
        return
    if not classes:
        what = f"{source} has a table [{TABLE}], and the target has one positive class"
        raise UsageError(what, "Leave it out, or give the target more than two values.")
    named = [("floors", floor.name) for floor in policy.floors]
    named += [("weights", weight.name) for weight in policy.weights]
    for key, name in named:
        if name not in classes:
            what = f"{source}: [{TABLE}.{key}] names {name!r}"
            raise UsageError(what, f"The classes are {', '.join(classes)}.")


def _table(source: str, spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = spec.get(key, {})
    if not isinstance(table, dict):
        what = f"{source}: [{TABLE}.{key}] is {table!r}"
        raise UsageError(what, f"Write it as a table, [{TABLE}.{key}].")
    return table


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
