"""How surely a release is shown to know more than its best single column, which the gate requires.

Tried out as the floors are: rows are drawn for holdouts of the size that the table gives, and the
quick model and the column are held against each other on each as the gate holds them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate.classes.paired import difference_of, tables_of
from sluice.gate.paired import Difference, at_equal_counts, recall_difference, top

SURELY = 0.9  # of the releases of an honest model
_DRAWS = 200
_SEED = 20_260_102


@dataclass(frozen=True)
class Column:
    """The best single column of a table by its published name, and how it scores rows that it has
    not learnt from, shape (rows,).
    """

    name: str
    scores: np.ndarray


@dataclass(frozen=True)
class Beyond:
    """The share of releases that are shown to find more than this column does, and the times as
    many labelled rows with which SURELY of them are; 1 where these are enough, None where the model
    knows no more.
    """

    column: str
    shown: float
    times: float | None


@dataclass(frozen=True)
class Ranked:
    """Labels, and the scores of a model and of a column, each of shape (rows,); `clusters` are
    numbers, equal in rows that belong together, None where none do.
    """

    labels: np.ndarray
    scores: np.ndarray
    column: Column
    clusters: np.ndarray | None = None


@dataclass(frozen=True)
class Answered:
    """Labels, the places of classes that a model answers and those that the column of this name
    does, each of shape (rows,); `clusters` are as in `Ranked`.
    """

    labels: np.ndarray
    answers: np.ndarray
    column: str
    of_column: np.ndarray
    clusters: np.ndarray | None = None


@dataclass(frozen=True)
class Guessed:
    """How far the median, a model, and the column of this name are off, in the unit of the target,
    each of shape (rows,); `clusters` are as in `Ranked`.
    """

    nothing: np.ndarray
    off: np.ndarray
    column: str
    of_column: np.ndarray
    clusters: np.ndarray | None = None


def beyond(rows: Ranked, holdout: int, flagged: float, level: float) -> Beyond:
    """What holdouts of so many rows show where this share of them is flagged; each limit is
    one-sided at `level`.
    """
    return _found(rows.column.name, list(_differences(rows, holdout, flagged, level)), level)


def beyond_in_classes(rows: Answered, holdout: int, level: float) -> Beyond:
    """The same of the mean recall over several classes."""
    return _found(rows.column, list(_differences_of_means(rows, holdout, level)), level)


def beyond_in_skill(rows: Guessed, holdout: int, level: float) -> Beyond:
    """The same of the skill of a number."""
    return _found(rows.column, list(_differences_of_skills(rows, holdout, level)), level)


def _found(column: str, found: Sequence[Difference], level: float) -> Beyond:
    shown = float(np.mean([one.low > 0 for one in found]))
    if shown >= SURELY:
        return Beyond(column, shown, 1.0)
    values = np.array([one.value for one in found])
    mean, spread = float(values.mean()), float(values.std())
    if mean <= 0:
        return Beyond(column, shown, None)
    # The limit is a quantile below what is measured, which varies by as much.
    reach = float(scipy.stats.norm.isf(level) + scipy.stats.norm.isf(1 - SURELY))
    return Beyond(column, shown, max((reach * spread / mean) ** 2, 1.0))


def labels_needed(found: Beyond, rows: int) -> int | None:
    """The labelled rows of a whole table that are needed, where it has so many, to two digits; None
    where more of them do not help.
    """
    if found.times is None:
        return None
    needed = found.times * rows
    unit = 10 ** max(math.floor(math.log10(needed)) - 1, 0)
    return math.ceil(needed / unit) * unit


def _differences(rows: Ranked, holdout: int, flagged: float, level: float) -> Iterator[Difference]:
    """The recall of the model less that of the column, on each holdout that is drawn."""
    chance = np.random.default_rng(_SEED)
    for _ in range(_DRAWS):
        drawn, clusters = draw(chance, len(rows.labels), holdout, rows.clusters)
        hashes = chance.permutation(len(drawn)).astype(np.uint64)
        count = round(flagged * len(drawn))
        labels = rows.labels[drawn]
        mine = top(rows.scores[drawn], hashes, count)
        theirs = top(rows.column.scores[drawn], hashes, count)
        pairs = at_equal_counts(labels, mine, theirs, clusters)
        yield recall_difference(pairs, level)


def _differences_of_means(rows: Answered, holdout: int, level: float) -> Iterator[Difference]:
    """The mean recall of the model less that of the column, on each holdout that is drawn."""
    chance = np.random.default_rng(_SEED)
    for _ in range(_DRAWS):
        drawn, clusters = draw(chance, len(rows.labels), holdout, rows.clusters)
        labels, mine, theirs = (
            values[drawn] for values in (rows.labels, rows.answers, rows.of_column)
        )
        yield difference_of(tables_of(labels, mine, theirs, clusters), level)


def _differences_of_skills(rows: Guessed, holdout: int, level: float) -> Iterator[Difference]:
    """The skill of the model less that of the column, on each holdout that is drawn. The limits are
    those of a ratio of sums: the gate draws again and again, which is too slow for two hundred.
    """
    chance = np.random.default_rng(_SEED)
    reach = float(scipy.stats.norm.isf(level))
    for _ in range(_DRAWS):
        drawn, clusters = draw(chance, len(rows.off), holdout, rows.clusters)
        units = np.arange(len(drawn)) if clusters is None else clusters
        gained = np.bincount(units, weights=(rows.of_column - rows.off)[drawn])
        nothing = np.bincount(units, weights=rows.nothing[drawn])
        value = float(gained.sum() / nothing.sum())
        error = reach * float(np.sqrt(((gained - value * nothing) ** 2).sum()) / nothing.sum())
        yield Difference(value, value - error, value + error, level)


def draw(
    chance: np.random.Generator, rows: int, count: int, clusters: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The numbers of about so many of the rows, drawn with replacement, and which of these belong
    together. Those that do are drawn together: another table has other groups, and not other rows
    of these.
    """
    if clusters is None:
        return chance.integers(0, rows, count), None
    sizes = np.bincount(clusters)
    order = np.argsort(clusters, kind="stable")
    chosen = chance.integers(0, len(sizes), max(round(count / sizes.mean()), 1))
    many = sizes[chosen]
    first = (np.cumsum(sizes) - sizes)[chosen]
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    drawn = order[np.repeat(first, many) + within]
    return drawn, np.repeat(np.arange(len(chosen)), many)
