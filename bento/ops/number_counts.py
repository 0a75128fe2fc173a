"""How answers of a model of a number are counted: by side of the plausible range, by bin of the
model, and by hundredth of the range.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.served.quantity import Quantity, binned
from sluice.served.quantity_cells import INSIDE, OUTSIDE, cells, limits_of, names_of, outside

_SIDES = (INSIDE, OUTSIDE)
_EVERY = 10  # of the limits is one of the histogram that people look at


@dataclass(frozen=True)
class NumberCounts:
    """The labels that answers are counted under. `bins` are the limits of those of the model."""

    quantity: Quantity
    bins: tuple[float, ...]
    limits: tuple[float, ...]

    @property
    def edges(self) -> tuple[float, ...]:
        """The upper limits of the histogram that people look at."""
        return self.limits[::_EVERY]

    @property
    def help(self) -> str:
        """What that histogram is of."""
        unit = f", in {self.quantity.unit}" if self.quantity.unit else ""
        return f"Numbers that were answered{unit}"

    def begun(self) -> Iterator[tuple[str, str, str]]:
        """The labels of `judged` that are there from the start: a judge has to know every limit."""
        for name in names_of(self.limits):
            yield INSIDE, INSIDE, name

    def judged(self, answers: np.ndarray) -> Iterator[tuple[str, str, str]]:
        """The labels of each answer, shape (rows,), that a version is judged by: side, the same as
        tier, and hundredth of the range, `none` for what is no number.
        """
        names, places = names_of(self.limits), cells(answers, self.limits).tolist()
        sides = outside(answers, self.quantity).tolist()
        for answer, place, beyond in zip(answers.tolist(), places, sides, strict=True):
            side = _SIDES[beyond]
            yield side, side, names[place] if math.isfinite(answer) else "none"

    def predictions(self, answers: np.ndarray) -> Iterator[tuple[str, str, int]]:
        """How many answers, shape (rows,), lie on each side of the range and in each bin of the
        model, which are numbered from 1 on.
        """
        parts = len(self.bins) + 1
        kinds = binned(answers, self.bins) + parts * outside(answers, self.quantity)
        for kind, count in enumerate(np.bincount(kinds, minlength=2 * parts).tolist()):
            beyond, place = divmod(kind, parts)
            yield _SIDES[beyond], str(place + 1), count


def number_counts(quantity: Quantity | None, bins: Sequence[float]) -> NumberCounts | None:
    """How the answers of a model are counted; None where they are no numbers."""
    if quantity is None:
        return None
    return NumberCounts(quantity, tuple(bins), limits_of(quantity))
