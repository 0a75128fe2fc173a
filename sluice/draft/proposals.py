"""What each column of an unknown table is proposed to be, with the evidence for it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.draft.column_words import AGES, GROUPS, IDS, PROTECTED, TARGETS
from sluice.draft.sniffing import numeric
from sluice.errors import Refused, UsageError
from sluice.percent import percent
from sluice.served.column_keys import key_of

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"  # the value of a category that is missing
MOST_VALUES = 60  # of a category; every one is listed in the contract
_LONG = 40  # characters of a text that nobody chose from a list
_REPEATS = 0.98  # of its rows are different in a column that is no group
_FEWEST_GROUPS = 50
# Why a column of dates is ignored.
DATES = "dates are not read yet: give what they mean as a number, such as days since"
_DATE = re.compile(
    r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ].*)?$"
)
# Two values of which the second one says yes.
_PAIRS = (("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))
_LARGEST_ID = 2**53


@dataclass(frozen=True)
class Choices:
    """What a person says of a table: published names, a value, and the share of the rows that is to
    be flagged; empty or 0 where nothing is said.
    """

    target: str = ""
    positive: str = ""
    id: str = ""
    point: float = 0.0


@dataclass(frozen=True)
class Proposal:
    """What a column is proposed to be, and `why`.

    `values` are texts in order, `low` and `high` limits of a number; `fill` stands for a missing
    one. A `made` id is no column of the table.
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


@dataclass(frozen=True)
class Roles:
    """The proposals in the order of the table, and which value of the target is positive."""

    columns: tuple[Proposal, ...]
    positive: str
    negative: str

    def role(self, role: str) -> tuple[Proposal, ...]:
        """The columns of one role, in order."""
        return tuple(column for column in self.columns if column.role == role)


def propose(frame: "pd.DataFrame", choices: Choices) -> Roles:
    """Propose a role for each column of `frame`, of texts as `sniffing.sniff` gives them.

    Raises UsageError for a choice that is no column or value, Refused where no column can be the
    target.
    """
    names = [str(name) for name in frame.columns]
    for option, name in (("--target", choices.target), ("--id", choices.id)):
        if name and name not in names:
            raise UsageError(f"{option} is {name!r}, no column of the table", _listed(names))
    target = choices.target or _target(frame)
    positive, negative = _classes(frame[target], target, choices.positive)
    identity = choices.id or _identity(frame, target)
    keys = _keys(names)
    columns = []
    for name in names:
        texts = frame[name]
        if name == target:
            columns.append(_of_target(name, keys[name], texts, positive, negative))
        elif name == identity:
            columns.append(_of_id(name, keys[name], texts))
        else:
            columns.append(_of_other(name, keys[name], texts))
    if not identity:
        why = "no column tells the rows apart: a hash of its cells does"
        made = Proposal("row id", _free("row_id", keys), "id", why=why, made=True)
        columns.append(made)
    return Roles(_one_group(columns, frame), positive, negative)


def _target(frame: "pd.DataFrame") -> str:
    """The column to predict: by its name, else the last one with two values."""
    binary = [str(name) for name in frame.columns if _distinct(frame[name]) == 2]
    full = [name for name in binary if not _missing(frame[name])]
    for word in TARGETS:
        for name in full:
            if key_of(name) == word:
                return name
    for name in reversed(full):
        if {"target", "label", "churn", "default", "outcome", "failure"} & _parts(name):
            return name
    if full:
        return full[-1]
    few = [str(name) for name in frame.columns if 2 < _distinct(frame[name]) <= 10]
    what = "no column has two values and none missing; one is required as the target"
    hint = f" Columns with a few values: {', '.join(few[:5])}." if few else ""
    raise Refused(what, f"Name it with --target, its classes joined to two.{hint}")


def _classes(texts: "pd.Series[str]", target: str, positive: str) -> tuple[str, str]:
    """The positive and the negative value: the one that is named, or the rarer one."""
    counts = texts[texts != ""].value_counts()
    counts = counts[counts > 0]
    if _missing(texts):
        what = f"{target} is empty in {_missing(texts):,} rows; a value is required in each"
        raise Refused(what, "Leave these rows out: nothing can be learnt from them.")
    if len(counts) != 2:
        shown = ", ".join(str(value) for value in counts.index[:5])
        what = f"{target} has {len(counts):,} values ({shown}); 2 are required of a target"
        fix = "Join its classes to one against the rest, or name another column with --target."
        if numeric(texts) and len(counts) > MOST_VALUES:
            fix = "Numbers are not predicted: cut it into two classes, or name another --target."
        raise Refused(what, fix)
    values = [str(value) for value in counts.index]  # the more frequent one first
    if positive and positive not in values:
        raise UsageError(
            f"--positive is {positive!r}, no value of {target}", f"It has {' and '.join(values)}."
        )
    chosen = positive or values[1]
    return chosen, values[0] if chosen == values[1] else values[1]


def _identity(frame: "pd.DataFrame", target: str) -> str:
    """The column that tells the rows apart; empty where none does."""
    found = []
    for name in map(str, frame.columns):
        texts = frame[name]
        if name == target or _missing(texts) or _distinct(texts) != len(frame):
            continue
        if numeric(texts) and not _whole(texts):
            continue
        named = bool(_parts(name) & set(IDS))
        if named or not numeric(texts):
            found.append((named, _shortness(texts), name))
    return max(found, key=lambda one: (one[0], one[1]))[2] if found else ""


def _shortness(texts: "pd.Series[str]") -> float:
    """Short texts are ids, long ones are prose."""
    return -float(np.mean([len(str(text)) for text in texts.cat.categories[:1000]]))


def _of_target(
    name: str, key: str, texts: "pd.Series[str]", positive: str, negative: str
) -> Proposal:
    share = float((texts == positive).mean())
    why = f'"{positive}" in {percent(share, 1)} of the rows is what is looked for'
    return Proposal(name, key, "target", why=why, values=(negative, positive))


def _of_id(name: str, key: str, texts: "pd.Series[str]") -> Proposal:
    if _distinct(texts) != len(texts):
        what = f"{name} has {_distinct(texts):,} different values in {len(texts):,} rows"
        raise Refused(
            f"{what}; a value of its own is required in each row of an id",
            "Leave --id out, or name another column.",
        )
    return Proposal(name, key, "id", why="another value in each row")


def _of_other(name: str, key: str, texts: "pd.Series[str]") -> Proposal:
    """A column that is neither target nor id."""
    rows, different, missing = len(texts), _distinct(texts), _missing(texts)
    ignored = _reason_to_ignore(texts, rows, different)
    if _is_group(name, texts, rows, different, missing):
        why = f"{different:,} different values in {rows:,} rows: rows of one stay together"
        return Proposal(name, key, "group", why=why)
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
    if different > MOST_VALUES:
        long = float(np.mean([len(text) for text in present])) > _LONG
        what = "free text" if long else "too many for a list"
        return f"{different:,} different texts, {what}"
    return ""


def _is_group(name: str, texts: "pd.Series[str]", rows: int, different: int, missing: int) -> bool:
    """Whether equal values may well mean the same person or thing in several rows."""
    parts = _parts(name)
    key = bool(parts & {"id", "nbr", "number", "nr", "no", "key", "code"}) and bool(
        parts & (set(GROUPS) - {"nbr"})
    )
    several = _FEWEST_GROUPS <= different <= _REPEATS * rows and different >= rows * 0.02
    return key and several and not missing and (not numeric(texts) or _whole(texts))


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
    why = f"{len(values) - bool(missing)} values{share}"
    if len(values) < 2:
        return Proposal(name, key, "ignored", why="the same value in each row")
    return Proposal(name, key, "feature", "category", why, values, fill=fill, example=usual)


def _number(name: str, key: str, texts: "pd.Series[str]", share: str) -> Proposal:
    numbers = _numbers(texts)
    whole = _whole(texts)
    low, high = _room(float(np.nanmin(numbers)), float(np.nanmax(numbers)), whole=whole)
    middle = float(np.nanmedian(numbers))
    middle = float(math.floor(middle)) if whole else float(f"{middle:.12g}")
    why = f"numbers from {np.nanmin(numbers):,.6g} to {np.nanmax(numbers):,.6g}{share}"
    edges: tuple[float, ...] = ()
    if _parts(name) & set(AGES):
        quarters = np.nanquantile(numbers, (0.25, 0.5, 0.75))
        edges = tuple(sorted({float(math.floor(quarter)) for quarter in quarters}))
        why += "; groups of age are compared"
    kind = "integer" if whole else "number"
    fill = middle if share else None
    return Proposal(
        name, key, "feature", kind, why, (), low, high, fill, example=middle, edges=edges
    )


def _room(low: float, high: float, *, whole: bool) -> tuple[float, float]:
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


def _one_group(columns: Sequence[Proposal], frame: "pd.DataFrame") -> tuple[Proposal, ...]:
    """One group at most, that of the most different values; the others are ignored."""
    groups = [column for column in columns if column.role == "group"]
    if not groups:
        return tuple(columns)
    chosen = max(groups, key=lambda column: _distinct(frame[column.name]))
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


def _missing(texts: "pd.Series[str]") -> int:
    return int((texts == "").sum())


def _numbers(texts: "pd.Series[str]") -> np.ndarray:
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
    return int(np.isnan(_numbers(texts)).sum()) - _missing(texts)


def _whole(texts: "pd.Series[str]") -> bool:
    numbers = _numbers(texts)
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
