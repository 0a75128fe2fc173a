"""The operating point: the score from which a row is flagged."""

import numpy as np

from sluice.errors import Refused

# neighbouring scores closer than this are one: the same row scored twice may differ by half of it
_GAP = 2e-6


def choose_threshold(labels: np.ndarray, scores: np.ndarray, precision: float) -> float:
    """The threshold of the highest recall whose precision is at least `precision`, chosen on
    validation rows.

    `labels` 0/1 and `scores`, shape (rows,). It lies halfway between two scores, so that no row
    sits on it. Raises Refused where no threshold is precise enough.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(labels[order])
    flagged = np.arange(1, len(ranked) + 1)
    following = np.append(ranked[1:], 0.0)
    possible = (ranked - following > _GAP) & (found / flagged >= precision)
    if not possible.any():
        best = float((found / flagged)[np.append(ranked[:-1] - ranked[1:] > _GAP, True)].max())
        raise Refused(
            f"no threshold reaches a validation precision of {precision:.4g}; the best is"
            f" {best:.4g}",
            "The model is too weak for the precision floor of the policy: look at the data first.",
        )
    last = int(np.flatnonzero(possible)[-1])
    return float((ranked[last] + following[last]) / 2)
