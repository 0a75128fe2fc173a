"""The histogram by which two models of one number are compared: hundredths of its plausible range.

The limits are those of the contract and of no model, so a canary and the version beside it count by
the same ones. Served with the model.
"""

from collections.abc import Sequence

import numpy as np

from sluice.served.quantity import Quantity

CELLS = 100  # of the range; what lies below and above it has one more each
BELOW = "-Inf"  # the name of the cell below all limits
INSIDE, OUTSIDE = "inside", "outside"


def limits_of(quantity: Quantity) -> tuple[float, ...]:
    """The limits of the cells, ascending, from the lowest plausible answer to the highest.

    A cell holds the limit above it, and not the one below.
    """
    steps = (quantity.low + quantity.spread * at / CELLS for at in range(CELLS + 1))
    # As they are written in the name of a cell, so that equal names are equal limits.
    return tuple(sorted({float(named(step)) for step in steps}))


def named(limit: float) -> str:
    """The name of the cell above a limit."""
    return f"{limit:.12g}"


def names_of(limits: Sequence[float]) -> tuple[str, ...]:
    """The name of each cell, the lowest first: the limit below it."""
    return (BELOW, *(named(limit) for limit in limits))


def cells(answers: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """The place of the cell of each answer, from 0 on; shape (rows,)."""
    return np.searchsorted(np.asarray(limits), answers, side="left")


def outside(answers: np.ndarray, quantity: Quantity) -> np.ndarray:
    """Whether each answer lies at an end of the plausible range, or beyond it; shape (rows,).

    A model says no more than the end, so what lies there may be more. What is no number is outside.
    """
    low, high = quantity.low + quantity.tolerance, quantity.high - quantity.tolerance
    return np.asarray(~((answers > low) & (answers < high)))
