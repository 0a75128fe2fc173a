"""Why this score, in words: how it changes when one column at a time is put to what is usual.

The usual value of a column is the middle one of the training rows, or the most common one of a
text. For each row and column the model is asked once more, all in one call. The method is the same
for every model, and says nothing about causes.
"""

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.encoding import assemble
from sluice.served.histograms import NO_ROWS, Histogram
from sluice.served.scoring import Model, score_matrix

METHOD = (
    "Each column alone is put to its usual value in the training rows (the middle one, or the most"
    " common one) and the row is scored again; shown are the columns whose change is largest. It"
    " describes the model, not causes."
)
SHOWN = 3  # reasons of a row
_LEAST = 0.001  # of probability; a smaller change is no reason


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a score is what it is, one column of it.

    `change` is by how much its value, and not the usual one, raises the probability.
    """

    field: str
    name: str
    value: int | float | str
    usual: int | float | str
    change: float
    text: str


@dataclass(frozen=True)
class Usual:
    """What is usual for each feature, in the order of the contract.

    `numbers` is float64, shape (features,), a text by its place among the values of its column;
    `values` are the same as people write them.
    """

    numbers: np.ndarray
    values: tuple[int | float | str, ...]


def usual(contract: Contract, reference: Mapping[str, Histogram]) -> Usual:
    """The usual value of every feature, from the histograms of the training rows by column key.

    A feature without one has its example, or the middle of what is allowed.
    """
    numbers: list[float] = []
    values: list[int | float | str] = []
    for column in contract.features:
        histogram = reference.get(column.key, NO_ROWS)
        number = _usual_number(column, histogram) if column.numeric else _most(column, histogram)
        numbers.append(number)
        values.append(shown(column, number))
    return Usual(np.array(numbers), tuple(values))


def changes(model: Model, numbers: np.ndarray, scores: np.ndarray, at: Usual) -> np.ndarray:
    """By how much each column raises each score against its usual value.

    `numbers` is float64, shape (rows, features), `scores` float64, shape (rows,), the probabilities
    of these rows. The result is float64, shape (rows, features), in probability: above zero where
    the score is higher than with the usual value.
    """
    rows, features = numbers.shape
    # Each row as often as there are features; in its n-th copy feature n has its usual value.
    changed = np.repeat(numbers, features, axis=0)
    column_of_copy = np.tile(np.arange(features), rows)
    changed[np.arange(rows * features), column_of_copy] = at.numbers[column_of_copy]
    changed_scores = score_matrix(model.session, assemble(model.layout, changed))
    return np.asarray(scores[:, None] - changed_scores.reshape(rows, features))


def in_words(
    contract: Contract, numbers: np.ndarray, changed: np.ndarray, at: Usual
) -> list[list[Reason]]:
    """For each row its strongest reasons, at most SHOWN of them, strongest first.

    `numbers` and `changed`, what `changes` returns for them, have the shape (rows, features). A row
    in which nothing differs from what is usual has no reasons.
    """
    # A stable sort: of two equal changes the one of the earlier column comes first.
    strongest = np.argsort(-np.abs(changed), axis=1, kind="stable")[:, :SHOWN]
    sizes = np.take_along_axis(changed, strongest, axis=1)
    rows = zip(strongest.tolist(), sizes.tolist(), numbers.tolist(), strict=True)
    return [_of_row(contract, row, places, sizes, at) for places, sizes, row in rows]


def _of_row(
    contract: Contract, row: list[float], places: list[int], sizes: list[float], at: Usual
) -> list[Reason]:
    """The reasons of one row: the columns at these places, with their changes."""
    reasons: list[Reason] = []
    for place, change in zip(places, sizes, strict=True):
        if abs(change) >= _LEAST:
            column = contract.features[place]
            reasons.append(_reason(column, row[place], at.values[place], change))
    return reasons


def shown(column: Column, number: float) -> int | float | str:
    """The number that stands for a value, back to the value."""
    if not column.numeric:
        return column.values[int(number)]
    return int(number) if float(number).is_integer() else float(number)


def _reason(column: Column, number: float, other: int | float | str, change: float) -> Reason:
    """One reason: the value of a row, the usual one (`other`), and the change in probability."""
    value = shown(column, number)
    points = f"{abs(change) * 100:.1f} points"
    way = "raises" if change > 0 else "lowers"
    text = (
        f"{column.name} is {_written(value)}, usual is {_written(other)}: {way} the probability by"
        f" {points}."
    )
    return Reason(column.key, column.name, value, other, change, text)


def _written(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _most(column: Column, histogram: Histogram) -> float:
    """The place of the most common value of a column of texts; of equals the first one's."""
    seen = histogram.values or {}
    counts = [seen.get(value, 0) for value in column.values]
    most = max(counts)
    if not most and column.example is not None:
        return float(column.values.index(str(column.example)))
    return float(counts.index(most))


def _usual_number(column: Column, histogram: Histogram) -> float:
    """The median of a numeric column, whole where the column is, and within its limits."""
    low = float(column.minimum or 0)
    high = float(column.maximum or 0)
    if any(histogram.counts):
        number = _median(histogram)
    else:
        number = float(column.example or (low + high) / 2)
    if column.kind == "integer":
        number = float(round(number))
    return min(max(number, low), high)


def _median(histogram: Histogram) -> float:
    """The median, the rows of each bin taken as evenly spread over it."""
    sums = list(itertools.accumulate(histogram.counts))
    half = sums[-1] / 2
    index = bisect.bisect_left(sums, half)
    low, high = histogram.edges[index : index + 2]
    before = sums[index - 1] if index else 0
    return float(low + (high - low) * (half - before) / histogram.counts[index])
