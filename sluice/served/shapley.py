"""What each column adds to a score: Shapley values, sampled in a fixed way.

A row is turned into the score of others column by column: it starts as one of the background rows,
takes over one value after the other, and each step is counted for the column that it changed. All
steps together lead from the score of the background row to that of the row, so what the columns add
sums up to the score less the baseline, the mean score of the background rows. The mean over several
orders and background rows is the (interventional) Shapley value, for every kind of model; how far
it may be off is its standard error.

Background rows follow the histograms of the training rows column by column: they are of nobody.
"""

import bisect
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.encoding import Layout, mixed, positions, read_day
from sluice.served.histograms import NO_ROWS, Histogram
from sluice.served.scoring import PROBABILITIES, Session, output_of, score_matrix

BACKGROUND = 32  # rows that a row is compared with
_LARGEST_RUN = 20_000  # rows that the model is asked about in one call; bounds the memory


@dataclass(frozen=True)
class Background:
    """What rows are compared with, made once for a model.

    `numbers` is float64, shape (background, features); `scores`, shape (background,), are their
    probabilities, or the numbers that are answered, and `baseline` the mean of these. `orders` has
    for each background row an order of the columns, shape (background, features), which is also
    gone through backwards.
    `taken`, boolean, shape (background, 2, features - 1, features), says which columns have the
    value of the explained row after each step but the last.
    """

    numbers: np.ndarray
    scores: np.ndarray
    baseline: float
    orders: np.ndarray
    taken: np.ndarray
    output: str = PROBABILITIES

    @property
    def cost(self) -> int:
        """The rows that the model is asked about to explain one row."""
        return int(np.prod(self.taken.shape[:3]))


@dataclass(frozen=True)
class Contributions:
    """What each column adds to each score, in its unit, and the standard error of that.

    Both are float64, shape (rows, features). `values` of a row sum up to its score less the
    baseline.
    """

    values: np.ndarray
    errors: np.ndarray


def background(
    contract: Contract,
    reference: Mapping[str, Histogram],
    session: Session,
    layout: Layout,
    rows: int = BACKGROUND,
) -> Background:
    """The background of a model, from the histograms of its training rows by column key.

    Always the same for the same contract and histograms. A column without histogram has its
    example, or the middle of what is allowed.
    """
    random = _Shuffle(contract)
    spread = []
    for column in contract.features:
        values = _spread(column, reference.get(column.key, NO_ROWS), rows)
        spread.append(values[random.order(rows)])
    numbers = np.column_stack(spread)
    orders = np.array([random.order(numbers.shape[1]) for _ in range(rows)])
    output = output_of(contract)
    scores = score_matrix(session, mixed(layout, numbers), output)
    return Background(numbers, scores, float(scores.mean()), orders, _taken(orders), output)


def contributions(
    session: Session, layout: Layout, at: Background, numbers: np.ndarray, scores: np.ndarray
) -> Contributions:
    """What each column adds to these scores.

    `numbers` is float64, shape (rows, features), `scores` float64, shape (rows,), what is answered
    to these rows. Asks the model about `at.cost` rows for each row.
    """
    step = max(1, _LARGEST_RUN // max(1, at.cost))
    values = np.empty(numbers.shape)
    errors = np.empty(numbers.shape)
    for start in range(0, len(numbers), step):
        part = slice(start, start + step)
        paths = _paths(session, layout, at, numbers[part], scores[part])
        each = _by_column(at, paths)
        values[part] = each.mean(axis=1)
        errors[part] = each.std(axis=1, ddof=1) / np.sqrt(len(at.numbers))
    return Contributions(values, errors)


def _paths(
    session: Session, layout: Layout, at: Background, numbers: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """The scores along all ways, shape (rows, background, 2, features + 1)."""
    rows, features = numbers.shape
    shape = (rows, *at.taken.shape)
    own = np.broadcast_to(numbers[:, None, None, None, :], shape)
    others = np.broadcast_to(at.numbers[None, :, None, None, :], shape)
    between = np.where(at.taken[None], own, others).reshape(-1, features)
    paths = np.empty((*shape[:3], features + 1))
    paths[..., 0] = at.scores[None, :, None]
    paths[..., -1] = scores[:, None, None]
    if len(between):
        scored = score_matrix(session, mixed(layout, between), at.output)
        paths[..., 1:-1] = scored.reshape(shape[:4])
    return paths


def _by_column(at: Background, paths: np.ndarray) -> np.ndarray:
    """What each column changed beside each background row, shape (rows, background, features)."""
    steps = np.diff(paths, axis=-1)
    columns = np.argsort(at.orders, axis=1)[None]  # at which step each column had its turn
    forwards = np.take_along_axis(steps[:, :, 0], columns, axis=2)
    backwards = np.take_along_axis(steps[:, :, 1, ::-1], columns, axis=2)
    return np.asarray((forwards + backwards) / 2)


def _taken(orders: np.ndarray) -> np.ndarray:
    """Which columns are taken over after each step but the last, as Background holds it."""
    rows, features = orders.shape
    place = np.argsort(orders, axis=1)  # of each column in the order
    steps = np.arange(1, features)[None, :, None]
    forwards = place[:, None, :] < steps
    backwards = (features - 1 - place)[:, None, :] < steps
    return np.stack([forwards, backwards], axis=1).reshape(rows, 2, features - 1, features)


class _Shuffle:
    """Orders that are the same on every machine: of the bits of a generator, nothing of numpy's
    own, which may change what it makes of them.
    """

    def __init__(self, contract: Contract) -> None:
        keys = "\n".join(column.key for column in contract.features)
        seed = int.from_bytes(hashlib.sha256(keys.encode()).digest()[:8])
        self._bits = np.random.PCG64(seed)

    def order(self, count: int) -> np.ndarray:
        """The numbers from 0 to `count` in some order."""
        return np.argsort(self._bits.random_raw(count), kind="stable")


def _spread(column: Column, histogram: Histogram, rows: int) -> np.ndarray:
    """Values of a column at equal steps through its histogram, shape (rows,), as numbers."""
    if not column.numeric:
        return _spread_texts(column, histogram, rows)
    filled = 0
    if column.missing == "impute" or column.kept:
        filled = histogram.missing
    counts = [filled, *histogram.counts]
    if not any(histogram.counts):
        return np.full(rows, _middle(column))
    sums = list(itertools.accumulate(counts))
    values = np.empty(rows)
    for row in range(rows):
        at = sums[-1] * (row + 0.5) / rows
        cell = bisect.bisect_right(sums, at)
        if cell == 0:
            values[row] = np.nan if column.kept else float(str(column.fill))
            continue
        low, high = histogram.edges[cell - 1 : cell + 1]
        values[row] = low + (high - low) * (at - sums[cell - 1]) / counts[cell]
    return _within(column, values)


def _spread_texts(column: Column, histogram: Histogram, rows: int) -> np.ndarray:
    """The same for a column of texts: places among its values."""
    seen = histogram.values or {}
    counts = [seen.get(value, 0) for value in column.values]
    if column.missing == "impute":
        counts[int(positions(column)[column.fill])] += histogram.missing
    if not any(counts):
        return np.full(rows, float(column.values.index(_example(column))))
    sums = list(itertools.accumulate(counts))
    steps = [sums[-1] * (row + 0.5) / rows for row in range(rows)]
    return np.array([float(bisect.bisect_right(sums, at)) for at in steps])


def _example(column: Column) -> str:
    return column.values[0] if column.example is None else str(column.example)


def _middle(column: Column) -> float:
    """The example of a numeric column, or the middle of its limits."""
    if column.kind == "date" and column.example is not None:
        return read_day(column, column.example)
    if column.example is not None:
        return float(column.example)
    middle = (float(column.minimum or 0) + float(column.maximum or 0)) / 2
    return float(_within(column, np.array([middle]))[0])


def _within(column: Column, values: np.ndarray) -> np.ndarray:
    """Numbers as the column allows them: whole where it is, and within its limits."""
    if column.kind in ("integer", "date"):
        values = np.floor(values + 0.5)
    return np.clip(values, float(column.minimum or 0), float(column.maximum or 0))
