"""Bad data sets, made from the real one: each is a file that the step which validates has to
refuse, for its reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sluice.served.contract import Column, Contract

Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class BadData:
    """A file with a fault: what is changed, the column that is to be named (empty: none), and the
    rule.
    """

    name: str
    column: str
    finding: str
    change: Change


def data(contract: Contract) -> Iterator[BadData]:
    """Those that can be made of tables under this contract; the first five are the defects of a
    tutorial.
    """
    yield from _of_years(contract)
    if flag := _column(contract, "boolean", "Leadership Opportunities"):
        yield _replaced("opportunities counted from 1 to 3", flag, ["1", "2", "3"])
    if level := _column(contract, "ordinal", "Job Level"):
        yield BadData(
            f"{level.name} has a value nobody listed",
            level.name,
            "unknown category",
            lambda frame: _some(frame, level, "Executive"),
        )
    if degree := _column(contract, "ordinal", "Education Level"):
        yield _replaced(
            f"{degree.name} as places in another order", degree, [str(n) for n in _swapped(degree)]
        )
    if text := _column(contract, "integer", "Monthly Income"):
        yield BadData(
            f"{text.name} with its unit behind it",
            text.name,
            "wrong type",
            lambda frame: _mapped(frame, text, lambda cell: f"{cell} EUR"),
        )
    yield from _of_cells(contract)
    yield from _of_tables(contract)


def _of_years(contract: Contract) -> Iterator[BadData]:
    years = [
        column
        for column in contract.features
        if column.kind == "integer" and column.unit == "years"
    ]
    for column in sorted(years, key=lambda column: column.name != "Years at Company")[:1]:
        yield BadData(f"{column.name} in months", column.name, "out of range", _months(column))
    for column in (column for column in years if column.name == "Age"):
        yield BadData(
            f"{column.name} above {column.maximum:g}", column.name, "out of range", _above(column)
        )


def _months(column: Column) -> Change:
    return lambda frame: _mapped(frame, column, lambda cell: str(12 * int(float(cell))))


def _above(column: Column) -> Change:
    return lambda frame: _some(frame, column, str(int(column.maximum or 0) + 1))


def _of_cells(contract: Contract) -> Iterator[BadData]:
    if whole := next((c for c in contract.features if c.missing != "impute"), None):
        yield BadData(
            f"{whole.name} left empty in some rows",
            whole.name,
            "missing value",
            lambda frame: _some(frame, whole, None),
        )
    target = contract.role("target")[0]
    yield BadData(
        "the answer as 0 and 1",
        target.name,
        "unknown category",
        lambda frame: frame.assign(
            **{
                target.name: (frame[target.name] == contract.target.positive)
                .astype(int)
                .astype(str)
            }
        ),
    )
    yield BadData(
        "one answer for all",
        target.name,
        "one class",
        lambda frame: frame.assign(**{target.name: contract.target.positive}),
    )


def _of_tables(contract: Contract) -> Iterator[BadData]:
    identity, feature = contract.id.name, contract.features[0].name
    yield BadData(
        "rows twice", identity, "duplicate id", lambda frame: pd.concat([frame, frame.head(5)])
    )
    yield BadData(
        "a column left out", "", "missing column", lambda frame: frame.drop(columns=feature)
    )
    yield BadData(
        "a column that nobody described",
        "",
        "unknown column",
        lambda frame: frame.assign(index=np.arange(len(frame))),
    )
    yield BadData("too few rows to begin with", "", "too few rows", lambda frame: frame.head(50))


def _column(contract: Contract, kind: str, name: str) -> Column | None:
    """The feature of this name and kind, else the first of this kind."""
    found = [column for column in contract.features if column.kind == kind]
    return next((column for column in found if column.name == name), found[0] if found else None)


def _swapped(column: Column) -> list[int]:
    """The places of its values, the second and the fourth of them swapped where there are four."""
    places = list(range(1, len(column.values) + 1))
    if len(places) > 3:
        places[1], places[3] = places[3], places[1]
    return places


def _replaced(name: str, column: Column, values: list[str]) -> BadData:
    """Each value as one of these texts, in turn."""
    turn = {value: values[place % len(values)] for place, value in enumerate(column.values)}
    if len(values) > len(column.values):

        def change(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.assign(
                **{column.name: np.resize(np.array(values, dtype=object), len(frame))}
            )
    else:

        def change(frame: pd.DataFrame) -> pd.DataFrame:
            return _mapped(frame, column, lambda cell: turn.get(cell, cell))

    return BadData(name, column.name, "unknown category", change)


def _mapped(frame: pd.DataFrame, column: Column, change: Callable[[str], str]) -> pd.DataFrame:
    """Every cell of a column that is not empty changed."""
    return frame.assign(
        **{
            column.name: [
                change(cell) if isinstance(cell, str) else cell for cell in frame[column.name]
            ]
        }
    )


def _some(frame: pd.DataFrame, column: Column, value: str | None) -> pd.DataFrame:
    """Every tenth cell of a column with this in it."""
    cells = frame[column.name].astype(object).to_numpy().copy()
    cells[::10] = value
    return frame.assign(**{column.name: cells})
