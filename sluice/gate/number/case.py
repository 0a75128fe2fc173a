"""What a verdict on a model of a number is made of: answers on the rows of a holdout, and what the
rules look at.

Facts and rules are those of one class (`sluice.gate.case`). All that is compared is a skill: how
much nearer answers are than the median of the training rows, as a share of that median's own mean
absolute error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.gate.case import HOLDOUT, Facts, is_first
from sluice.gate.paired import Difference
from sluice.model.number.resampled import limits_of
from sluice.number_policy import NumberPolicy
from sluice.percent import four_digits
from sluice.policy import GatePolicy
from sluice.served.quantity import Quantity
from sluice.served.words import Words


@dataclass(frozen=True)
class Answering:
    """A model on the holdout: its tag, and its answers in the unit of the target, shape (rows,)."""

    tag: str
    answers: np.ndarray

    @property
    def scored(self) -> bool:
        """Whether every answer is a number."""
        return bool(np.isfinite(self.answers).all())


@dataclass(frozen=True)
class Holdout:
    """The rows that decide: labels, the models, and for each segment the group of every row as a
    text. Arrays have the shape (rows,); labels and answers are in the unit of `quantity`.

    `middle` is the median of the training rows. `clusters` are numbers, equal in rows that belong
    together; None where each row is independent. No row of it was seen by any of the models. A
    champion or anchor that cannot score these rows has answers that are no numbers; None says that
    there is none. `one_column` is the best model of a single column. `part` is what sentences call
    these rows.
    """

    labels: np.ndarray
    quantity: Quantity
    middle: float
    candidate: Answering
    champion: Answering | None
    anchor: Answering | None
    one_column: Answering
    segments: Mapping[str, np.ndarray]
    clusters: np.ndarray | None = None
    part: str = HOLDOUT

    @property
    def nothing(self) -> np.ndarray:
        """How far the median is off in each row."""
        return np.asarray(np.abs(self.labels - self.middle))

    def gains(self, other: Answering) -> np.ndarray:
        """How much nearer the candidate is than another model, in each row."""
        theirs = np.abs(self.labels - other.answers)
        return np.asarray(theirs - np.abs(self.labels - self.candidate.answers))

    def skill_over(self, other: Answering, level: float) -> Difference:
        """The skill of the candidate less that of another model, with limits that are each
        one-sided at `level`.
        """
        found = limits_of(self.gains(other), self.nothing, level, self.clusters)
        return Difference(found.value, found.low, found.high, level)

    def skill_in(self, rows: np.ndarray, other: Answering, level: float) -> Difference:
        """The same for some rows (boolean), as a share of how far the median is off in all."""
        inside = self.gains(other)[rows]
        whole = np.full(len(inside), float(self.nothing.mean()))
        belonging = None
        if self.clusters is not None:
            belonging = np.unique(self.clusters[rows], return_inverse=True)[1]
        found = limits_of(inside, whole, level, belonging)
        return Difference(found.value, found.low, found.high, level)


@dataclass(frozen=True)
class Comparison:
    """Candidate against another model: the difference of their skills with its limits, the mean
    absolute errors of both, and the p-value of a gain.
    """

    against: str
    skill: Difference
    mae: float
    other_mae: float
    p_value: float


@dataclass(frozen=True)
class Case:
    """Everything that a rule may look at; `words` are what a row is called."""

    metrics: Mapping[str, Any]
    holdout: Holdout
    facts: Facts
    policy: GatePolicy
    limits: NumberPolicy
    champion: Comparison | None
    anchor: Comparison | None
    words: Words

    @property
    def first(self) -> bool:
        """Whether there is no champion to compare with, or an override says to go on without one
        that cannot be.
        """
        return is_first(self.holdout.champion, self.champion, self.facts)

    def shown(self, number: float) -> str:
        """An error in its unit, to four digits."""
        unit = self.holdout.quantity.unit
        return f"{four_digits(number)} {unit}" if unit else four_digits(number)
