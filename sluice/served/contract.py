"""The contract of a model: what a row is, read from `contract.toml`.

Served with the model, so it imports nothing heavier than the standard library.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TypeGuard, cast

from sluice.errors import UsageError
from sluice.served.column_keys import key_of, snake_case
from sluice.served.contract_fields import TOP, Table, choice, fail, known, table, tables, text
from sluice.served.contract_sorts import (
    check_categories,
    check_dates_are_used,
    check_of_classes,
    check_of_number,
    check_role,
)
from sluice.served.contract_words import read_statements, read_tiers, read_words
from sluice.served.days import day_of, number_of, written
from sluice.served.expressions import Expression, Scope, parse
from sluice.served.quantity import Quantity, read_decimals
from sluice.served.reading import UTF8_WITH_POINTS, Reading, read_reading
from sluice.served.tiers import NEUTRAL_TIERS, Tiers
from sluice.served.words import (
    NEUTRAL_OF_CLASSES,
    NEUTRAL_OF_NUMBER,
    NEUTRAL_STATEMENTS,
    NEUTRAL_WORDS,
    Statements,
    Words,
)
from sluice.toml_text import read_toml

KINDS = ("integer", "number", "ordinal", "category", "boolean", "date")
ROLES = ("feature", "protected", "id", "group", "weight", "target", "ignored")
DIRECTIONS = ("", "up", "down")  # the only way that a score may go as a column grows
MISSING = ("refuse", "impute", "keep")  # of an empty cell; a category is not kept
KEY = "key"  # the encoding of the column that names the model of a fleet
ENCODINGS = ("", "target", "frequency", KEY)  # of a category; "" has a column for each value
LONGEST = 200  # characters of a text in a category that takes any
_BARE_ROLES = ("ignored", "group")  # nothing is asked of their cells: a kind may be left out
_SORTS = {"integer": "a whole number", "number": "a number", "date": "a date"}
SEVERITIES = ("critical", "warning")
_LARGEST = 3e38  # what the matrix, of 32-bit floats, can hold
_MOST_CLASSES = 50  # of a target: more are no answer that a person reads
_LARGEST_ID = 2**53  # beyond it neighbouring whole numbers are one and the same float
# How the key of a column is made of its name, by the schema of the contract.
_KEYS = {1: snake_case, 2: key_of}
TOP_KEYS = (
    "schema",
    "title",
    "text",
    "row",
    "rows",
    "as_of",
    "known_at",
    "target",
    "reading",
    "tiers",
    "statements",
    "columns",
    "derived",
    "rules",
    "segments",
)
TARGET_KEYS = (
    "column",
    "positive",
    "negative",
    "positive_label",
    "negative_label",
    "singular",
    "plural",
    "decimals",
)


@dataclass(frozen=True)
class Column:
    """One column: `name` as published, `key` in snake case; `values` in order for ordinals.

    An id with `made` "row" is no column of the table: it is a hash of the cells of its row. The
    limits of a date are days since 1970-01-01. `other` is the value that stands for every text
    that is none of `values`; values with fewer training rows than `minimum_count` count as it too.
    `encoding` says what a category is to the model: a column for each value, or a number. Where
    `monotone` is "up" or "down", a score may only rise or only fall as the column grows.
    """

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
    made: str = ""
    monotone: str = ""
    other: str = ""
    minimum_count: int = 0
    encoding: str = ""
    reading: Reading = UTF8_WITH_POINTS

    @property
    def numeric(self) -> bool:
        """Whether the value is a number, or a day that a number stands for: none of `values`."""
        return self.kind in _SORTS

    @property
    def coded(self) -> bool:
        """Whether the matrix holds the place of a category's value; the model looks up the rest."""
        return bool(self.encoding or self.minimum_count)

    @property
    def kept(self) -> bool:
        """Whether this is a feature that may be missing and stays so."""
        return self.missing == "keep" and self.role == "feature"

    @property
    def allowed(self) -> str:
        """What may stand in this column, in words."""
        if self.other:
            return f"a text of at most {LONGEST} characters"
        if not self.numeric:
            return "one of " + ", ".join(self.values) if self.values else "any text"
        if self.kind == "date" and self.minimum is not None and self.maximum is not None:
            limits = f"from {written(self.minimum)} to {written(self.maximum)}"
            return f"a date {limits}, without a time or a time zone"
        if self.minimum is None or self.maximum is None:
            return _SORTS[self.kind]
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
    """What must be true of every row, over feature columns.

    As a warning it is shown, and stops nothing.
    """

    name: str
    expression: Expression
    severity: str = "critical"
    text: str = ""


@dataclass(frozen=True)
class Segment:
    """A grouping of the rows: by the values of a column, or by bands of a numeric one.

    `edges` are the limits of the bands, ascending, in the unit of the column.
    """

    name: str
    column: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Target:
    """The column to predict: its key, its two values, the labels that are shown for them.

    `words` say what a positive is called. Where the column has more than two values, these are the
    `classes`, in the order of the contract; where it is a number, `quantity` says which answers are
    plausible. Then there is no positive and no negative, and `words` say what a row is called.
    """

    column: str
    positive: str
    negative: str
    positive_label: str
    negative_label: str
    words: Words = NEUTRAL_WORDS
    classes: tuple[str, ...] = ()
    quantity: Quantity | None = None

    @property
    def several(self) -> bool:
        """Whether there are several classes, of which none is the positive one."""
        return bool(self.classes)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What a row can turn out to be, in the order of the numbers that stand for it; nothing
        is listed where that is a number itself.
        """
        if self.quantity:
            return ()
        return self.classes or (self.negative, self.positive)


@dataclass(frozen=True)
class Contract:
    """All columns in published order, with what follows from them.

    `row` and `rows` say what a row is, in the singular and in the plural. `tiers` and `statements`
    are the neutral ones where the contract names none. `as_of` is the published name of the column
    with the day of each row, `known_at` of the one that says since when its values were known; both
    are empty where there is none.
    """

    title: str
    text: str
    columns: tuple[Column, ...]
    derived: tuple[Derived, ...]
    segments: tuple[Segment, ...]
    target: Target
    rules: tuple[Rule, ...] = ()
    row: str = "row"
    rows: str = "rows"
    tiers: Tiers = NEUTRAL_TIERS
    statements: Statements = NEUTRAL_STATEMENTS
    reading: Reading = UTF8_WITH_POINTS
    as_of: str = ""
    known_at: str = ""

    @property
    def words(self) -> Words:
        """What a positive is called."""
        return self.target.words

    def role(self, role: str) -> tuple[Column, ...]:
        """The columns of one role, in published order."""
        return tuple(column for column in self.columns if column.role == role)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that feed the model."""
        return self.role("feature")

    @property
    def weight(self) -> Column | None:
        """The column that says how much a row weighs in training; None where all weigh the same."""
        return next(iter(self.role("weight")), None)

    @property
    def id(self) -> Column:
        """The column that identifies a row."""
        return self.role("id")[0]

    @property
    def group(self) -> Column | None:
        """The column whose equal values keep rows in one part of the split; None where each row
        stands for itself.
        """
        return next(iter(self.role("group")), None)

    def find(self, name: str) -> Column | None:
        """The column with this published name or key."""
        return next((column for column in self.columns if name in (column.name, column.key)), None)


DERIVED_KEYS = ("expression", "unit", "text")
RULE_KEYS = ("expression", "severity", "text")
SEGMENT_KEYS = ("column", "edges")
MADE = ("", "row")  # an id is read from the table, or made of the cells of its row
COLUMN_KEYS = tuple(field.name for field in fields(Column) if field.name not in ("name", "reading"))


def load_contract(toml: str, source: str = "contract.toml") -> Contract:
    """Read a contract from the text of its file; `source` is what errors call that file.

    Raises UsageError naming file, table or column, and key where it is wrong.
    """
    raw = read_toml(toml, source)
    known(source, TOP, raw, TOP_KEYS)
    schema = raw.get("schema")
    if type(schema) is not int or schema not in _KEYS:
        what = f"{source}: schema is {schema!r}; 1 or 2 is required"
        raise UsageError(what, "Write schema = 2, or use the version of Sluice that wrote it.")
    contract = _contract(source, raw)
    check_dates_are_used(source, contract.features, [each.expression for each in contract.derived])
    if not contract.features:
        what = f"{source}: no column has role feature; at least one is required"
        raise UsageError(what, 'Set role = "feature" on what the model may use.')
    return contract


def _contract(source: str, raw: Table) -> Contract:
    """A contract from its tables. Raises UsageError for the first that is wrong."""
    specs = table(source, raw, "columns", needed=True)
    reading = read_reading(source, raw)
    make_key = _KEYS[cast(int, raw["schema"])]
    columns = tuple(
        _column(source, name, cast(Table, spec), make_key(name), reading)
        for name, spec in specs.items()
    )
    _unique(source, columns)
    derived = tables(source, raw, "derived")
    segments = tables(source, raw, "segments")
    rules = tables(source, raw, "rules")
    row, rows = text(source, TOP, {"row": "row", **raw}, "row"), str(raw.get("rows", "rows"))
    target = _target(source, columns, table(source, raw, "target", needed=True), Words(row, rows))
    if target.several:
        check_of_classes(source, columns)
    if target.quantity:
        check_of_number(source, columns)
    if (target.several or target.quantity) and "tiers" in raw:
        fix = "Leave them out: tiers are of the probability of one positive class."
        has = f"has {len(target.classes)} classes" if target.several else "is a number"
        raise fail(source, TOP, "tiers", f"are given and the target {has}", fix)
    neutral = NEUTRAL_OF_CLASSES if target.several else NEUTRAL_STATEMENTS
    neutral = NEUTRAL_OF_NUMBER if target.quantity else neutral
    return Contract(
        title=str(raw.get("title", "")),
        text=str(raw.get("text", "")),
        columns=columns,
        derived=tuple(_derived(source, columns, name, spec) for name, spec in derived.items()),
        segments=tuple(_segment(source, columns, name, spec) for name, spec in segments.items()),
        target=target,
        rules=tuple(_rule(source, columns, name, spec) for name, spec in rules.items()),
        row=row,
        rows=rows,
        tiers=read_tiers(source, raw),
        statements=read_statements(source, raw, neutral),
        reading=reading,
        as_of=_as_of(source, columns, raw.get("as_of", "")),
        known_at=_known_at(source, columns, raw),
    )


def _as_of(source: str, columns: tuple[Column, ...], name: object) -> str:
    """The column with the day of each row, by its published name; empty where none is named."""
    days = [column.name for column in columns if column.role == "ignored" or column.kind == "date"]
    if name == "" or name in days:
        return str(name)
    fix = 'Name a column with role = "ignored", or one of kind date.'
    raise fail(source, TOP, "as_of", f"is {name!r}", fix)


def _known_at(source: str, columns: tuple[Column, ...], raw: Table) -> str:
    """The column that says since when the values of a row were known, by its published name."""
    name = raw.get("known_at", "")
    if name == "":
        return ""
    if not raw.get("as_of"):
        fix = "Name as_of too: what is known since when says nothing without the day of the row."
        raise fail(source, TOP, "known_at", f"is {name!r}", fix)
    others = [column for column in columns if column.name != raw["as_of"]]
    if any(name == column.name and column.role == "ignored" for column in others):
        return cast(str, name)
    fix = 'Name another column with role = "ignored": a model learns nothing from it.'
    raise fail(source, TOP, "known_at", f"is {name!r}", fix)


def _column(source: str, name: str, spec: Table, made: str, reading: Reading) -> Column:
    """A column from its table; `made` is the key that its name gives.

    Raises UsageError where a key is unknown or its value wrong.
    """
    place = f'column "{name}"'
    known(source, place, spec, COLUMN_KEYS)
    role = choice(source, place, spec, "role", ROLES)
    if role in _BARE_ROLES:
        spec = {"kind": "category", **spec}
    kinds = ("category",) if role == "group" else KINDS
    kind = choice(source, place, spec, "kind", kinds)
    missing = choice(source, place, {"missing": "refuse", **spec}, "missing", MISSING)
    _check_sorts(source, place, spec)
    if kind == "date":
        spec = _with_days(spec)
    column = Column(
        name=name,
        key=_key(source, place, spec, made),
        kind=kind,
        role=role,
        unit=cast(str, spec.get("unit", "")),
        minimum=cast("float | None", spec.get("minimum")),
        maximum=cast("float | None", spec.get("maximum")),
        values=tuple(cast("list[str]", spec.get("values", []))),
        missing=missing,
        fill=cast("float | str | None", spec.get("fill")),
        example=cast("float | str | None", spec.get("example")),
        text=cast(str, spec.get("text", "")),
        made=choice(source, place, {"made": "", **spec}, "made", MADE),
        monotone=choice(source, place, {"monotone": "", **spec}, "monotone", DIRECTIONS),
        other=cast(str, spec.get("other", "")),
        minimum_count=cast(int, spec.get("minimum_count", 0)),
        encoding=choice(source, place, {"encoding": "", **spec}, "encoding", ENCODINGS),
        reading=reading,
    )
    if column.monotone and (role != "feature" or kind == "category"):
        fix = "Only a feature that is a number, an ordinal or a boolean has an order."
        raise fail(source, place, "monotone", f"is {column.monotone!r}", fix)
    if column.made and (role != "id" or kind != "category" or column.values):
        fix = 'Only a column with role = "id" and kind = "category" is made.'
        raise fail(source, place, "made", f"is {column.made!r}", fix)
    check_role(source, place, column)
    _check_target(source, place, column)
    _check_domain(source, place, column)
    check_categories(source, place, column)
    _check_fill(source, place, column, missing)
    is_read = role != "ignored"
    if is_read and column.example is not None and not _fits(column, column.example):
        fix = f"It must be {column.allowed}."
        raise fail(source, place, "example", f"is {column.example!r}", fix)
    return column


def _with_days(spec: Table) -> Table:
    """The table of a date with its limits as numbers of days, and its example as a text."""
    days: dict[str, object] = {}
    for key in ("minimum", "maximum", "example"):
        value = spec.get(key)
        if isinstance(value, date) and not isinstance(value, datetime):
            days[key] = value.isoformat() if key == "example" else float(number_of(value))
        elif value is not None and key != "example":
            days[key] = str(value)  # no date: it is refused with the limits
    return {**spec, **days}


def _key(source: str, place: str, spec: Table, made: str) -> str:
    """The key of a column: the one that is given, or the one that is made of its name."""
    key = spec.get("key", made)
    if not isinstance(key, str) or not key.isidentifier():
        fix = "Use letters, digits and underscores, and no digit first."
        if "key" not in spec:
            fix = f'The name gives none: write one, such as key = "c_{made}"; schema 2 makes one.'
        raise fail(source, place, "key", f"is {key!r}", fix)
    return key


def _check_target(source: str, place: str, column: Column) -> None:
    """Refuse a target with more values than anybody tells apart."""
    if column.role != "target":
        return
    if len(column.values) > _MOST_CLASSES:
        what = (
            f"has {len(column.values)} entries and its role is target; at most {_MOST_CLASSES} are"
            " allowed"
        )
        raise fail(source, place, "values", what, "Join rare classes in the table.")


def _check_sorts(source: str, place: str, spec: Table) -> None:
    """Refuse a unit or text that is no text, and values that are no list."""
    for key in ("unit", "text"):
        if not isinstance(spec.get(key, ""), str):
            raise fail(source, place, key, f"is {spec[key]!r}", "It takes a text.")
    if not isinstance(spec.get("values", []), list):
        raise fail(source, place, "values", f"is {spec['values']!r}", "It takes a list.")


def _check_fill(source: str, place: str, column: Column, missing: str) -> None:
    """Refuse a value to fill in where none is used, and none or a wrong one where one is."""
    what = f"is {column.fill!r}"
    if missing == "keep" and column.role != "protected" and not (column.kept and column.numeric):
        fix = 'A feature takes missing = "impute" and a fill; one of numbers or dates may keep it.'
        kind = f" and kind {column.kind}" if column.kept else ""
        raise fail(source, place, "missing", f'is "keep" with role {column.role}{kind}', fix)
    if missing != "impute":
        if column.fill is not None:
            fix = 'It is used only with missing = "impute".'
            raise fail(source, place, "fill", what, fix)
    elif column.role != "feature":
        what = f'is "impute" with role {column.role}; a feature is required of what has a fill'
        fix = 'A protected column takes missing = "keep": its empty cells are then a group.'
        raise fail(source, place, "missing", what, fix)
    elif column.kind == "date":
        fix = 'A day that nobody knows takes missing = "keep"; is_missing tells the model.'
        raise fail(source, place, "missing", 'is "impute" with kind date', fix)
    elif not _fits(column, column.fill):
        raise fail(source, place, "fill", what, f"An imputed feature needs {column.allowed}.")


def _check_domain(source: str, place: str, column: Column) -> None:
    """Refuse limits of a text, values of a number, and wrong limits or values."""
    foreign = ("values",) if column.numeric else ("minimum", "maximum")
    for key in foreign:
        if getattr(column, key) not in ((), None):
            fix = "Leave it out, or change the kind."
            raise fail(source, place, key, f"is given with kind {column.kind}", fix)
    if column.role in _BARE_ROLES and not _stated(column):
        return
    if column.role == "ignored":
        _check_given(source, place, column)
    elif column.numeric:
        _check_limits(source, place, column)
        _check_id(source, place, column)
    elif column.role != "id" or column.kind != "category" or column.values:
        _check_values(source, place, column)


def _stated(column: Column) -> bool:
    """Whether limits or values are given."""
    return bool(column.values) or column.minimum is not None or column.maximum is not None


def _check_id(source: str, place: str, column: Column) -> None:
    """Refuse an id of whole numbers that a float cannot tell apart."""
    if (
        column.role == "id"
        and max(abs(cast(float, column.minimum)), abs(cast(float, column.maximum))) >= _LARGEST_ID
    ):
        what = f"is {column.maximum:.0f}; below 2^53 is required of an id that is a number"
        fix = 'Write kind = "category" and no limits: ids are then texts of any length.'
        raise fail(source, place, "maximum", what, fix)


def _check_given(source: str, place: str, column: Column) -> None:
    """Refuse limits that are no numbers and values that are no texts. A column that nobody reads
    may be constant, have one value or any, and need not be described.
    """
    for key, limit in (("minimum", column.minimum), ("maximum", column.maximum)):
        if limit is not None and not _number(column, limit):
            fix = f"It must be {_SORTS[column.kind]} within 3e38, or be left out."
            raise fail(source, place, key, f"is {str(limit)[:20]}", fix)
    if not all(isinstance(value, str) and value for value in column.values):
        raise fail(source, place, "values", f"is {list(column.values)!r}", "List texts.")


def _check_limits(source: str, place: str, column: Column) -> None:
    """Refuse limits that are no such numbers, or not in order."""
    for key, limit in (("minimum", column.minimum), ("maximum", column.maximum)):
        if not _number(column, limit):
            what = "is missing" if limit is None else f"is {str(limit)[:20]}"
            fix = f"Both limits must be {_SORTS[column.kind]} within 3e38."
            if column.kind == "date":
                fix = f"Both limits must be days, without quotes: {key} = 2026-01-31."
            raise fail(source, place, key, what, fix)
    # Both are numbers, as the loop has made sure.
    low, high = cast(float, column.minimum), cast(float, column.maximum)
    if low >= high:
        of_days = column.kind == "date"
        first, last = (written(low), written(high)) if of_days else (f"{low!r}", f"{high!r}")
        raise fail(source, place, "maximum", f"is {last}", f"It must be above {first}.")


def _check_values(source: str, place: str, column: Column) -> None:
    """Refuse fewer than two values, equal ones, and more than two of a boolean."""
    values = column.values
    texts = all(isinstance(value, str) and value for value in values)
    if not texts or len(values) < 2 or len(set(values)) != len(values):
        fix = "List two or more different texts."
        if values and not all(isinstance(value, str) for value in values):
            fix = f"List texts: {', '.join(_quoted(value) for value in values[:2])}, and so on."
        raise fail(source, place, "values", f"is {list(values)!r}", fix)
    if column.kind == "boolean" and len(values) != 2:
        fix = "A boolean has two: no, then yes."
        raise fail(source, place, "values", f"has {len(values)} entries", fix)


def _quoted(value: object) -> str:
    """A value as the text that it is in a table."""
    return f'"{str(value).lower() if isinstance(value, bool) else value}"'


def _fits(column: Column, value: object) -> bool:
    """Whether a column, whose limits or values are checked, allows a value."""
    if not column.numeric:
        return value in column.values
    if column.kind == "date":
        value = day_of(value) if isinstance(value, str) else None
    if not _number(column, value):
        return False
    low = cast(float, column.minimum)
    high = cast(float, column.maximum)
    return low <= cast(float, value) <= high


def _number(column: Column, value: object) -> bool:
    """Whether a value is a number that this column and the matrix can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return False
    return column.kind == "number" or float(value).is_integer()


def _unique(source: str, columns: tuple[Column, ...]) -> None:
    """Refuse a name or key that two columns share, and any but one id and one target."""
    owners: dict[str, str] = {}
    for column in columns:
        for word in dict.fromkeys((column.key, column.name)):
            if word in owners:
                what = f"{word!r} is taken by {owners[word]!r}"
                fix = "Give one of them another key."
                raise fail(source, f'column "{column.name}"', "key", what, fix)
            owners[word] = column.name
    for role in ("id", "target"):
        count = sum(column.role == role for column in columns)
        if count != 1:
            what = f"{role} is given to {count} columns"
            raise fail(source, "the columns", "role", what, "Exactly one must have it.")
    for role in ("group", "weight"):
        count = sum(column.role == role for column in columns)
        if count > 1:
            what = f"{role} is given to {count} columns"
            raise fail(source, "the columns", "role", what, "At most one may have it.")


def _derived(source: str, columns: tuple[Column, ...], name: str, spec: Table) -> Derived:
    place = f'derived feature "{name}"'
    known(source, place, spec, DERIVED_KEYS)
    if any(name == column.key for column in columns):
        raise fail(source, place, "name", "is the key of a column", "Give it a name of its own.")
    expression = _expression(source, place, columns, spec)
    for column in columns:
        if column.monotone and column.key in expression.keys:
            what = f'reads "{column.name}", which is monotone'
            fix = "A feature made of it could turn its direction around: leave one of the two out."
            raise fail(source, place, "expression", what, fix)
    return Derived(name, expression, str(spec.get("unit", "")), str(spec.get("text", "")))


def _rule(source: str, columns: tuple[Column, ...], name: str, spec: Table) -> Rule:
    place = f'rule "{name}"'
    known(source, place, spec, RULE_KEYS)
    severity = choice(source, place, {"severity": "critical", **spec}, "severity", SEVERITIES)
    expression = _expression(source, place, columns, spec)
    return Rule(name, expression, severity, str(spec.get("text", "")))


def _expression(source: str, place: str, columns: tuple[Column, ...], spec: Table) -> Expression:
    """The expression of a table, over the feature columns alone."""
    features = [column for column in columns if column.role == "feature"]
    scope = Scope(
        texts={column.key: column.values for column in features},
        dates=frozenset(column.key for column in features if column.kind == "date"),
        kept=frozenset(column.key for column in features if column.kept),
    )
    names = {column.name: column.key for column in features}
    try:
        return parse(str(spec.get("expression", "")), scope, names)
    except ValueError as error:
        some = ", ".join(list(scope.texts)[:5])
        fix = f"It may use feature columns only, by name or key: {some}, and so on."
        raise fail(source, place, "expression", f"is refused: {error}", fix) from None


def _segment(source: str, columns: tuple[Column, ...], name: str, spec: Table) -> Segment:
    place = f'segment "{name}"'
    known(source, place, spec, SEGMENT_KEYS)
    column = _grouped(source, place, columns, spec.get("column"))
    edges = spec.get("edges", [])
    if not _ascending(edges) or column.numeric != bool(edges):
        fix = "Numbers need ascending edges, others none."
        raise fail(source, place, "edges", f"is {edges!r}", fix)
    return Segment(name, column.key, tuple(float(edge) for edge in edges))


def _grouped(source: str, place: str, columns: tuple[Column, ...], name: object) -> Column:
    """The column whose values make the groups of a segment."""
    for column in columns:
        if column.name == name and column.role in ("feature", "protected"):
            return column
    raise fail(source, place, "column", f"is {name!r}", "Name a feature or protected column.")


def _ascending(edges: object) -> TypeGuard[list[float]]:
    """Whether these are numbers in a list, each above the one before it; it may be empty."""
    if not isinstance(edges, list):
        return False
    any_number = Column("", "", "number", "")
    if not all(_number(any_number, edge) for edge in edges):
        return False
    return edges == sorted(set(edges))


def _target(source: str, columns: tuple[Column, ...], spec: Table, row: Words) -> Target:
    """The target from its table: the column with that role, and which of its values is which.

    `row` says what a row is called.
    """
    place = "the target"
    known(source, place, spec, TARGET_KEYS)
    column = next(column for column in columns if column.role == "target")
    if spec.get("column") != column.name:
        fix = f'"{column.name}" has role target.'
        raise fail(source, place, "column", f"is {spec.get('column')!r}", fix)
    if column.numeric:
        _require_no_side(source, place, column, spec, "is a number", ("column", "decimals"))
        quantity = Quantity(
            unit=column.unit or None,
            low=float(cast(float, column.minimum)),
            high=float(cast(float, column.maximum)),
            decimals=read_decimals(source, place, spec, whole=column.kind == "integer"),
        )
        return Target(column.key, "", "", "", "", row, (), quantity)
    if "decimals" in spec:
        fix = "Leave it out: digits are shown of a number."
        raise fail(source, place, "decimals", f"is given and {column.name} is no number", fix)
    if len(column.values) > 2:
        has = f"has {len(column.values)} values"
        _require_no_side(source, place, column, spec, has, ("column",))
        return Target(column.key, "", "", "", "", row, column.values)
    positive = spec.get("positive")
    negative = spec.get("negative")
    values = sorted((str(positive), str(negative)))
    if values != sorted(column.values) or len(column.values) != 2:
        what = f"and negative are {(positive, negative)!r}"
        raise fail(source, place, "positive", what, f"Use {' and '.join(column.values)}.")
    return Target(
        column=column.key,
        positive=cast(str, positive),
        negative=cast(str, negative),
        positive_label=str(spec.get("positive_label", positive)),
        negative_label=str(spec.get("negative_label", negative)),
        words=read_words(source, spec),
    )


def _require_no_side(
    source: str, place: str, column: Column, spec: Table, has: str, allowed: tuple[str, ...]
) -> None:
    """Refuse a positive or negative where the column has more than two values, or is a number."""
    for key in spec:
        if key not in allowed:
            what = f"is given and {column.name} {has}"
            fix = f"Leave it out: each value is a class. Or join {column.name} to two values."
            if column.numeric:
                fix = (
                    "Leave it out to predict the number itself; of two classes write"
                    ' kind = "category" and values = ["0", "1"], as texts.'
                )
            raise fail(source, place, key, what, fix)
