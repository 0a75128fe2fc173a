"""What a contract lacks for a newer table: values, ranges and columns, as changes to its text.

Comments and all other lines stay as a person wrote them. What takes a decision is told and not
changed: where a value of an order belongs, what a third value of a yes or no is.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.draft import proposals
from sluice.draft.sniffing import Sniffed
from sluice.draft.sorts import FEWEST_ROWS
from sluice.errors import UsageError
from sluice.served.cells import day_in_table
from sluice.served.contract import Column, Target, load_contract
from sluice.served.days import written
from sluice.toml_text import read_toml

if TYPE_CHECKING:
    import pandas as pd

_HEADER = re.compile(r"\s*\[\s*columns\s*\.(.+)\]\s*(?:#.*)?")
_SHOWN = 5  # values of a column that a sentence lists

Value = str | float | int | list[str]


@dataclass(frozen=True)
class Change:
    """A key of a column that is proposed to have another value, and why."""

    column: str
    key: str
    value: Value
    why: str


@dataclass(frozen=True)
class Update:
    """The text of a contract with what is proposed, the changes in it, and what a person has to
    decide, a sentence each.
    """

    text: str
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]


def update(text: str, source: str, sniffed: Sniffed) -> Update:
    """Propose what a table needs of a contract; `text` is that of its file, `source` its name.

    Raises UsageError where the contract is wrong as it is.
    """
    contract = load_contract(text, source)
    names = [str(name) for name in sniffed.frame.columns]
    changes: list[Change] = []
    remarks = [
        f'Missing is written "{token}": add it to missing in [reading].'
        for token in sniffed.reading.missing
        if token not in contract.reading.missing
    ]
    for column in contract.columns:
        if column.role == "ignored" or column.made:
            continue
        if column.name not in names and column.key not in names:
            remarks.append(f"The table has no column {column.name!r}, and the contract needs it.")
            continue
        name = column.name if column.name in names else column.key
        for found in _of(column, sniffed.frame[name], contract.target):
            if isinstance(found, Change):
                changes.append(found)
            else:
                remarks.append(found)
    edited = text
    done: list[Change] = []
    for change in changes:
        after = _edited(edited, change)
        if after is None:
            shown = f"{change.key} = {_literal(change.value)}"
            remarks.append(f"{change.column}: write {shown} ({change.why}); its text is unusual.")
        else:
            edited = after
            done.append(change)
    for name in names:
        if contract.find(name) is None:
            why = "new: a feature only where you say so, and give it a kind"
            edited += f'\n[columns.{_literal(name)}]\n# {why}\nrole = "ignored"\n'
            done.append(Change(name, "role", "ignored", why))
    load_contract(edited, source)
    return Update(edited, tuple(done), tuple(remarks))


def _of(column: Column, texts: "pd.Series[str]", target: Target) -> Iterator[Change | str]:
    """What is proposed, or told, of one column."""
    if column.role == "target":
        if target.quantity:
            yield from _of_number_to_predict(column, texts)
        else:
            yield from _of_target(column, texts, target)
        return
    if column.role in ("id", "group"):
        return
    if column.kind == "date":
        yield from _of_dates(column, texts)
    elif column.numeric:
        yield from _of_number(column, texts)
    elif column.other:
        yield from _of_any_texts(column, texts)
    else:
        yield from _of_texts(column, texts)


def _of_target(column: Column, texts: "pd.Series[str]", target: Target) -> Iterator[str]:
    """What became of rows is never changed: a value more or less is a decision."""
    new = _new_values(column, texts)
    if new and not target.several:
        yield f"The target {column.name} has {_listed(new)}; leave these rows out."
    elif new:
        yield (
            f"The target {column.name} has {_listed(new)}: leave these rows out, or write a class"
            " of its own, with a floor in the policy."
        )
    for name in target.classes:
        if not (texts == name).any():
            yield f"No row has the class {name!r} of {column.name}: a release needs rows of each."


def _of_number_to_predict(column: Column, texts: "pd.Series[str]") -> Iterator[str]:
    """What became of rows is never changed: a wider range is another answer, to another question,
    and a cell without a number is a row that is left out.
    """
    numbers = proposals.numbers_of(texts)
    known = numbers[~np.isnan(numbers)]
    if len(known) < len(numbers):
        yield f"The target {column.name}: {_cells(len(numbers) - len(known))} no number."
    low, high = column.minimum, column.maximum
    if low is None or high is None:
        return
    beyond = int(((known < low) | (known > high)).sum())
    if beyond:
        unit = f" {column.unit}" if column.unit else ""
        yield (
            f"The target {column.name} lies outside of {low:.12g} to {high:.12g}{unit} in"
            f" {_rows(beyond)}, from {known.min():.12g} to {known.max():.12g}: correct these, or"
            " widen minimum and maximum, which makes it another model."
        )
    if column.kind == "integer" and (known != np.floor(known)).any():
        yield f"The target {column.name} has fractions, and its kind is integer."


def _of_number(column: Column, texts: "pd.Series[str]") -> Iterator[Change | str]:
    numbers = proposals.numbers_of(texts)
    known = numbers[~np.isnan(numbers)]
    missing = int((texts == "").sum())
    unread = len(numbers) - len(known) - missing
    if unread:
        yield f"{column.name}: {_cells(unread)} no number."
    if not len(known):
        return
    low, high = float(known.min()), float(known.max())
    whole = column.kind == "integer" and bool((known == np.floor(known)).all())
    if column.kind == "integer" and not whole:
        yield Change(column.name, "kind", "number", "it has fractions")
    room = proposals.room(low, high, whole=whole)
    if column.minimum is not None and low < column.minimum:
        yield Change(column.name, "minimum", _number(room[0], whole), f"{low:g} was seen")
    if column.maximum is not None and high > column.maximum:
        yield Change(column.name, "maximum", _number(room[1], whole), f"{high:g} was seen")
    if missing and column.missing == "refuse":
        yield Change(column.name, "missing", "keep", f"{_cells(missing)} empty")


def _of_dates(column: Column, texts: "pd.Series[str]") -> Iterator[Change | str]:
    counts = texts[texts != ""].value_counts()
    days = {str(text): day_in_table(column, str(text)) for text in counts.index}
    unread = sum(int(counts[text]) for text, day in days.items() if day is None and counts[text])
    if unread:
        yield f"{column.name}: {_cells(unread)} no date as {column.reading.date}."
    known = [day for text, day in days.items() if day is not None and counts[text]]
    if known and column.minimum is not None and min(known) < column.minimum:
        yield f"{column.name}: {written(min(known))} was seen; write an earlier minimum."
    if known and column.maximum is not None and max(known) > column.maximum:
        yield f"{column.name}: {written(max(known))} was seen; write a later maximum."
    missing = int((texts == "").sum())
    if missing and column.missing == "refuse":
        yield Change(column.name, "missing", "keep", f"{_cells(missing)} empty")


def _of_any_texts(column: Column, texts: "pd.Series[str]") -> Iterator[Change | str]:
    """Values that many rows have by now, and what stands for a missing one."""
    counts = {
        value: count
        for value, count in _new_values(column, texts).items()
        if count >= max(column.minimum_count, FEWEST_ROWS)
    }
    if counts:
        values = [*column.values, *sorted(counts)]
        yield Change(column.name, "values", values, f"{_listed(counts)} seen")
    missing = int((texts == "").sum())
    if missing and column.missing == "refuse":
        yield Change(column.name, "fill", column.other, "it stands for the others")
        yield Change(column.name, "missing", "impute", f"{_cells(missing)} empty")


def _of_texts(column: Column, texts: "pd.Series[str]") -> Iterator[Change | str]:
    counts = _new_values(column, texts)
    missing = int((texts == "").sum()) if column.missing == "refuse" else 0
    if counts and column.kind != "category":
        what = "its values have an order" if column.kind == "ordinal" else "it knows two values"
        yield f"{column.name} has {_listed(counts)}; {what}, so write where these belong."
        return
    if len(column.values) + len(counts) > proposals.MOST_VALUES:
        yield f"{column.name} has {len(counts):,} new values; is it free text or a key by now?"
        return
    values = [*column.values, *sorted(counts)]
    if missing and column.role == "feature" and proposals.UNKNOWN not in values:
        values.append(proposals.UNKNOWN)
    if values != list(column.values):
        why = f"{_listed(counts)} seen" if counts else "stands for a missing one"
        yield Change(column.name, "values", values, why)
    if missing:
        kept = column.role == "protected"
        if not kept:
            yield Change(column.name, "fill", proposals.UNKNOWN, "a value of its own")
        how = "keep" if kept else "impute"
        yield Change(column.name, "missing", how, f"{_cells(missing)} empty")


def _new_values(column: Column, texts: "pd.Series[str]") -> dict[str, int]:
    """The values that a column does not have yet, and how many rows have them."""
    counts = texts[~texts.isin([*column.values, ""])].value_counts()
    return {str(value): int(count) for value, count in counts.items() if count}


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f'"{value}" in {_rows(count)}' for value, count in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more values" if more else "")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _cells(number: int) -> str:
    return "1 cell is" if number == 1 else f"{number:,} cells are"


def _number(value: float, whole: bool) -> float | int:
    return int(value) if whole else value


def _literal(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _edited(text: str, change: Change) -> str | None:
    """The text with one key of one column set; None where that would touch anything else."""
    lines = text.splitlines()
    start, end = _section(lines, change.column)
    if start < 0:
        return None
    written = f"{change.key} = {_literal(change.value)}"
    first, last = _entry(lines, start + 1, end, change.key)
    if first < 0:
        first, last = _entry(lines, start + 1, end, "role")
        after = [*lines[:last], written, *lines[last:]]
    elif last - first > 1 and isinstance(change.value, list):
        after = [*lines[:first], *_longer(lines[first:last], change.value), *lines[last:]]
    else:
        _, hash_, comment = lines[first].partition("  #")
        after = [*lines[:first], written + hash_ + comment, *lines[last:]]
    edited = "\n".join(after) + "\n"
    wanted = copy.deepcopy(_parsed(text))
    wanted["columns"][change.column][change.key] = change.value
    try:
        return edited if _parsed(edited) == wanted else None
    except UsageError:
        return None


def _parsed(text: str) -> dict[str, Any]:
    return read_toml(text, "the contract")


def _section(lines: list[str], column: str) -> tuple[int, int]:
    """The line of the header of a column and that of the next header; -1 where it has none."""
    start = -1
    for place, line in enumerate(lines):
        if start >= 0 and line.startswith("["):
            return start, place
        found = _HEADER.fullmatch(line)
        if found and _name(found[1]) == column:
            start = place
    return start, len(lines)


def _name(key: str) -> str:
    try:
        return next(iter(_parsed(f"{key} = 0")), "")
    except UsageError:
        return ""


def _entry(lines: list[str], start: int, end: int, key: str) -> tuple[int, int]:
    """The lines of a key and its value, from the first to behind the last; -1 where it has none."""
    for first in range(start, end):
        if not re.match(rf"\s*{key}\s*=", lines[first]):
            continue
        for last in range(first + 1, end + 1):
            try:
                _parsed("\n".join(lines[first:last]))
            except UsageError:
                continue
            return first, last
    return -1, -1


def _longer(lines: list[str], values: list[str]) -> list[str]:
    """An array over several lines with the values behind its own that it lacks."""
    own = next(iter(_parsed("\n".join(lines)).values()))
    *body, end = lines
    bare, hash_, comment = body[-1].partition("  #")
    if not bare.rstrip().endswith((",", "[")):
        body[-1] = f"{bare.rstrip()},{hash_}{comment}"
    return [*body, *(f"  {_literal(value)}," for value in values if value not in own), end]
