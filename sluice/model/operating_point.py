"""The operating point: the score from which a row is flagged."""

import numpy as np

from sluice.errors import Refused
from sluice.policy import GatePolicy, Policy

# Neighbouring scores closer than this are one: the same row scored twice may differ by half of it.
_GAP = 2e-6


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
            f" {prevalence:.2%} of the rows are positive; at most 1 is possible",
            f"Write a lift_floor below {1 / (prevalence * relative):.4g} in the policy.",
        )
    plain = gate.precision_floor * relative + point.precision_slack
    return max(plain, lifted) if gate.precision_floor else lifted


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
