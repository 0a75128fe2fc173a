"""Where a search of a family begins and how far it goes, by the size of the table.

What a model can learn is bounded by the rows of the rarer class: a million rows with three hundred
positives teach about as much as a thousand with as many.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sluice.model.fit.training import MOST_LEAVES, Rows
from sluice.model.fit.tuning_file import Parameters

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Table:
    """What a fit of one fold learns from: rows, those of the rarest class, and the columns of the
    matrix, of which so many are quantities.
    """

    rows: int
    rarer: int
    columns: int
    quantities: int


def table_of(rows: Rows, learnt: np.ndarray) -> Table:
    """The table that one fold learns from; `learnt` are the places of its rows."""
    rarer = len(learnt) // 2  # of a number, every row says something, as in two equal classes
    if not rows.of_number:
        rarer = int(np.bincount(rows.labels[learnt], minlength=2).min())
    return Table(
        rows=len(learnt),
        rarer=rarer,
        columns=rows.features.shape[1],
        quantities=sum(rows.numeric),
    )


@dataclass(frozen=True)
class Range:
    """A parameter: where it begins, and the least and the most that is tried.

    Whole numbers are tried evenly, all others evenly by their logarithm.
    """

    name: str
    start: int | float
    least: int | float
    most: int | float

    def times(self, by: float) -> int | float:
        """The start multiplied, within the limits."""
        value = min(max(self.start * by, self.least), self.most)
        return round(value) if isinstance(self.start, int) else float(value)

    def suggested(self, family: str, trial: "optuna.Trial") -> int | float:
        """The next value, which Optuna chooses. A study may have several families."""
        name = f"{family}.{self.name}"
        if isinstance(self.start, int):
            return int(trial.suggest_int(name, int(self.least), int(self.most)))
        return float(trial.suggest_float(name, self.least, self.most, log=True))


@dataclass(frozen=True)
class Space:
    """The parameters of a family: those that are searched, and those that are fixed.

    `beside` are points to look at right after the start, each as what it multiplies the start by:
    one that fits the table more closely, and one that fits it less.
    """

    family: str
    ranges: tuple[Range, ...]
    fixed: Parameters
    beside: tuple[Parameters, ...] = ()

    @property
    def start(self) -> Parameters:
        """Where the search begins, as Optuna has the names."""
        return {f"{self.family}.{one.name}": one.start for one in self.ranges}

    @property
    def neighbours(self) -> list[Parameters]:
        """The points beside the start, as Optuna has the names."""
        return [
            {f"{self.family}.{one.name}": one.times(by.get(one.name, 1)) for one in self.ranges}
            for by in self.beside
        ]

    def suggested(self, trial: "optuna.Trial") -> Parameters:
        """The parameters of the next trial."""
        searched = {one.name: one.suggested(self.family, trial) for one in self.ranges}
        return {**self.fixed, **searched}


def space_of(family: str, table: Table, fixed: Parameters | None = None) -> Space:
    """What is searched of a family for such a table, beside parameters that are fixed. Raises
    KeyError for an unknown family.
    """
    space = _SPACES[family](table)
    return replace(space, fixed={**space.fixed, **(fixed or {})})


def _logistic_regression(table: Table) -> Space:
    bins = _between(table.rarer // 40, 6, 24)
    penalty = min(max(table.rarer / 30_000, 0.02), 0.5)
    ranges = [Range("inverse_penalty", penalty, 0.003, 10.0)]
    fixed: Parameters = {"bins": bins}
    if table.quantities:
        ranges.insert(0, Range("bins", bins, max(bins // 3, 2), 2 * bins))
        fixed = {}
    return Space("logistic_regression", tuple(ranges), fixed)


def _linear_regression(table: Table) -> Space:
    bins = _between(table.rarer // 40, 6, 24)
    ranges = [Range("penalty", 3.0, 0.03, 300.0)]
    fixed: Parameters = {"bins": bins}
    if table.quantities:
        ranges.insert(0, Range("bins", bins, max(bins // 3, 2), 2 * bins))
        fixed = {}
    return Space("linear_regression", tuple(ranges), fixed)


def _gradient_boosting(table: Table) -> Space:
    leaves = _between(round(math.sqrt(table.rarer) / 10), 6, 24)
    iterations = _between(round(20 * math.log10(max(table.rarer, 10)) ** 1.5), 40, 200)
    smallest = _between(table.rows // 300, 10, 100)
    ranges = (
        Range("learning_rate", 0.08, 0.03, 0.25),
        Range("iterations", iterations, iterations // 2, 2 * iterations),
        Range("leaves", leaves, leaves // 3, 3 * leaves),
        Range("smallest_leaf", smallest, smallest // 3, 3 * smallest),
        Range("l2", 1.0, 0.03, 30.0),
    )
    closely: Parameters = {"learning_rate": 1.75, "iterations": 2, "leaves": 0.7, "l2": 0.4}
    less: Parameters = {"iterations": 1.5, "leaves": 0.7, "smallest_leaf": 3, "l2": 5}
    return Space("gradient_boosting", ranges, {}, (closely, less))


def _random_forest(table: Table) -> Space:
    tried = min(max(2 / math.sqrt(table.columns), 0.15), 0.6)
    smallest = _between(table.rarer // 300, 3, 30)
    ranges = (
        Range("columns_tried", tried, tried / 3, min(2 * tried, 1.0)),
        Range("smallest_leaf", smallest, max(smallest // 3, 1), 3 * smallest),
    )
    return Space("random_forest", ranges, {"trees": 100, "leaves": MOST_LEAVES})


_SPACES = {
    "linear_regression": _linear_regression,
    "logistic_regression": _logistic_regression,
    "gradient_boosting": _gradient_boosting,
    "random_forest": _random_forest,
}


def _between(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)
