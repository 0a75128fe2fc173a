"""What a verdict on a model of several classes is made of: probabilities on the rows of a holdout,
what is answered there, and the rules' material.

Facts and rules are those of one class (`sluice.gate.case`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.class_policy import ClassPolicy
from sluice.gate.case import HOLDOUT, Facts, is_first
from sluice.gate.classes.paired import Tables
from sluice.gate.paired import Difference
from sluice.policy import GatePolicy
from sluice.served.classes import chosen
from sluice.served.words import Words


@dataclass(frozen=True)
class Classifier:
    """A model on the holdout: its tag, its probabilities of shape (rows, classes), the weight of
    each class that it ships with.

    `moved` says how these weights differ from the candidate's, by a reviewed change of the policy;
    empty where they are the same.
    """

    tag: str
    probabilities: np.ndarray
    weights: tuple[float, ...]
    moved: str = ""

    @property
    def answered(self) -> np.ndarray:
        """The place of the class that it answers for each row, as it ships; shape (rows,)."""
        return chosen(self.probabilities, self.weights)

    @property
    def scored(self) -> bool:
        """Whether every probability is a number."""
        return bool(np.isfinite(self.probabilities).all())


@dataclass(frozen=True)
class Holdout:
    """The rows that decide: labels (places in `classes`), the models, and for each segment the
    group of every row as a text. Arrays have the shape (rows,).

    `clusters` are numbers, equal in rows that belong together; None where each row is independent.
    No row of it was seen by any of the models. A champion or anchor that cannot score these rows
    has probabilities that are no numbers; None says that there is none. `one_column` is the best
    model of a single column. `part` is what sentences call these rows.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    candidate: Classifier
    champion: Classifier | None
    anchor: Classifier | None
    one_column: Classifier
    segments: Mapping[str, np.ndarray]
    clusters: np.ndarray | None = None
    part: str = HOLDOUT

    @property
    def counts(self) -> np.ndarray:
        """How many rows each class has, shape (classes,)."""
        known = self.labels[(self.labels >= 0) & (self.labels < len(self.classes))]
        return np.bincount(known, minlength=len(self.classes))


@dataclass(frozen=True)
class Comparison:
    """Candidate against another model, both as they ship: the difference of their mean recalls with
    its limits, and the p-value of a gain.
    """

    against: str
    tables: Tables
    recall: Difference
    p_value: float


@dataclass(frozen=True)
class Case:
    """Everything that a rule may look at; `words` are what a row is called."""

    metrics: Mapping[str, Any]
    holdout: Holdout
    facts: Facts
    policy: GatePolicy
    limits: ClassPolicy
    champion: Comparison | None
    anchor: Comparison | None
    words: Words

    @property
    def first(self) -> bool:
        """Whether there is no champion to compare with, or an override says to go on without one
        that cannot be.
        """
        return is_first(self.holdout.champion, self.champion, self.facts)
