"""What a verdict is made of: models on the rows of a holdout, facts about them, and rules."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sluice.gate.paired import Difference, Pairs
from sluice.policy import GatePolicy
from sluice.served.words import Words

MET, BROKEN, OPEN, WAIVED = "met", "broken", "open", "waived"
HOLDOUT = "the holdout"  # what sentences call the rows that decide
_LARGEST = 1e300  # beyond it a number of a file becomes endless on the way


@dataclass(frozen=True)
class Model:
    """A model on the holdout: its tag, the threshold it ships with, its scores of shape (rows,).

    `moved` says how the operating point that its threshold was chosen for differs from the
    candidate's, by a reviewed change of the policy; empty where it is the same.
    """

    tag: str
    threshold: float
    scores: np.ndarray
    moved: str = ""

    @property
    def flagged(self) -> np.ndarray:
        """The rows it flags at its own threshold; boolean, shape (rows,)."""
        return self.scores >= self.threshold


@dataclass(frozen=True)
class Holdout:
    """The rows that decide: labels 0 or 1, salted hashes (uint64), scores and, for each segment,
    the group of every row as a text. Every array has the shape (rows,).

    `clusters` are numbers, equal in rows that belong together (role group of the contract); None
    where each row is independent of all others.

    No row of it was seen by any of the models. A champion or anchor that cannot score these rows
    has scores that are no numbers; None says that there is none. `one_column` holds the scores of
    the best model of a single column. `part` is what sentences call these rows: where a candidate
    is looked at on others, which decide nothing, they are another part.
    """

    labels: np.ndarray
    hashes: np.ndarray
    candidate: Model
    champion: Model | None = None
    anchor: Model | None = None
    one_column: Model | None = None
    segments: Mapping[str, np.ndarray] | None = None
    clusters: np.ndarray | None = None
    part: str = HOLDOUT

    def clusters_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The clusters of these rows, a mask or numbers of rows; None where there are none."""
        return None if self.clusters is None else self.clusters[rows]

    @property
    def positives(self) -> int:
        """The number of positive rows."""
        return int((self.labels == 1).sum())

    @property
    def prevalence(self) -> float:
        """The share of the rows that is positive."""
        return self.positives / len(self.labels)


@dataclass(frozen=True)
class Facts:
    """What is known about the rows and the ledger before it is decided.

    `duplicates` counts holdout rows that equal a training row in every feature, `near_duplicates`
    others that do so in all but one; `left_out` those that a compared model has seen;
    `accepted` is the share that the contracts of champion and anchor take. `uses` counts how often
    this holdout decided before, `looks` how often this use of it has looked before: not 0 where the
    same model goes on with more labels. `fresh`: the training rows are not the champion's;
    `champion_days` is its age in days, `champion_release` the number of its release, 0 where it is
    not known: no rule depends on that, it is named by it. `waived` names the rule that a signed
    override sets aside. `moves_on`: the holdout moves on with time, so no use goes on with more
    labels. `shared` is the part of the level of a first look that this test has, where the models
    of a fleet share it.
    """

    duplicates: int = 0
    near_duplicates: int = 0
    left_out: int = 0
    accepted: float = 1.0
    uses: int = 0
    looks: int = 0
    fresh: bool = False
    champion_days: int = 0
    champion_release: int = 0
    waived: str = ""
    moves_on: bool = False
    shared: float = 1.0


@dataclass(frozen=True)
class Rule:
    """One rule looked at: met, broken, open (too few rows to say) or waived.

    `sentence` says what was measured and what is required: `Recall is 0.7312; at least 0.735 is
    required`. `needed` is the next step where the rule is not met: `Find 38 more positives`. Both
    begin with a capital and end without a full stop.
    """

    rule: str
    state: str
    sentence: str
    value: float | None = None
    limit: float | None = None
    needed: str = ""

    @property
    def passed(self) -> bool:
        """Whether it does not stand in the way for good."""
        return self.state != BROKEN

    def document(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        return f"{self.sentence}. {self.needed}" if self.needed else self.sentence


@dataclass(frozen=True)
class Comparison:
    """Candidate against another model at that model's number of flagged rows, on the positives."""

    against: str
    flagged: int
    pairs: Pairs
    recall: Difference
    p_value: float


@dataclass(frozen=True)
class Case:
    """Everything that a rule may look at; `words` are those of its sentence."""

    metrics: Mapping[str, Any]
    holdout: Holdout
    facts: Facts
    policy: GatePolicy
    champion: Comparison | None
    anchor: Comparison | None
    words: Words

    @property
    def first(self) -> bool:
        """Whether there is no champion to compare with, or an override says to go on without one
        that cannot be.
        """
        return is_first(self.holdout.champion, self.champion, self.facts)


def is_first(champion: object | None, compared: object | None, facts: Facts) -> bool:
    """Whether a candidate has to clear every floor: there is no champion, or there is one that is
    not compared, and an override says to go on without.
    """
    return champion is None or (compared is None and facts.waived == "comparable")


def number_at(document: object, *path: str) -> float:
    """The number at this path of a JSON document; NaN, which meets no limit, where there is none or
    it is too large to count with.
    """
    value = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < _LARGEST else math.nan
