"""What people get: recall, precision and share flagged at the thresholds that ship.

With as many rows flagged, the comparison of the whole holdout says which model ranks better. A
release also ships a threshold, and with it a model that ranks better may find less. Each threshold
is chosen on validation rows; where their chance alone explains a loss, the rule is open.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Model, Rule
from sluice.gate.floors import chance_of_threshold
from sluice.gate.paired import Difference, on_positives, recall_difference
from sluice.gate.rules import Look
from sluice.gate.visibility import visible
from sluice.model.quality.clusters import design_of

NAME = "as_shipped"


@dataclass(frozen=True)
class Measured:
    """A measure as shipped, candidate minus other, and how it is held against its margin.

    `worse` is the difference turned so that a loss is negative; `chance` is how far the chance of
    the two thresholds reaches; `step` is what would have been enough.
    """

    name: str
    difference: Difference
    worse: Difference
    margin: float
    chance: float
    step: str

    @property
    def state(self) -> str:
        """Broken beyond the margin, open where the thresholds may have done it, else met."""
        if self.worse.high >= -self.margin:
            return MET
        reach = math.hypot(self.worse.high - self.worse.value, self.chance)
        return BROKEN if self.worse.value + reach < -self.margin else OPEN

    def __str__(self) -> str:
        shown = self.difference
        return f"{self.name} {shown.value:+.4f} [{shown.low:+.4f}, {shown.high:+.4f}]"


def as_shipped(case: Case) -> Iterator[Rule]:
    """Neither champion nor anchor gives people more than the candidate does, by the margins."""
    if case.policy.costed:
        return  # what errors cost is compared at the thresholds that ship
    sentences, steps, states, lows = [], [], [MET], []
    for title, other in (("champion", case.holdout.champion), ("anchor", case.holdout.anchor)):
        if other is None or getattr(case, title) is None:
            continue
        measured = _measured(case, other)
        sentences.append(_sentence(f"{title} {other.tag}", other, measured))
        lows.append(measured[0].difference.low)
        # Where nothing can be seen, a rule of its own waits for people: nothing more is asked here.
        if not other.moved and visible(case, other):
            states += [measure.state for measure in measured]
            steps += [measure.step for measure in measured if measure.state != MET]
    if not sentences:
        return
    margin, more = case.policy.shipped_margin, case.policy.shipped_flagged_margin
    allowed = (
        f"a loss of {margin:g} is allowed, and {more:g} more of the rows flagged beyond those that"
        " a gain in recall takes"
    )
    sentence = f"As shipped, {'; '.join(sentences)}; {allowed}"
    state = next(state for state in (BROKEN, OPEN, MET) if state in states)
    needed = ", ".join(dict.fromkeys(steps))
    yield Rule(NAME, state, sentence, min(lows), -margin, needed)


def _sentence(against: str, other: Model, measured: list[Measured]) -> str:
    sentence = f"{', '.join(str(measure) for measure in measured)} against {against}"
    if other.moved:
        sentence += f" (its operating point was another: {other.moved})"
    return sentence


def _measured(case: Case, other: Model) -> list[Measured]:
    policy, labels = case.policy, case.holdout.labels
    mine, theirs = case.holdout.candidate.flagged, other.flagged
    chance = chance_of_threshold(case)
    clusters = case.holdout.clusters
    recall = recall_difference(on_positives(labels, mine, theirs, clusters), policy.level)
    precision = precision_difference(labels, mine, theirs, policy.level, clusters)
    # Every row counts for the share flagged, as every positive does for recall.
    every = on_positives(np.ones(len(labels)), mine, theirs, clusters)
    flagged = recall_difference(every, policy.level)
    missing = math.ceil((-policy.shipped_margin - recall.value) * case.holdout.positives)
    more = policy.shipped_flagged_margin + rows_for_gain(labels, theirs, recall)
    rows = math.ceil((flagged.value - more) * len(labels))
    fewer = Difference(-flagged.value, -flagged.high, -flagged.low, flagged.level)
    margin, root = policy.shipped_margin, math.sqrt(2)  # two thresholds, each by chance
    return [
        Measured(
            "recall",
            recall,
            recall,
            margin,
            root * chance.recall,
            f"Find {case.words.more(max(missing, 1))} at the threshold that ships",
        ),
        Measured(
            "precision",
            precision,
            precision,
            margin,
            root * chance.precision,
            "Raise the threshold, and the precision with it",
        ),
        Measured(
            "share flagged",
            flagged,
            fewer,
            more,
            root * chance.flagged,
            f"Flag {max(rows, 1):,} fewer rows",
        ),
    ]


def rows_for_gain(labels: np.ndarray, theirs: np.ndarray, recall: Difference) -> float:
    """The share of the rows that a gain in recall takes, at the precision that people have now.

    A model that ranks better finds more at the same precision, so it flags more. Only the gain that
    is sure counts: the lower limit of the difference in recall. Where the other model finds nobody,
    no number of rows is known, and it is 0.
    """
    found = int((theirs & (labels == 1)).sum())
    if not found or recall.low <= 0:
        return 0.0
    rows_for_each = float(theirs.sum()) / found
    return recall.low * float((labels == 1).mean()) * rows_for_each


def precision_difference(
    labels: np.ndarray,
    mine: np.ndarray,
    theirs: np.ndarray,
    level: float,
    clusters: np.ndarray | None = None,
) -> Difference:
    """The difference in precision of two sets of flagged rows that overlap.

    `labels` are 0 and 1, `mine` and `theirs` boolean; all of shape (rows,). Each row moves the
    difference by what it adds to one precision less what it adds to the other; the variance is that
    of a sum of these, so the rows that both flag count once; rows of one cluster move together.
    Where one of the two flags nothing, everything is possible.
    """
    if not mine.any() or not theirs.any():
        return Difference(0.0, -1.0, 1.0, level)
    positive = labels == 1
    ours, other = float(positive[mine].mean()), float(positive[theirs].mean())
    moved = mine * (positive - ours) / mine.sum() - theirs * (positive - other) / theirs.sum()
    design = design_of(moved, clusters)
    reach = design.quantile(level) * math.sqrt(float((moved**2).sum()) * design.factor)
    value = ours - other
    return Difference(value, value - reach, value + reach, level)


GOOD_ENOUGH = (NAME,)

AS_SHIPPED: tuple[Look, ...] = (as_shipped,)
