"""The three parts of a split, with the same kind of value for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")
U = TypeVar("U")
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Parts(Generic[T]):
    """A value for the training rows, the validation rows and the holdout."""

    train: T
    validation: T
    holdout: T

    def each(self, change: Callable[[T], U]) -> "Parts[U]":
        """What `change` makes of each part, in this order."""
        return Parts(change(self.train), change(self.validation), change(self.holdout))


def count(columns: Columns) -> int:
    """How many rows a part has."""
    return len(columns["row_hash"])
