"""Proposals for dates, categories of many values and weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from sluice.draft.column_words import WEIGHTS
from sluice.percent import percent
from sluice.served.contract import LONGEST
from sluice.served.days import ISO, PATTERNS, day_of, number_of, written

if TYPE_CHECKING:
    import pandas as pd

    from sluice.draft.proposals import Proposal

MOST_FLAGS = 50  # values of a category that have a column each; of more the model looks up a number
FEWEST_ROWS = 20  # of the table with a value that is listed, where there is a value for the others
_MOST_LISTED = 2_000
_LISTED_SHARE = 0.5  # of the rows have a value that is listed; else it is a key or free text
_SURE = 0.999  # of the cells that are not missing are days in one form
_YEARS = 5  # before the first day and after the last one that are taken too
_OTHERS = ("other", "(other)", "others than these")
# Forms that a separator alone does not tell apart: the day is told by a number above twelve.
_READ = tuple(form for form in PATTERNS if form != "YYYYMMDD")


@dataclass(frozen=True)
class Derived:
    """A derived feature that is proposed: its name and its expression."""

    name: str
    expression: str


def form_of(texts: "pd.Series[str]") -> tuple[str, bool]:
    """The form in which the cells of a column are dates, empty where they are none, and whether
    another form would read them, too.
    """
    counts = texts[texts != ""].value_counts()
    counts = counts[counts > 0]
    total = float(counts.sum())
    if not total:
        return "", False
    fits = []
    for form in _READ:
        good = [day_of(str(text), form) is not None for text in counts.index]
        if float(counts[good].sum()) >= _SURE * total:
            fits.append(form)
    return (fits[0], len(fits) > 1) if fits else ("", False)


def as_date(made: "Proposal", texts: "pd.Series[str]") -> "Proposal | None":
    """The proposal of a column with these cells as a date; None where they are no dates."""
    form, unsure = form_of(texts)
    if not form:
        return None
    days = {text: day_of(str(text), form) for text in texts.cat.categories}
    known = sorted(day for day in days.values() if day is not None)
    first, last = known[0], known[-1]
    middle = known[len(known) // 2]
    why = f"dates from {written(first)} to {written(last)}"
    missing = int((texts == "").sum())
    if missing:
        why += f", {percent(missing / len(texts), 1)} missing"
    if unsure:
        why += f"; read as {form}, correct [reading] if the month comes first"
    return replace(
        made,
        role="feature",
        kind="date",
        why=why,
        form=form,
        low=float(number_of(date(max(_year(first) - _YEARS, 1), 1, 1))),
        high=float(number_of(date(min(_year(last) + _YEARS, 9999), 12, 31))),
        keep_missing=bool(missing),
        example=written(middle),
    )


def _year(day: int) -> int:
    return date.fromisoformat(written(day)).year


def one_form(columns: Sequence["Proposal"]) -> tuple["Proposal", ...]:
    """The columns with dates in one form, that of the most of them; the others are ignored."""
    forms = [column.form for column in columns if column.form]
    if not forms:
        return tuple(columns)
    chosen = max(dict.fromkeys(forms), key=forms.count)
    why = f"dates in another form than {chosen}, that of the other columns"
    return tuple(
        replace(column, role="ignored", kind="category", why=why, form="")
        if column.form and column.form != chosen
        else column
        for column in columns
    )


def form_in(columns: Sequence["Proposal"]) -> str:
    """The form of the dates that are fed to the model; the usual one where there is none."""
    return next((column.form for column in columns if column.form), ISO)


def derived_of(columns: Sequence["Proposal"]) -> tuple[Derived, ...]:
    """What dates say: month and weekday of each, the year of the only one, and the days from the
    first of several to each of the others.
    """
    dates = [column for column in columns if column.kind == "date" and column.role == "feature"]
    taken = {column.key for column in columns} | {column.name for column in columns}
    found = []
    for column in dates:
        parts = ("year", "month", "weekday") if len(dates) == 1 else ("month", "weekday")
        found += [Derived(f"{column.key}_{part}", f"{part}({column.key})") for part in parts]
    for column in dates[1:]:
        first = dates[0].key
        name = f"days_from_{first}_to_{column.key}"
        found.append(Derived(name, f"days_between({first}, {column.key})"))
    return tuple(
        replace(each, name=f"{each.name}_of_date") if each.name in taken else each for each in found
    )


def as_many_values(made: "Proposal", texts: "pd.Series[str]") -> "Proposal | None":
    """The proposal of a category with too many values for a column each, or with rare ones: those
    in many rows are listed, and one more stands for all others. None where too few rows have a
    value that many have.
    """
    counts = texts[texts != ""].value_counts()
    frequent = [str(value) for value, count in counts.items() if count >= FEWEST_ROWS]
    listed = frequent[:_MOST_LISTED]
    rows = int(texts.isin(listed).sum())
    if len(listed) < 2 or rows < _LISTED_SHARE * float(counts.sum()):
        return None
    if max(map(len, map(str, counts.index))) > LONGEST:
        return None
    other = next(word for word in (*_OTHERS, "none of these") if word not in counts.index)
    different = int((counts > 0).sum())
    why = f"{different:,} values, {len(listed):,} of them in {FEWEST_ROWS} rows or more"
    missing = int((texts == "").sum())
    if missing:
        why += f", {percent(missing / len(texts), 1)} missing"
    return replace(
        made,
        role="feature",
        kind="category",
        why=why,
        values=(*sorted(listed), other),
        other=other,
        minimum_count=FEWEST_ROWS // 2,
        encoding="target" if len(listed) > MOST_FLAGS else "",
        fill=other if missing else None,
        example=listed[0],
    )


def is_weight(key: str) -> bool:
    """Whether a column is named like what a row counts for."""
    return key in WEIGHTS
