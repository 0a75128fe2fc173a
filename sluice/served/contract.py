"""The contract of a model: what a row is, read from `contract.toml`.

Served with the model, so it imports nothing heavier than the standard library.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from sluice.errors import UsageError
from sluice.served.expressions import Expression, parse

KINDS = ("integer", "number", "ordinal", "category", "boolean")
ROLES = ("feature", "protected", "id", "target", "ignored")
_SORTS = {"integer": "a whole number", "number": "a number"}
SEVERITIES = ("critical", "warning")
_LARGEST = 3e38  # what the matrix, of 32-bit floats, can hold
_TOP = ("schema", "title", "text", "rows", "target", "columns", "derived", "rules", "segments")


@dataclass(frozen=True)
class Column:
    """One column: `name` as published, `key` in snake case; `values` in order for ordinals."""

    name: str
    key: str
    kind: str
    role: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    missing: str = "refuse"
    fill: float | str | None = None
    example: float | str | None = None
    text: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the raw value is a number rather than one of `values`."""
        return self.kind in _SORTS

    @property
    def allowed(self) -> str:
        """What may stand in this column, in words."""
        if not self.numeric:
            return "one of " + ", ".join(self.values) if self.values else "any text"
        unit = f" {self.unit}" if self.unit else ""
        return f"{_SORTS[self.kind]} from {self.minimum:.12g} to {self.maximum:.12g}{unit}"


@dataclass(frozen=True)
class Derived:
    """A feature computed from feature columns by an expression of the closed language."""

    name: str
    expression: Expression
    unit: str = ""
    text: str = ""


@dataclass(frozen=True)
class Rule:
    """What must be true of every row, over feature columns; as a warning it is shown and does not
    stop.
    """

    name: str
    expression: Expression
    severity: str = "critical"
    text: str = ""


@dataclass(frozen=True)
class Segment:
    """A grouping of the rows: by the values of a column, or by bands of a numeric one (`edges`,
    ascending).
    """

    name: str
    column: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Target:
    """The column to predict, its two values, and the words shown for them."""

    column: str
    positive: str
    negative: str
    positive_label: str
    negative_label: str


@dataclass(frozen=True)
class Contract:
    """All columns in published order, with what follows from them; `rows` says what a row is, in
    the plural.
    """

    title: str
    text: str
    columns: tuple[Column, ...]
    derived: tuple[Derived, ...]
    segments: tuple[Segment, ...]
    target: Target
    rules: tuple[Rule, ...] = ()
    rows: str = "rows"

    def role(self, role: str) -> tuple[Column, ...]:
        """The columns of one role, in published order."""
        return tuple(column for column in self.columns if column.role == role)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that feed the model."""
        return self.role("feature")

    @property
    def id(self) -> Column:
        """The column that identifies a row."""
        return self.role("id")[0]

    def find(self, name: str) -> Column | None:
        """The column with this published name or key."""
        return next((column for column in self.columns if name in (column.name, column.key)), None)


def snake_case(name: str) -> str:
    """`Work-Life Balance` -> `work_life_balance`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def load_contract(text: str, source: str = "contract.toml") -> Contract:
    """Read a contract; raise UsageError naming file, column and key where it is wrong."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not TOML: {error}", "Correct the line it names.") from None
    _known(source, "the top level", raw, _TOP)
    if raw.get("schema") != 1:
        raise UsageError(
            f"{source}: schema is {raw.get('schema')!r}", "This version of Sluice reads schema = 1."
        )
    columns = tuple(
        _column(source, name, spec) for name, spec in _table(source, raw, "columns").items()
    )
    _unique(source, columns)
    contract = Contract(
        title=str(raw.get("title", "")),
        text=str(raw.get("text", "")),
        rows=str(raw.get("rows", "rows")),
        columns=columns,
        derived=tuple(
            _derived(source, columns, n, s)
            for n, s in _table(source, raw, "derived", False).items()
        ),
        segments=tuple(
            _segment(source, columns, n, s)
            for n, s in _table(source, raw, "segments", False).items()
        ),
        target=_target(source, columns, _table(source, raw, "target")),
        rules=tuple(
            _rule(source, columns, n, s) for n, s in _table(source, raw, "rules", False).items()
        ),
    )
    if not contract.features:
        raise UsageError(
            f"{source}: no column has role feature",
            'Set role = "feature" on what the model may use.',
        )
    return contract


def _fail(source: str, place: str, key: str, what: str, fix: str) -> UsageError:
    return UsageError(f"{source}: {place}, {key}: {what}", fix)


def _table(source: str, raw: Mapping[str, Any], key: str, needed: bool = True) -> Mapping[str, Any]:
    table = raw.get(key, {})
    if not isinstance(table, dict) or (needed and not table):
        raise _fail(
            source,
            "the top level",
            key,
            f"is {table!r}" if table else "is missing",
            f"Add a [{key}] table.",
        )
    return table


def _known(source: str, place: str, spec: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    if not isinstance(spec, dict):
        raise _fail(
            source, place, str(spec), "is not a table", f"Write a table with {', '.join(allowed)}."
        )
    for key in spec:
        if key not in allowed:
            raise _fail(
                source, place, key, "is not a known key", f"Known here: {', '.join(allowed)}."
            )


def _choice(
    source: str, place: str, spec: Mapping[str, Any], key: str, allowed: tuple[str, ...]
) -> str:
    if spec.get(key) not in allowed:
        raise _fail(
            source, place, key, f"is {spec.get(key)!r}", f"It takes one of {', '.join(allowed)}."
        )
    return cast(str, spec[key])


def _column(source: str, name: str, spec: Mapping[str, Any]) -> Column:
    place = f'column "{name}"'
    _known(
        source, place, spec, tuple(field.name for field in fields(Column) if field.name != "name")
    )
    kind = _choice(source, place, spec, "kind", KINDS)
    role = _choice(source, place, spec, "role", ROLES)
    missing = _choice(source, place, {"missing": "refuse", **spec}, "missing", ("refuse", "impute"))
    for key, sort in (("unit", str), ("text", str), ("values", list)):
        if not isinstance(spec.get(key, sort()), sort):
            raise _fail(
                source,
                place,
                key,
                f"is {spec[key]!r}",
                f"It takes a {'text' if sort is str else 'list'}.",
            )
    key = spec.get("key", snake_case(name))
    if not isinstance(key, str) or not key.isidentifier():
        raise _fail(source, place, "key", f"is {key!r}", "Use letters, digits and underscores.")
    values = tuple(spec.get("values", ()))
    column = Column(
        **{**spec, "name": name, "key": key, "kind": kind, "role": role, "values": values}
    )
    _check_domain(source, place, column)
    if missing == "impute" and (role != "feature" or not _fits(column, column.fill)):
        raise _fail(
            source,
            place,
            "fill",
            f"is {column.fill!r}",
            f"An imputed feature needs {column.allowed}.",
        )
    if missing == "refuse" and column.fill is not None:
        raise _fail(
            source, place, "fill", f"is {column.fill!r}", 'It is used only with missing = "impute".'
        )
    if column.example is not None and not _fits(column, column.example):
        raise _fail(
            source, place, "example", f"is {column.example!r}", f"It must be {column.allowed}."
        )
    return column


def _check_domain(source: str, place: str, column: Column) -> None:
    for key in ("values",) if column.numeric else ("minimum", "maximum"):
        if getattr(column, key) not in ((), None):
            raise _fail(
                source,
                place,
                key,
                f"stands at kind {column.kind}",
                "Leave it out, or change the kind.",
            )
    if column.numeric:
        for key in ("minimum", "maximum"):
            if not _number(column, limit := getattr(column, key)):
                what = "is missing" if limit is None else f"is {str(limit)[:20]}"
                raise _fail(
                    source,
                    place,
                    key,
                    what,
                    f"Both limits must be {_SORTS[column.kind]} within 3e38.",
                )
        if cast(float, column.minimum) >= cast(float, column.maximum):
            raise _fail(
                source,
                place,
                "maximum",
                f"is {column.maximum!r}",
                f"It must be above {column.minimum!r}.",
            )
        return
    if column.role == "id" and column.kind == "category" and not column.values:
        return
    texts = all(isinstance(value, str) and value for value in column.values)
    if not texts or len(column.values) < 2 or len(set(column.values)) != len(column.values):
        raise _fail(
            source,
            place,
            "values",
            f"is {list(column.values)!r}",
            "List two or more different texts.",
        )
    if column.kind == "boolean" and len(column.values) != 2:
        raise _fail(
            source,
            place,
            "values",
            f"has {len(column.values)} entries",
            "A boolean has no, then yes.",
        )


def _fits(column: Column, value: object) -> bool:
    if not column.numeric:
        return value in column.values
    return _number(column, value) and cast(float, column.minimum) <= cast(float, value) <= cast(
        float, column.maximum
    )


def _number(column: Column, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return False
    return column.kind != "integer" or float(value).is_integer()


def _unique(source: str, columns: tuple[Column, ...]) -> None:
    seen: dict[str, str] = {}
    for column in columns:
        for word in dict.fromkeys((column.key, column.name)):
            if word in seen:
                raise _fail(
                    source,
                    f'column "{column.name}"',
                    "key",
                    f"{word!r} is taken by {seen[word]!r}",
                    "Give one of them another key.",
                )
            seen[word] = column.name
    for role in ("id", "target"):
        if (count := sum(column.role == role for column in columns)) != 1:
            raise _fail(
                source,
                "the columns",
                "role",
                f"{count} columns have role {role}",
                "Exactly one must.",
            )


def _derived(
    source: str, columns: tuple[Column, ...], name: str, spec: Mapping[str, Any]
) -> Derived:
    place = f'derived feature "{name}"'
    _known(source, place, spec, ("expression", "unit", "text"))
    if any(name == column.key for column in columns):
        raise _fail(source, place, "name", "is the key of a column", "Give it a name of its own.")
    texts = (str(spec.get(key, "")) for key in ("unit", "text"))
    return Derived(name, _expression(source, place, columns, spec), *texts)


def _rule(source: str, columns: tuple[Column, ...], name: str, spec: Mapping[str, Any]) -> Rule:
    place = f'rule "{name}"'
    _known(source, place, spec, ("expression", "severity", "text"))
    severity = _choice(source, place, {"severity": "critical", **spec}, "severity", SEVERITIES)
    return Rule(
        name, _expression(source, place, columns, spec), severity, str(spec.get("text", ""))
    )


def _expression(
    source: str, place: str, columns: tuple[Column, ...], spec: Mapping[str, Any]
) -> Expression:
    scope = {column.key: column.values for column in columns if column.role == "feature"}
    try:
        return parse(str(spec.get("expression", "")), scope)
    except ValueError as error:
        raise _fail(
            source, place, "expression", str(error), "It may use feature columns only."
        ) from None


def _segment(
    source: str, columns: tuple[Column, ...], name: str, spec: Mapping[str, Any]
) -> Segment:
    place = f'segment "{name}"'
    _known(source, place, spec, ("column", "edges"))
    column = next(
        (c for c in columns if c.name == spec.get("column") and c.role in ("feature", "protected")),
        None,
    )
    if column is None:
        raise _fail(
            source,
            place,
            "column",
            f"is {spec.get('column')!r}",
            "Name a feature or protected column.",
        )
    edges = spec.get("edges", [])
    good = isinstance(edges, list) and all(
        _number(Column("", "", "number", ""), edge) for edge in edges
    )
    if not good or column.numeric != bool(edges) or edges != sorted(set(edges)):
        raise _fail(
            source, place, "edges", f"is {edges!r}", "Numbers need ascending edges, others none."
        )
    return Segment(name, column.key, tuple(float(edge) for edge in edges))


def _target(source: str, columns: tuple[Column, ...], spec: Mapping[str, Any]) -> Target:
    place = "the target"
    _known(source, place, spec, tuple(field.name for field in fields(Target)))
    column = next(column for column in columns if column.role == "target")
    if spec.get("column") != column.name:
        raise _fail(
            source,
            place,
            "column",
            f"is {spec.get('column')!r}",
            f'"{column.name}" has role target.',
        )
    pair = (spec.get("positive"), spec.get("negative"))
    if sorted(map(str, pair)) != sorted(column.values) or len(column.values) != 2:
        raise _fail(
            source,
            place,
            "positive",
            f"and negative are {pair!r}",
            f"Use {' and '.join(column.values)}.",
        )
    labels = (str(spec.get("positive_label", pair[0])), str(spec.get("negative_label", pair[1])))
    return Target(column.key, *cast(tuple[str, str], pair), *labels)
