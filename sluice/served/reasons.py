"""Why this score, in words: how it changes when one column at a time is put to what is usual.

The usual value of a column is the middle one of the training rows, or the most common one of a
text. For each row and column the model is asked once more, all in one call. It is the same for
every model and says nothing about causes.
"""

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from sluice.served.contract import Column, Contract
from sluice.served.encoding import assemble
from sluice.served.scoring import Model, score_matrix

METHOD = (
    "Each column alone is put to its usual value in the training rows (the middle one, or the most"
    " common one) and the row is scored again; shown are the columns whose change is largest. It"
    " describes the model, not causes."
)
SHOWN = 3
_LEAST = 0.001  # a smaller change is no reason


class Reason(TypedDict):
    """Why a score is what it is, one column of it: `change` is by how much its value raises the
    probability.
    """

    field: str
    name: str
    value: int | float | str
    usual: int | float | str
    change: float
    text: str


@dataclass(frozen=True)
class Usual:
    """What is usual: for each feature the number that stands for it, and the value as people write
    it.
    """

    numbers: np.ndarray
    values: tuple[Any, ...]


def usual(contract: Contract, reference: Mapping[str, Any]) -> Usual:
    """The usual value of every feature, from the histograms of the training rows; its example where
    there is none.
    """
    numbers = np.array(
        [_usual(column, reference.get(column.key, {})) for column in contract.features]
    )
    return Usual(
        numbers,
        tuple(shown(c, number) for c, number in zip(contract.features, numbers, strict=True)),
    )


def changes(model: Model, numbers: np.ndarray, scores: np.ndarray, at: Usual) -> np.ndarray:
    """By how much each column raises each score against its usual value, shape (rows, features)."""
    rows, features = numbers.shape
    changed = np.repeat(numbers, features, axis=0)
    each = np.tile(np.arange(features), rows)
    changed[np.arange(rows * features), each] = at.numbers[each]
    again = score_matrix(model.session, assemble(model.layout, changed))
    return np.asarray(scores[:, None] - again.reshape(rows, features))


def in_words(
    contract: Contract, numbers: np.ndarray, changed: np.ndarray, at: Usual
) -> list[list[Reason]]:
    """For each row its strongest reasons, strongest first; none where nothing differs from what is
    usual.
    """
    strongest = np.argsort(-np.abs(changed), axis=1, kind="stable")[:, :SHOWN].tolist()
    kept = np.take_along_axis(changed, np.array(strongest), axis=1).tolist()
    return [
        [
            _reason(contract.features[place], number[place], at.values[place], change)
            for place, change in zip(places, by, strict=True)
            if abs(change) >= _LEAST
        ]
        for places, by, number in zip(strongest, kept, numbers.tolist(), strict=True)
    ]


def shown(column: Column, number: float) -> int | float | str:
    """The number that stands for a value, back to the value."""
    if not column.numeric:
        return column.values[int(number)]
    return int(number) if float(number).is_integer() else float(number)


def _reason(column: Column, number: float, other: Any, change: float) -> Reason:
    value = shown(column, number)
    points = f"{abs(change) * 100:.1f} points"
    way = "raises" if change > 0 else "lowers"
    text = (
        f"{column.name} is {_written(value)}, usual is {_written(other)}: {way} the probability by"
        f" {points}."
    )
    return {
        "field": column.key,
        "name": column.name,
        "value": value,
        "usual": other,
        "change": change,
        "text": text,
    }


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _usual(column: Column, cell: Mapping[str, Any]) -> float:
    if not column.numeric:
        counts = {value: cell.get("values", {}).get(value, 0) for value in column.values}
        most = max(counts, key=lambda value: counts[value])
        return float(column.values.index(most if counts[most] else str(column.example or most)))
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    middle = (
        _middle(cell) if any(cell.get("counts", ())) else float(column.example or (low + high) / 2)
    )
    return min(max(float(round(middle)) if column.kind == "integer" else middle, low), high)


def _middle(cell: Mapping[str, Any]) -> float:
    """The median, evenly spread within its bin."""
    sums = list(itertools.accumulate(cell["counts"]))
    place = bisect.bisect_left(sums, sums[-1] / 2)
    low, high = cell["edges"][place : place + 2]
    before = sums[place - 1] if place else 0
    return float(low + (high - low) * (sums[-1] / 2 - before) / cell["counts"][place])
