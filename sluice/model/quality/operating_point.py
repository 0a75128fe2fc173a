"""The operating point: the score from which a row is flagged."""

from dataclasses import dataclass

import numpy as np

from sluice.errors import Refused
from sluice.model.quality.clusters import INDEPENDENT, Design, of_share
from sluice.model.quality.error_costs import PER, Costs, costs_of
from sluice.model.quality.statistics import wilson_high
from sluice.percent import percent
from sluice.policy import GatePolicy, Policy

# Neighbouring scores closer than this are one: the same row scored twice may differ by half of it.
_GAP = 2e-6
# Of fewer positives flagged, limits say nothing of a threshold's chance.
FEW_HITS = 30
_LEVEL = 0.05  # one-sided, of the limit that tells a weak model from chance


def required_precision(gate: GatePolicy, prevalence: float) -> float:
    """The precision that the floors of a policy require together where so many rows are positive.

    `prevalence` is a share of the rows; a lift floor asks for so many times it.
    """
    return max(gate.precision_floor, gate.lift_floor * prevalence)


def aimed_precision(policy: Policy, prevalence: float) -> float:
    """The precision that a threshold is chosen for on validation rows: floors and slack.

    Raises Refused where it is no precision that a model can have, because the lift floor is more
    than 1 / prevalence.
    """
    gate, point = policy.gate, policy.operating_point
    relative = 1 + point.slack_share
    lifted = gate.lift_floor * prevalence * relative
    if lifted > 1.0:
        raise Refused(
            f"a lift of {gate.lift_floor * relative:.4g} asks for a precision of {lifted:.4g} where"
            f" {percent(prevalence, 2)} of the rows are positive; at most 1 is possible",
            f"Write a lift_floor below {1 / (prevalence * relative):.4g} in the policy.",
        )
    plain = gate.precision_floor * relative + point.precision_slack
    return max(plain, lifted) if gate.precision_floor else lifted


@dataclass(frozen=True)
class Cuts:
    """Every way to cut rows by score, from the fewest flagged to all; arrays of shape (rows,).

    `lowest` is the score of the last row flagged, `following` that of the next one, `flagged` and
    `hits` how many rows and positives are flagged. `apart` says where the two scores differ enough
    for a threshold between them.
    """

    lowest: np.ndarray
    following: np.ndarray
    flagged: np.ndarray
    hits: np.ndarray

    @property
    def apart(self) -> np.ndarray:
        """Whether there is room for a threshold; boolean."""
        return self.lowest - self.following > _GAP

    @property
    def precisions(self) -> np.ndarray:
        """The precision of each cut."""
        return self.hits / self.flagged


def cuts(labels: np.ndarray, scores: np.ndarray) -> Cuts:
    """The cuts of these rows; `labels` are 0 or 1, both arrays of shape (rows,)."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    following = np.append(ranked[1:], 0.0)
    return Cuts(ranked, following, np.arange(1, len(ranked) + 1), np.cumsum(labels[order]))


def threshold_for(
    policy: Policy, labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None = None
) -> float:
    """The operating point that a policy asks for, on validation rows.

    `labels` (0 or 1) and `scores` have the shape (rows,), and so have `clusters`: numbers, equal in
    rows that belong together. Where the policy states costs, it is the cheapest threshold that is
    precise enough; where it states a share of the rows, the one that flags so many; else that of
    the highest recall. Raises Refused where there is none.
    """
    precision = aimed_precision(policy, float(labels.mean()))
    share = policy.operating_point.flagged_share
    if share:
        return share_threshold(labels, scores, share, precision)
    if policy.gate.costed:
        costs = costs_of(policy.gate)
        return cheapest_threshold(labels, scores, costs, precision, clusters)
    return choose_threshold(labels, scores, precision, clusters)


def cheapest_threshold(
    labels: np.ndarray,
    scores: np.ndarray,
    costs: Costs,
    precision: float,
    clusters: np.ndarray | None = None,
) -> float:
    """The threshold whose errors cost least, of those with at least this precision.

    Of equally cheap ones it is the one that flags fewer rows. Raises Refused where none is precise
    enough, or where the cheapest saves nothing against flagging nobody.
    """
    known = cuts(labels, scores)
    possible = known.apart & (known.precisions >= precision)
    if not possible.any():
        return choose_threshold(labels, scores, precision, clusters)  # which says why none is
    saved = np.where(possible, costs.saved(known.hits, known.flagged), -np.inf)
    best = int(np.argmax(saved))
    if not saved[best] > 0:
        raise Refused(
            f"the cheapest threshold saves {PER * float(saved[best]) / len(labels):.4g} for each"
            f" {PER:,} validation rows against flagging nobody; more than 0 is required",
            "At these costs the model is worth nothing: look at the data, or at the costs.",
        )
    return _between(known, best)


def share_threshold(
    labels: np.ndarray, scores: np.ndarray, share: float, precision: float
) -> float:
    """The threshold that flags the most rows of those that flag at most this share.

    Rows of one score are flagged together or not at all. Raises Refused where already the highest
    score is that of more rows, or where the precision there is below `precision`.
    """
    known = cuts(labels, scores)
    possible = known.apart & (known.flagged <= share * len(labels))
    if not possible.any():
        together = int(known.flagged[_separate(known)][0])
        raise Refused(
            f"the {together:,} validation rows of the highest score are"
            f" {percent(together / len(labels), 2)} of them; at most {percent(share, 2)} are to be"
            " flagged",
            "Write a larger flagged_share in [operating_point], or bring columns that tell more"
            " rows apart.",
        )
    last = int(np.flatnonzero(possible)[-1])
    if known.precisions[last] < precision:
        raise Refused(
            f"where {percent(share, 2)} of the validation rows are flagged, the precision is"
            f" {known.precisions[last]:.4g}; {precision:.4g} is required",
            "Write a smaller flagged_share in [operating_point], or a lower floor in [gate].",
        )
    return _between(known, last)


def _between(known: Cuts, cut: int) -> float:
    """The threshold halfway between the last row flagged and the next one."""
    return float((known.lowest[cut] + known.following[cut]) / 2)


def choose_threshold(
    labels: np.ndarray, scores: np.ndarray, precision: float, clusters: np.ndarray | None = None
) -> float:
    """The threshold of the highest recall whose precision is at least `precision`.

    `labels` (0 or 1) and `scores` are those of validation rows, shape (rows,). The threshold lies
    halfway between two scores, so that no row sits on it. Raises Refused where no threshold is
    precise enough.
    """
    known = cuts(labels, scores)
    possible = known.apart & (known.precisions >= precision)
    if not possible.any():
        best = float(known.precisions[_separate(known)].max())
        raise Refused(
            f"no threshold reaches a validation precision of {precision:.4g}; the best is"
            f" {best:.4g}",
            _to_blame(known, precision, _design(known, labels, scores, clusters)),
        )
    last = int(np.flatnonzero(possible)[-1])
    return _between(known, last)


def _separate(known: Cuts) -> np.ndarray:
    """Where a cut separates rows; all rows together are one, too."""
    return np.append(known.apart[:-1], True)


def _design(
    known: Cuts, labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None
) -> Design:
    """That of the precision at the most precise cut with enough positives."""
    enough = _separate(known) & (known.hits >= FEW_HITS)
    if clusters is None or not enough.any():
        return INDEPENDENT
    best = int(np.argmax(np.where(enough, known.precisions, -1.0)))
    return of_share(labels == 1, scores >= known.lowest[best], clusters)


def _to_blame(known: Cuts, precision: float, design: Design) -> str:
    """Whether the model is too weak, or the rows are too few to say so."""
    enough = _separate(known) & (known.hits >= FEW_HITS)
    if not enough.any():
        return (
            f"Validation has {int(known.hits[-1]):,} positives, and at least {FEW_HITS} that are"
            " flagged are needed to tell a weak model from chance: label more rows, or give"
            " validation a larger share of them."
        )
    pairs = zip(known.hits[enough], known.flagged[enough], strict=True)
    highest = max(wilson_high(int(hits), int(flagged), _LEVEL, design) for hits, flagged in pairs)
    if highest < precision:
        return (
            "The model is too weak for the precision that the policy requires: look at the data"
            " first."
        )
    return (
        f"By chance alone its true precision may be {highest:.4g}: label more rows, or look whether"
        " the policy asks for more than the work needs."
    )
