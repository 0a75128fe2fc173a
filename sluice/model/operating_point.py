"""The operating point: the score from which a row is flagged."""

import numpy as np

from sluice.errors import Refused

# Neighbouring scores closer than this are one: the same row scored twice may differ by half of it.
_GAP = 2e-6


def choose_threshold(labels: np.ndarray, scores: np.ndarray, precision: float) -> float:
    """The threshold of the highest recall whose precision is at least `precision`.

    `labels` (0 or 1) and `scores` are those of validation rows, shape (rows,). The threshold lies
    halfway between two scores, so that no row sits on it. Raises Refused where no threshold is
    precise enough.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order])
    precisions = hits / np.arange(1, len(ranked) + 1)
    following = np.append(ranked[1:], 0.0)
    possible = (ranked - following > _GAP) & (precisions >= precision)
    if not possible.any():
        apart = np.append(ranked[:-1] - ranked[1:] > _GAP, True)
        best = float(precisions[apart].max())
        raise Refused(
            f"no threshold reaches a validation precision of {precision:.4g}; the best is"
            f" {best:.4g}",
            "The model is too weak for the precision floor of the policy: look at the data first.",
        )
    last = int(np.flatnonzero(possible)[-1])
    return float((ranked[last] + following[last]) / 2)
