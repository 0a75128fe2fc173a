"""The policy of a model: the decisions that go through review, read from `policy.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sluice.errors import UsageError

FAMILIES = ("logistic_regression", "gradient_boosting")


@dataclass(frozen=True)
class DataPolicy:
    """What the data must have before anything is trained."""

    minimum_rows: int


@dataclass(frozen=True)
class SplitPolicy:
    """The salt of the split, and the shares of train, validation and holdout (which sum to one)."""

    salt: str
    train: float
    validation: float
    holdout: float


@dataclass(frozen=True)
class SearchPolicy:
    """How many trials, over which families, cross-validated on how many folds, from which seed."""

    trials: int
    families: tuple[str, ...]
    folds: int
    seed: int


@dataclass(frozen=True)
class OperatingPoint:
    """How far above the precision floor the threshold is chosen on validation."""

    precision_slack: float


@dataclass(frozen=True)
class GatePolicy:
    """The limits of every rule of the gate; `sluice.gate.rules` says what each is for.

    All limits of intervals are one-sided at `level`; superiority is tested at `level / uses`, so
    that the tests of one holdout together err with at most `level`. Margins are differences in
    recall, precision and Brier score.
    """

    recall_floor: float
    precision_floor: float
    flagged_ceiling: float
    calibration_ceiling: float
    stability_ceiling: float
    one_column_ceiling: float
    duplicate_ceiling: float
    comparable_share: float
    least_positives: int
    level: float
    uses: int
    margin: float
    brier_margin: float
    segment_margin: float
    segment_positives: int
    segments_required: tuple[str, ...]
    refresh_days: int


@dataclass(frozen=True)
class Policy:
    """All of it."""

    data: DataPolicy
    split: SplitPolicy
    search: SearchPolicy
    operating_point: OperatingPoint
    gate: GatePolicy


T = TypeVar("T")
_COUNTS = (
    "minimum_rows",
    "trials",
    "folds",
    "uses",
    "least_positives",
    "segment_positives",
    "refresh_days",
)


def load_policy(text: str, source: str = "policy.toml") -> Policy:
    """Read a policy; raise UsageError naming file, table and key where it is wrong."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not TOML: {error}", "Correct the line it names.") from None
    tables = {
        "data": DataPolicy,
        "split": SplitPolicy,
        "search": SearchPolicy,
        "gate": GatePolicy,
        "operating_point": OperatingPoint,
    }
    if raw.get("schema") != 1:
        raise UsageError(
            f"{source}: schema is {raw.get('schema')!r}", "This version of Sluice reads schema = 1."
        )
    for key in raw:
        if key not in (*tables, "schema"):
            raise UsageError(
                f"{source}: {key!r} is not a known table", f"Known: {', '.join(tables)}."
            )
    for table in tables:
        if not isinstance(raw.get(table, {}), dict):
            raise UsageError(
                f"{source}: {table} is {raw[table]!r}", f"Write it as a table, [{table}]."
            )
    split = dict(raw.get("split", {}))
    if "holdout" in split:
        raise UsageError(
            f"{source}: [split] holdout is {split['holdout']!r}",
            "Leave it out: it is all the rest.",
        )
    if isinstance(split.get("train"), float) and isinstance(split.get("validation"), float):
        split["holdout"] = round(1.0 - split["train"] - split["validation"], 9)
    read: dict[str, Any] = {
        name: _read(source, name, kind, split if name == "split" else raw.get(name, {}))
        for name, kind in tables.items()
    }
    policy = Policy(**read)
    _check(source, policy)
    return policy


def changes(before: Policy, after: Policy) -> list[str]:
    """Every value that differs, as `gate.recall_floor 0.72 -> 0.7`."""
    found = []
    for table in fields(Policy):
        old, new = getattr(before, table.name), getattr(after, table.name)
        for key in fields(old):
            first, second = getattr(old, key.name), getattr(new, key.name)
            if first != second:
                found.append(f"{table.name}.{key.name} {first} -> {second}")
    return found


def _read(source: str, table: str, kind: type[T], spec: Mapping[str, Any]) -> T:
    expected = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    for key in spec:
        if key not in expected and not (table == "operating_point" and key == "threshold"):
            raise UsageError(
                f"{source}: [{table}] {key!r} is not a known key", f"Known: {', '.join(expected)}."
            )
    values = {}
    for key, annotation in expected.items():
        value = spec.get(key)
        value = tuple(value) if isinstance(value, list) else value
        name = getattr(annotation, "__name__", str(annotation))
        wanted = {"int": int, "float": (int, float), "str": str, "tuple": tuple}[name.split("[")[0]]
        if not isinstance(value, wanted) or isinstance(value, bool):  # type: ignore[arg-type]
            raise UsageError(
                f"{source}: [{table}] {key} is {value!r}", f"It takes a value of type {name}."
            )
        if name == "float" and key != "precision_slack" and not 0.0 < float(value) < 1.0:  # type: ignore[arg-type]
            raise UsageError(
                f"{source}: [{table}] {key} is {value!r}", "It is a share between 0 and 1."
            )
        if key in _COUNTS and isinstance(value, int) and value < 1:
            raise UsageError(
                f"{source}: [{table}] {key} is {value!r}", "It counts something: at least 1."
            )
        values[key] = value
    return kind(**values)


def _check(source: str, policy: Policy) -> None:
    search = policy.search
    if policy.data.minimum_rows < 1:
        raise UsageError(
            f"{source}: [data] minimum_rows is {policy.data.minimum_rows}",
            "At least one row is needed.",
        )
    unknown = [family for family in search.families if family not in FAMILIES]
    if unknown or not search.families:
        raise UsageError(
            f"{source}: [search] families has {unknown}", f"Known: {', '.join(FAMILIES)}."
        )
    if search.trials < len(search.families) or not 2 <= search.folds <= 20:
        raise UsageError(
            f"{source}: [search] has {search.trials} trials and {search.folds} folds",
            f"At least one trial for each of {len(search.families)} families, and 2 to 20 folds.",
        )
    wanted = policy.gate.precision_floor + policy.operating_point.precision_slack
    if not policy.operating_point.precision_slack >= 0.0 or wanted >= 1.0:
        raise UsageError(
            f"{source}: [operating_point] precision_slack makes {wanted:g}",
            "Floor and slack stay under 1.",
        )
