"""What a model of a number says of rows, as a replay counts it beside another one."""

from dataclasses import dataclass

import numpy as np

from sluice.served.quantity import Quantity, binned
from sluice.served.quantity_cells import limits_of, outside

# An answer has changed that moves by so many tenths of what the running model usually answers: the
# next tenth may be as near as two answers of equally good models are.
TENTHS = 2


@dataclass(frozen=True)
class NumberOpinion:
    """What a model says of rows: its answers in their unit, float64, shape (rows,). `bins` are
    those of the running model, for the candidate too; `quantity` is that of its own contract.
    """

    scores: np.ndarray
    bins: tuple[float, ...]
    quantity: Quantity

    @property
    def shown(self) -> np.ndarray:
        """The answers, shape (rows,)."""
        return self.scores

    @property
    def answers(self) -> np.ndarray:
        """The place of each answer among the tenths of the running model, shape (rows,)."""
        return binned(self.scores, self.bins)

    @property
    def levels(self) -> np.ndarray:
        """Whether each answer lies at an end of its range or beyond it, 0 or 1, shape (rows,)."""
        return outside(self.scores, self.quantity).astype(np.intp)


def common_limits(one: Quantity, other: Quantity) -> tuple[float, ...]:
    """The limits that two ranges have in common, by which a canary is judged, ascending."""
    return tuple(sorted({*limits_of(one)} & {*limits_of(other)}))


def apart(bins: tuple[float, ...]) -> np.ndarray:
    """Whether an answer has moved that was in one tenth and is in another, shape (bins + 1, bins +
    1). Where a model has two bins alone, the other one is as far as an answer can move.
    """
    places = np.arange(len(bins) + 1)
    moved: np.ndarray = np.abs(places[:, None] - places) >= min(TENTHS, max(1, len(bins)))
    return moved
