"""Floors that the validation curve of a new model can meet, for a person to review.

Nothing applies them: what a model must be worth is decided by what the work needs. They are a place
to begin where nobody knows yet what can be had, or where the floors of a policy are out of reach.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.model.quality.clusters import Design, of_share
from sluice.model.quality.operating_point import FEW_HITS, Cuts, cuts

# The probability with which a release of this model clears the floors with its lower limits.
_POWER = 0.8
# Below this share of positives a precision says little to people, and a lift more.
_RARE = 0.3
_LEAST = 0.02  # no floor is lower: it would refuse no model


@dataclass(frozen=True)
class Point:
    """A threshold's recall, precision and share flagged on validation rows.

    `lowest` is the score of the last row that it flags.
    """

    recall: float
    precision: float
    flagged: float
    lowest: float = 0.0


@dataclass(frozen=True)
class Proposal:
    """Floors, and the slack by which their threshold is the one at `point`.

    One of `precision_floor` and `lift_floor` is 0: it is the other that is proposed, and `slack`
    is added to a precision and is a share of a lift. `holdout` is the number of rows that they hold
    for, `prevalence` the share of positives.
    """

    recall_floor: float
    precision_floor: float
    lift_floor: float
    slack: float
    point: Point
    holdout: int
    prevalence: float

    def lines(self) -> tuple[str, ...]:
        """The lines of policy.toml that they are."""
        slack, floor = "precision_slack", f"precision_floor = {self.precision_floor:g}"
        if self.lift_floor:
            slack, floor = "slack_share", f"lift_floor = {self.lift_floor:g}"
        return (
            "[operating_point]",
            f"{slack} = {self.slack:g}",
            "[gate]",
            f"recall_floor = {self.recall_floor:g}",
            floor,
        )


def propose(
    labels: np.ndarray,
    scores: np.ndarray,
    holdout: int,
    level: float,
    *,
    validation: int = 0,
    flagged: float = 0.0,
    clusters: np.ndarray | None = None,
) -> Proposal | None:
    """Floors that a first release of this model clears with a probability of about 0.8 each.

    `labels` (0 or 1) and `scores` are those of validation rows, shape (rows,); `holdout` is how
    many rows will judge, `level` that of their limits. `validation` is how many rows will choose
    the threshold, where these are not those. The threshold is that of the best F1, or the one that
    flags the share `flagged` of the rows where this is above 0. `clusters` are numbers, equal in
    rows that belong together. None where too few positives are found to say anything, or only
    floors that refuse no model.
    """
    point = _best(labels, cuts(labels, scores), flagged)
    if point is None:
        return None
    prevalence = float(labels.mean())
    rows = (validation or len(labels), holdout)
    positive, above = labels == 1, scores >= point.lowest
    recall_design = of_share(above, positive, clusters)
    precision_design = of_share(positive, above, clusters)
    recall = _within_reach(point.recall, prevalence, rows, level, recall_design)
    precision = _within_reach(point.precision, point.flagged, rows, level, precision_design)
    if min(recall, precision) < _LEAST:
        return None
    floor, lift = _down(precision, 2), 0.0
    slack = point.precision - floor
    if prevalence < _RARE:
        floor, lift = 0.0, _down(precision / prevalence, 1)
        slack = min(point.precision / (lift * prevalence) - 1, 0.99)
    if not floor and lift <= 1.0:
        return None
    return Proposal(_down(recall, 2), floor, lift, _down(slack, 3), point, holdout, prevalence)


def told(proposal: Proposal | None) -> str:
    """The floors as a text that ends a refusal; empty where there are none."""
    if proposal is None:
        return ""
    point = proposal.point
    lines = "\n".join(f"      {line}" for line in proposal.lines())
    return (
        f"\n  If the work can do with less: at its best F1 this model has a recall of"
        f" {point.recall:.3f} and a precision of {point.precision:.3f} on validation, and would"
        f" clear these floors with its lower limits on {proposal.holdout:,} rows of holdout. They"
        " are what it reaches, not what is needed: a person reviews them before they are written"
        f" into policy.toml, in the place of its own.\n{lines}"
    )


def _best(labels: np.ndarray, possible: Cuts, share: float) -> Point | None:
    """The cut of the best F1 among those with enough positives above them, or the one that flags
    nearest to this share of the rows.
    """
    enough = possible.apart & (possible.hits >= FEW_HITS)
    if not enough.any():
        return None
    positives = int((labels == 1).sum())
    worth = 2 * possible.hits / (possible.flagged + positives)
    if share:
        worth = 1 - np.abs(possible.flagged / len(labels) - share)
    best = int(np.argmax(np.where(enough, worth, -1.0)))
    hits, flagged = int(possible.hits[best]), int(possible.flagged[best])
    lowest = float(possible.lowest[best])
    return Point(hits / positives, hits / flagged, flagged / len(labels), lowest)


def _within_reach(
    value: float, share: float, rows: tuple[int, int], level: float, design: Design
) -> float:
    """The floor that a measured share clears again, with its lower limit, on the holdout.

    `share` of the rows is what it is a share of; `rows` are those of validation and holdout. The
    limit lies below what is measured by the quantile of the level, and what is measured below the
    value of validation by chance: that of both parts.
    """
    validation, holdout = (max(share * count, 1.0) for count in rows)
    spread = value * (1 - value) * design.factor
    of_limit = design.quantile(level) * math.sqrt(spread / holdout)
    by_chance = scipy.stats.norm.isf(1 - _POWER) * math.sqrt(spread / holdout + spread / validation)
    return value - float(of_limit) - float(by_chance)


def _down(value: float, digits: int) -> float:
    """The value with so many digits behind the point, and not above it."""
    return math.floor(value * 10**digits + 1e-9) / 10**digits
