"""What each column of an unknown table is proposed to be, with the evidence for it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sluice.draft import sorts
from sluice.draft.column_words import AGES, BIRTHS, GROUPS, IDS, NUMBERS, PROTECTED, TARGETS
from sluice.draft.sniffing import numeric
from sluice.errors import Refused, UsageError
from sluice.percent import percent
from sluice.served.column_keys import key_of

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"  # the value of a category that is missing
MOST_VALUES = 60  # of a category; every one is listed in the contract
_FEW_VALUES = 10  # of a category that are all listed, rare ones too
_LONG = 40  # characters of a text that nobody chose from a list
_REPEATS = 0.98  # of its rows are different in a column that is no group
_FEWEST_GROUPS = 50
_FEW_CLASSES = 10  # values of a column that may well be classes to tell apart
_MOST_CLASSES = 20  # of a target that is named
_ROWS_OF_CLASS = 40  # in the rarest class, so that each part has some
# Why a column of dates is ignored.
DATES = "dates with a time of day, or in several forms: write days, such as 2026-11-20"
TOO_MANY = "too many for a list"
_DATE = re.compile(
    r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ].*)?$"
)
# Two values of which the second one says yes.
_PAIRS = (("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))
# Numbers with a currency, a sign of percent or separators of thousands.
_MONEY = r"(?:[€$£¥₺]|EUR|USD|GBP|CHF|TL|TRY)"
_SIGNED = re.compile(
    rf"^[+-]?{_MONEY}?\s?[+-]?(?:\d{{1,3}}(?:[ .,'’\u00a0]\d{{3}})+|\d+)(?:[.,]\d+)?"
    rf"\s?(?:%|{_MONEY})?$"
)
_LARGEST_ID = 2**53


@dataclass(frozen=True)
class Choices:
    """What a person says of a table: published names, a value, and the share of the rows that is to
    be flagged or the costs that decide it, such as 5:1; the domain; and the column with the day or
    the time of each row, by which rows are split. Empty or 0 where nothing is said.
    """

    target: str = ""
    positive: str = ""
    id: str = ""
    point: float = 0.0
    costs: str = ""
    domain: str = ""
    as_of: str = ""


@dataclass(frozen=True)
class Proposal:
    """What a column is proposed to be, and `why`.

    `values` are texts in order, `low` and `high` limits of a number or the number of a day; `fill`
    stands for a missing one. A `made` id is no column of the table. `form` is how its dates are
    written; `other`, `minimum_count` and `encoding` are those of the contract.
    """

    name: str
    key: str
    role: str
    kind: str = "category"
    why: str = ""
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    fill: float | str | None = None
    example: float | str | None = None
    keep_missing: bool = False
    made: bool = False
    edges: tuple[float, ...] = ()
    form: str = ""
    other: str = ""
    minimum_count: int = 0
    encoding: str = ""


@dataclass(frozen=True)
class Roles:
    """The proposals in the order of the table, and which value of the target is positive; none is
    where the target has several classes, or is a `number`.
    """

    columns: tuple[Proposal, ...]
    positive: str
    negative: str
    classes: tuple[str, ...] = ()
    number: bool = False

    def role(self, role: str) -> tuple[Proposal, ...]:
        """The columns of one role, in order."""
        return tuple(column for column in self.columns if column.role == role)


def propose(
    frame: "pd.DataFrame",
    choices: Choices,
    distinct: Mapping[str, int] | None = None,
    rows: int = 0,
) -> Roles:
    """Propose a role for each column of `frame`, of texts as `sniffing.sniff` gives them.

    Where `frame` is a sample of a table of `rows`, `distinct` is how many different values its
    columns have there. Raises UsageError for a choice that is no column or value, Refused where no
    column can be the target.
    """
    counts = _Counts(frame, distinct or {}, rows or len(frame))
    names = [str(name) for name in frame.columns]
    for option, name in (
        ("--target", choices.target),
        ("--id", choices.id),
        ("--as-of", choices.as_of),
    ):
        if name and name not in names:
            raise UsageError(f"{option} is {name!r}, no column of the table", _listed(names))
    target = choices.target or _target(frame)
    of_number = _is_number(frame[target], target, choices)
    classes = () if of_number else _several(frame[target], target, choices)
    positive, negative = ("", "")
    if not classes and not of_number:
        positive, negative = _classes(frame[target], target, choices.positive)
    if choices.as_of and choices.as_of in (target, choices.id):
        what = f"--as-of is {choices.as_of!r}, which is the target or the id"
        raise UsageError(what, "Name the column with the day of each row, or leave it out.")
    if choices.as_of and not _is_day(frame[choices.as_of]):
        what = (
            f"--as-of is {choices.as_of!r}; a column with a day or a time in each row is required"
        )
        raise UsageError(what, "Name another one, with days such as 2026-11-20, or leave it out.")
    identity = choices.id or _identity(counts, target)
    keys = _keys(names)
    columns = []
    for name in names:
        texts = frame[name]
        if name == target and of_number:
            columns.append(_as_target(_number(name, keys[name], texts, "")))
        elif name == target and classes:
            columns.append(_of_classes(name, keys[name], texts, classes))
        elif name == target:
            columns.append(_of_target(name, keys[name], texts, positive, negative))
        elif name == identity:
            columns.append(_of_id(name, keys[name], counts))
        else:
            columns.append(_of_other(name, keys[name], counts))
    if not identity:
        why = "no column tells the rows apart: a hash of its cells does"
        made = Proposal("row id", _free("row_id", keys), "id", why=why, made=True)
        columns.append(made)
    columns = list(_one_weight(_one_group(columns, counts)))
    if classes or of_number:  # a share of positives is what another encoding of many values needs
        columns = [
            replace(column, encoding="frequency") if column.encoding == "target" else column
            for column in columns
        ]
    return Roles(sorts.one_form(columns), positive, negative, classes, of_number)


@dataclass(frozen=True)
class _Counts:
    """A table, or a sample of it, and how many rows and different values the whole table has."""

    frame: "pd.DataFrame"
    known: Mapping[str, int]
    rows: int

    def distinct(self, name: str) -> int:
        """How many different values a column has, missing ones not counted."""
        return self.known.get(name, _distinct(self.frame[name]))

    def differ(self, name: str) -> bool:
        """Whether each row has a value of its own."""
        texts = self.frame[name]
        known = name in self.known or len(self.frame) == self.rows
        return known and not _missing(texts) and self.distinct(name) == self.rows


def _target(frame: "pd.DataFrame") -> str:
    """The column to predict: by its name, else the last one with two values. What people are is
    not guessed to be that.
    """
    asked = [str(name) for name in frame.columns if not _parts(str(name)) & set(PROTECTED)]
    binary = [name for name in asked if _distinct(frame[name]) == 2]
    full = [name for name in binary if not _missing(frame[name])]
    several = [name for name in asked if _tells_classes(frame[name])]
    for word in TARGETS:
        for name in (*full, *several):
            if key_of(name) == word:
                return name
    for name in (*reversed(full), *reversed(several)):
        if {"target", "label", "churn", "default", "outcome", "failure"} & _parts(name):
            return name
    for name in reversed(asked):
        if key_of(name) in NUMBERS and _tells_number(frame[name]):
            return name
    if full:
        return full[-1]
    for name in reversed(list(map(str, frame.columns))):
        _check_spelling(frame[name], name)
    half = [name for name in binary if 2 * _missing(frame[name]) < len(frame)]
    if half:
        return half[-1]  # and its empty cells are named
    if several:
        return several[-1]
    few = [str(name) for name in frame.columns if 2 < _distinct(frame[name]) <= 10]
    what = (
        "no column has two values, or a few texts that are in rows enough; one that has is required"
        " as the target where none is named"
    )
    hint = f" Columns with a few values: {', '.join(few[:5])}." if few else ""
    raise Refused(what, f"Name it with --target, which may be a number, too.{hint}")


def _tells_classes(texts: "pd.Series[str]") -> bool:
    """Whether a column has a few texts, none missing, each in rows enough to learn from."""
    if not 2 < _distinct(texts) <= _FEW_CLASSES or numeric(texts) or _missing(texts):
        return False
    return int(texts.value_counts().loc[lambda rows: rows > 0].min()) >= _ROWS_OF_CLASS


def _several(texts: "pd.Series[str]", target: str, choices: Choices) -> tuple[str, ...]:
    """The classes of a target with more than two values, the most frequent one first; empty where
    it has two, and where `_classes` says what is wrong.

    Raises UsageError for a choice that is one of a positive class.
    """
    different = _distinct(texts)
    if not 2 < different <= _MOST_CLASSES or _missing(texts) or len(_alike(texts)) < different:
        return ()
    counts = texts.value_counts()
    counts = counts[counts > 0]
    if counts.min() < _ROWS_OF_CLASS or (numeric(texts) and different > _FEW_CLASSES):
        return ()
    for option, given in (
        ("--positive", choices.positive),
        ("--costs", choices.costs),
        ("--point", choices.point),
    ):
        if given:
            what = f"{option} is given and {target} has {different} classes"
            raise UsageError(what, "Leave it out, or join the classes to two in the table.")
    return tuple(str(value) for value in counts.index)


def _is_number(texts: "pd.Series[str]", target: str, choices: Choices) -> bool:
    """Whether the target is a number, with more values than classes have.

    Raises UsageError for a choice that is one of a positive class.
    """
    if not _tells_number(texts):
        return False
    for option, given in (
        ("--positive", choices.positive),
        ("--costs", choices.costs),
        ("--point", choices.point),
    ):
        if given:
            what = f"{option} is given and {target} is a number"
            raise UsageError(what, "Leave it out, or cut the number into two classes in the table.")
    return True


def _tells_number(texts: "pd.Series[str]") -> bool:
    """Whether a column has more numbers than there are classes, and none is missing."""
    return numeric(texts) and not _missing(texts) and _distinct(texts) > MOST_VALUES


def _as_target(column: Proposal) -> Proposal:
    """A number as what is predicted."""
    why = f"a number to predict: {column.why.partition(';')[0]}"
    return replace(column, role="target", why=why, example=None, edges=(), keep_missing=False)


def _of_classes(name: str, key: str, texts: "pd.Series[str]", classes: Sequence[str]) -> Proposal:
    shares = [f'"{one}" in {percent(float((texts == one).mean()), 1)}' for one in classes[:5]]
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    why = f"{len(classes)} classes: {', '.join(shares)}{more} of the rows"
    return Proposal(name, key, "target", why=why, values=tuple(classes))


def _check_spelling(texts: "pd.Series[str]", name: str) -> None:
    """Raise Refused for a column of two values, one of which is written in several ways."""
    if not 2 < _distinct(texts) <= MOST_VALUES:
        return
    alike = list(_alike(texts).values())
    if len(alike) == 2:
        shown = ", ".join(f'"{text}"' for text in max(alike, key=len))
        what = f"{name} has {_distinct(texts)} values that are two but for capitals: {shown}"
        raise Refused(what, "Write each of the two in one way.")


def _classes(texts: "pd.Series[str]", target: str, positive: str) -> tuple[str, str]:
    """The positive and the negative value: the one that is named, or the rarer one."""
    counts = texts[texts != ""].value_counts()
    counts = counts[counts > 0]
    if missing := _missing(texts):
        rows = "1 row" if missing == 1 else f"{missing:,} rows"
        what = f"{target} is empty in {rows}; a value is required in each"
        last = " The last one is among them: are these totals?" if texts.iloc[-1] == "" else ""
        raise Refused(what, f"Leave these rows out: nothing can be learnt from them.{last}")
    if len(counts) != 2:
        _check_spelling(texts, target)
        shown = ", ".join(str(value) for value in counts.index[:5])
        what = f"{target} has {len(counts):,} values ({shown}); 2 are required of a target"
        if len(counts) <= _MOST_CLASSES:
            what += f", or {_ROWS_OF_CLASS} rows of each: {counts.index[-1]} has {counts.iloc[-1]}"
        fix = "Join its classes to one against the rest, or name another column with --target."
        if numeric(texts) and len(counts) > MOST_VALUES:
            fix = f"To predict the number itself, name it: --target {target!r}."
        raise Refused(what, fix)
    values = [str(value) for value in counts.index]  # the more frequent one first
    if positive and positive not in values:
        raise UsageError(
            f"--positive is {positive!r}, no value of {target}", f"It has {' and '.join(values)}."
        )
    chosen = positive or values[1]
    return chosen, values[0] if chosen == values[1] else values[1]


def _identity(counts: _Counts, target: str) -> str:
    """The column that tells the rows apart; empty where none does."""
    found = []
    for name in map(str, counts.frame.columns):
        texts = counts.frame[name]
        if name == target or not counts.differ(name) or _is_day(texts):
            continue
        if numeric(texts) and not _whole(texts):
            continue
        named = bool(_parts(name) & set(IDS))
        found.append((named, not numeric(texts), _shortness(texts), name))
    return max(found, key=lambda one: one[:3])[3] if found else ""


def _is_day(texts: "pd.Series[str]") -> bool:
    """Whether each cell is a day, or a time of one."""
    present = [str(text) for text in texts.cat.categories if text != ""]
    return bool(present) and not _missing(texts) and all(map(_DATE.match, present))


def times_in(roles: Roles) -> tuple[str, ...]:
    """The columns with a day or a time in each row, by published name."""
    return tuple(
        column.name
        for column in roles.columns
        if (column.kind == "date" and column.role == "feature" and not column.keep_missing)
        or (column.role == "ignored" and column.why == DATES)
    )


def _shortness(texts: "pd.Series[str]") -> float:
    """Short texts are ids, long ones are prose."""
    return -float(np.mean([len(str(text)) for text in texts.cat.categories[:1000]]))


def _of_target(
    name: str, key: str, texts: "pd.Series[str]", positive: str, negative: str
) -> Proposal:
    share = float((texts == positive).mean())
    why = f'"{positive}" in {percent(share, 1)} of the rows is what is looked for'
    return Proposal(name, key, "target", why=why, values=(negative, positive))


def _of_id(name: str, key: str, counts: _Counts) -> Proposal:
    if not counts.differ(name):
        what = f"{name} has {counts.distinct(name):,} different values in {counts.rows:,} rows"
        raise Refused(
            f"{what}; a value of its own is required in each row of an id",
            "Leave --id out, or name another column.",
        )
    return Proposal(name, key, "id", why="another value in each row")


def _of_other(name: str, key: str, counts: _Counts) -> Proposal:
    """A column that is neither target nor id."""
    texts, rows, different = counts.frame[name], counts.rows, counts.distinct(name)
    missing = _missing(texts)
    made = Proposal(name, key, "feature")
    if weight := _weight(made, texts, missing):
        return weight
    ignored = _reason_to_ignore(texts, rows, different)
    if _is_group(name, texts, rows, different, missing):
        why = f"{different:,} different values in {rows:,} rows: rows of one stay together"
        return Proposal(name, key, "group", why=why)
    if ignored == DATES and _parts(name) & set(BIRTHS):
        return Proposal(name, key, "ignored", why="a day of birth: it tells the age of people")
    if ignored == DATES and (dated := sorts.as_date(made, texts)):
        return dated
    people = bool(_parts(name) & set(PROTECTED))
    if ignored.endswith(TOO_MANY) and not people:
        many = sorts.as_many_values(made, texts)
        if many:
            return many
    if ignored:
        return Proposal(name, key, "ignored", why=ignored)
    if _parts(name) & set(PROTECTED) and different <= MOST_VALUES:
        values = _values(texts)
        why = "named like an attribute of people: compared by group, never fed"
        kept = bool(missing)
        return Proposal(name, key, "protected", why=why, values=values, keep_missing=kept)
    return _feature(name, key, texts, missing)


def _reason_to_ignore(texts: "pd.Series[str]", rows: int, different: int) -> str:
    """Why a column cannot be a feature; empty where it can."""
    present = [str(text) for text in texts.cat.categories if text != ""]
    if different == 0:
        return "empty in every row"
    if different == 1 and not _missing(texts):
        return "the same value in each row"
    if numeric(texts):
        if _whole(texts) and different == rows:
            return "another whole number in each row: a key"
        return "" if not _unread(texts) else f"{_unread(texts):,} cells are no numbers"
    if sum(bool(_DATE.match(text)) for text in present) >= 0.95 * len(present):
        return DATES
    signed = [text for text in present if _SIGNED.match(text)]
    if len(signed) >= 0.95 * len(present):
        return f'numbers written as "{signed[-1]}": write them without signs and separators'
    if different > MOST_VALUES:
        long = float(np.mean([len(text) for text in present])) > _LONG
        what = "free text" if long else TOO_MANY
        return f"{different:,} different texts, {what}"
    return ""


def _is_group(name: str, texts: "pd.Series[str]", rows: int, different: int, missing: int) -> bool:
    """Whether equal values may well mean the same person or thing in several rows."""
    parts, words = _parts(name), set(GROUPS) - {"nbr", "id"}
    key = bool(parts & {"id", "nbr", "number", "nr", "no", "key", "code"}) and bool(
        parts & (words | {"id"})
    )
    key = key or (parts <= words and _keys_of_things(texts))
    several = _FEWEST_GROUPS <= different <= _REPEATS * rows and different >= rows * 0.02
    return key and several and not missing and (not numeric(texts) or _whole(texts))


def _keys_of_things(texts: "pd.Series[str]") -> bool:
    """Whether these are keys and no words: whole numbers, or short texts with a digit in each."""
    if numeric(texts):
        return _whole(texts)
    present = [str(text) for text in texts.cat.categories if text != ""]
    with_digits = sum(any(sign.isdigit() for sign in text) for text in present)
    return with_digits >= 0.95 * len(present) and max(map(len, present)) <= _LONG


def _feature(name: str, key: str, texts: "pd.Series[str]", missing: int) -> Proposal:
    share = f", {percent(missing / len(texts), 1)} missing" if missing else ""
    if numeric(texts):
        return _number(name, key, texts, share)
    values = _values(texts)
    usual = str(texts[texts != ""].value_counts().index[0])
    pair = _pair(values)
    if pair and not missing:
        return Proposal(name, key, "feature", "boolean", "yes or no", pair, example=usual)
    fill = UNKNOWN if missing else None
    if missing and UNKNOWN not in values:
        values = (*values, UNKNOWN)
    counts = texts[texts != ""].value_counts()
    rare = bool((counts[counts > 0] < sorts.FEWEST_ROWS).any())
    if len(values) > sorts.MOST_FLAGS or (len(values) > _FEW_VALUES and rare):
        many = sorts.as_many_values(Proposal(name, key, "feature"), texts)
        if many:
            return many
    why = f"{len(values) - bool(missing)} values{share}"
    if len(_alike(texts)) < _distinct(texts):
        why += ", some the same but for capitals"
    if len(values) < 2:
        return Proposal(name, key, "ignored", why="the same value in each row")
    return Proposal(name, key, "feature", "category", why, values, fill=fill, example=usual)


def _number(name: str, key: str, texts: "pd.Series[str]", share: str) -> Proposal:
    numbers = numbers_of(texts)
    whole = _whole(texts)
    low, high = room(float(np.nanmin(numbers)), float(np.nanmax(numbers)), whole=whole)
    middle = float(np.nanmedian(numbers))
    middle = float(math.floor(middle)) if whole else float(f"{middle:.12g}")
    why = f"numbers from {np.nanmin(numbers):,.6g} to {np.nanmax(numbers):,.6g}{share}"
    edges: tuple[float, ...] = ()
    if _parts(name) & set(AGES):
        quarters = np.nanquantile(numbers, (0.25, 0.5, 0.75))
        edges = tuple(sorted({float(math.floor(quarter)) for quarter in quarters}))
        why += "; groups of age are compared"
    kind = "integer" if whole else "number"
    kept = bool(share)
    return Proposal(
        name, key, "feature", kind, why, (), low, high, None, middle, keep_missing=kept, edges=edges
    )


def _weight(made: Proposal, texts: "pd.Series[str]", missing: int) -> Proposal | None:
    """The proposal of a column that is named like a weight, and can be one."""
    if not sorts.is_weight(made.key) or not numeric(texts) or missing or _unread(texts):
        return None
    numbers = numbers_of(texts)
    if numbers.min() < 0 or numbers.min() == numbers.max():
        return None
    kind = "integer" if _whole(texts) else "number"
    _, high = room(0.0, float(numbers.max()), whole=kind == "integer")
    why = "named like a weight: what a row counts for in training, and nowhere else"
    return replace(made, role="weight", kind=kind, why=why, low=0.0, high=high)


def _one_weight(columns: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """One weight at most, the first; the others are ignored."""
    first = next((column for column in columns if column.role == "weight"), None)
    why = f"another weight; {first.name} is used already" if first else ""
    return tuple(
        Proposal(column.name, column.key, "ignored", why=why)
        if column.role == "weight" and column is not first
        else column
        for column in columns
    )


def room(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Limits a quarter of the range beyond what was seen, at round numbers; 0 is not passed.

    Shares and flags, from 0 to 1, keep their limits.
    """
    if low >= 0 and high <= 1:
        return (0.0, 1.0)
    width = max(high - low, abs(high), 1.0)
    step = 10.0 ** math.floor(math.log10(width) - 0.5)
    below = math.floor((low - 0.25 * width) / step) * step
    above = math.ceil((high + 0.25 * width) / step) * step
    if low >= 0:
        below = 0.0
    if high <= 0:
        above = 0.0
    if whole:
        return float(math.floor(below)), float(math.ceil(above))
    return float(f"{below:.12g}"), float(f"{above:.12g}")


def _one_group(columns: Sequence[Proposal], counts: _Counts) -> tuple[Proposal, ...]:
    """One group at most, that of the most different values; the others are ignored."""
    groups = [column for column in columns if column.role == "group"]
    if not groups:
        return tuple(columns)
    chosen = max(groups, key=lambda column: counts.distinct(column.name))
    why = f"a key that repeats; {chosen.name} keeps rows together already"
    return tuple(
        Proposal(column.name, column.key, "ignored", why=why)
        if column.role == "group" and column is not chosen
        else column
        for column in columns
    )


def _keys(names: Sequence[str]) -> dict[str, str]:
    """A key for each name, no two of them equal."""
    keys: dict[str, str] = {}
    for place, name in enumerate(names, 1):
        keys[name] = _free(key_of(name) or f"column_{place}", keys)
    return keys


def _free(key: str, taken: dict[str, str]) -> str:
    """The key, with a number behind it where it is taken, or is the name of another column."""
    used = {*taken.values(), *taken}
    free, number = key, 2
    while free in used and taken.get(free) != free:
        free, number = f"{key}_{number}", number + 1
    return free


def _parts(name: str) -> set[str]:
    """The words of a name, and all of them together."""
    key = key_of(name)
    return {key, *key.split("_")}


def _distinct(texts: "pd.Series[str]") -> int:
    """How many different values there are, missing ones not counted."""
    return len([text for text in texts.cat.categories if text != ""])


def _alike(texts: "pd.Series[str]") -> dict[str, list[str]]:
    """The different values of a column by what they are without capitals, sorted."""
    found: dict[str, list[str]] = {}
    for text in sorted(str(text) for text in texts.cat.categories if text != ""):
        found.setdefault(text.casefold(), []).append(text)
    return found


def _missing(texts: "pd.Series[str]") -> int:
    return int((texts == "").sum())


def numbers_of(texts: "pd.Series[str]") -> np.ndarray:
    """The numbers of a column, float64, shape (rows,): NaN for what is none."""
    different = np.array([_number_or_nan(str(text)) for text in texts.cat.categories])
    return np.asarray(different[texts.cat.codes])


def _number_or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _unread(texts: "pd.Series[str]") -> int:
    """How many cells that are not missing are no numbers."""
    return int(np.isnan(numbers_of(texts)).sum()) - _missing(texts)


def _whole(texts: "pd.Series[str]") -> bool:
    numbers = numbers_of(texts)
    known = numbers[~np.isnan(numbers)]
    return bool((known == np.floor(known)).all()) and bool((np.abs(known) < _LARGEST_ID).all())


def _values(texts: "pd.Series[str]") -> tuple[str, ...]:
    return tuple(sorted(str(text) for text in texts.cat.categories if text != ""))


def _pair(values: Sequence[str]) -> tuple[str, ...]:
    """No and yes in this order; empty where the two values are something else."""
    by_word = {value.casefold(): value for value in values}
    for no, yes in _PAIRS:
        if set(by_word) == {no, yes}:
            return (by_word[no], by_word[yes])
    return ()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"It has {', '.join(names[:20])}{more}."
