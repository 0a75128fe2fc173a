"""Bad data sets, made from the real one: the step that validates has to refuse each of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sluice.served.contract import Column, Contract
from sluice.served.quantity import Quantity

Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class BadData:
    """A file with a fault.

    `change` makes it from the real one; `column` is the column that is to be named (empty: none),
    `finding` the rule.
    """

    name: str
    column: str
    finding: str
    change: Change


def data(contract: Contract) -> Iterator[BadData]:
    """The faults that can be made of tables under this contract.

    The first five are the defects of a tutorial that is well known for these data.
    """
    yield from _of_years(contract)
    yield from _of_categories(contract)
    text = _column(contract, "integer", "Monthly Income")
    if text:
        name = f"{text.name} with its unit behind it"
        yield BadData(name, text.name, "wrong type", _each(text, lambda cell: f"{cell} EUR"))
    yield from _of_cells(contract)
    if contract.target.quantity:
        yield from _of_number(contract, contract.target.quantity)
    else:
        yield from _of_target(contract)
    yield from _of_tables(contract)


def _of_years(contract: Contract) -> Iterator[BadData]:
    years = [
        column
        for column in contract.features
        if column.kind == "integer" and column.unit == "years"
    ]
    tenures = [column for column in years if column.name == "Years at Company"]
    for column in (tenures or years)[:1]:
        change = _each(column, lambda cell: str(12 * int(float(cell))))
        yield BadData(f"{column.name} in months", column.name, "out of range", change)
    for column in years:
        if column.name == "Age":
            highest = column.maximum or 0
            change = _every_tenth(column, str(int(highest) + 1))
            yield BadData(f"{column.name} above {highest:g}", column.name, "out of range", change)


def _of_categories(contract: Contract) -> Iterator[BadData]:
    flag = _column(contract, "boolean", "Leadership Opportunities")
    if flag:
        change = _in_turn(flag, ["1", "2", "3"])
        name = "opportunities counted from 1 to 3"
        yield BadData(name, flag.name, "unknown category", change)
    level = _column(contract, "ordinal", "Job Level")
    if level:
        change = _every_tenth(level, "Executive")
        name = f"{level.name} has a value nobody listed"
        yield BadData(name, level.name, "unknown category", change)
    degree = _column(contract, "ordinal", "Education Level")
    if degree:
        places = dict(zip(degree.values, _swapped(degree), strict=True))
        change = _each(degree, lambda cell: places.get(cell, cell))
        name = f"{degree.name} as places in another order"
        yield BadData(name, degree.name, "unknown category", change)


def _of_cells(contract: Contract) -> Iterator[BadData]:
    required = next((column for column in contract.features if column.missing == "refuse"), None)
    if required:
        change = _every_tenth(required, None)
        name = f"{required.name} left empty in some rows"
        yield BadData(name, required.name, "missing value", change)


def _of_target(contract: Contract) -> Iterator[BadData]:
    target = contract.role("target")[0]
    name, outcomes = target.name, list(contract.target.outcomes)

    def as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
        places = [outcomes.index(cell) if cell in outcomes else cell for cell in frame[name]]
        return frame.assign(**{name: [str(place) for place in places]})

    def all_alike(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{name: outcomes[-1]})

    numbers = "0 and 1" if len(outcomes) == 2 else "numbers"
    if not {str(place) for place, _ in enumerate(outcomes)} & set(outcomes):
        yield BadData(f"the answer as {numbers}", name, "unknown category", as_numbers)
    yield BadData("one answer for all", name, "one class", all_alike)


def _of_number(contract: Contract, quantity: Quantity) -> Iterator[BadData]:
    target = contract.role("target")[0]
    beyond = _every_tenth(target, f"{2 * abs(quantity.high) + 1:g}")
    yield BadData("outcomes beyond their range", target.name, "out of range", beyond)
    words = _every_tenth(target, "about average")
    yield BadData("outcomes in words", target.name, "wrong type", words)
    same = _each(target, lambda _: f"{quantity.low:g}")
    yield BadData("one outcome for all", target.name, "constant column", same)


def _of_tables(contract: Contract) -> Iterator[BadData]:
    identity, feature = contract.id.name, contract.features[0].name

    def repeated(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.head(5)])

    def without_column(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.drop(columns=feature)

    def with_index(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(index=np.arange(len(frame)))

    def few(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.head(50)

    yield BadData("rows twice", identity, "duplicate id", repeated)
    yield BadData("a column left out", "", "missing column", without_column)
    yield BadData("a column that nobody described", "", "unknown column", with_index)
    yield BadData("too few rows to begin with", "", "too few rows", few)


def _column(contract: Contract, kind: str, name: str) -> Column | None:
    """The feature of this name and kind, else the first of this kind; None for none."""
    columns = [column for column in contract.features if column.kind == kind]
    for column in columns:
        if column.name == name:
            return column
    return columns[0] if columns else None


def _swapped(column: Column) -> list[str]:
    """The place of each value as text; the second and the fourth change places, if there are."""
    places = [str(place) for place, _ in enumerate(column.values, 1)]
    if len(places) > 3:
        places[1], places[3] = places[3], places[1]
    return places


def _in_turn(column: Column, texts: list[str]) -> Change:
    """Each cell becomes one of these texts.

    More texts than values go through the rows in turn; else each value has its own text.
    """

    def by_row(frame: pd.DataFrame) -> pd.DataFrame:
        cells = np.resize(np.array(texts, dtype=object), len(frame))
        return frame.assign(**{column.name: cells})

    if len(texts) > len(column.values):
        return by_row
    by_value = dict(zip(column.values, texts * len(column.values), strict=False))
    return _each(column, lambda cell: by_value.get(cell, cell))


def _each(column: Column, change: Callable[[str], str]) -> Change:
    """Change every cell of a column that is not empty."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        cells = [change(cell) if isinstance(cell, str) else cell for cell in frame[column.name]]
        return frame.assign(**{column.name: cells})

    return changed


def _every_tenth(column: Column, value: str | None) -> Change:
    """Put a value into every tenth cell of a column; None empties it."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        cells = frame[column.name].astype(object).to_numpy().copy()
        cells[::10] = value
        return frame.assign(**{column.name: cells})

    return changed
