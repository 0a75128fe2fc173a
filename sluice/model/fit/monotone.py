"""What a contract says of the way that a column may move a score, and which families keep to it.

One-hot columns and bins of a logistic model each have a weight of their own, so nothing holds them
in order; trees can be grown so that a split never goes the wrong way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.errors import UsageError
from sluice.served.contract import Contract
from sluice.served.encoding import feature_names

KEEPING = ("gradient_boosting", "random_forest")  # the families that keep to a direction
WHY_NOT = "it cannot keep to the directions that the contract gives"
# The families whose scores are probabilities again once the weight of positives is taken off.
SET_BACK = ("logistic_regression", "gradient_boosting")
WHY_NOT_WEIGHTED = "its scores would be no probabilities where positives have a weight"
_SIGNS = {"": 0, "up": 1, "down": -1}


@dataclass(frozen=True)
class Allowed:
    """The families that may be tried, and those that may not, each with the reason."""

    families: tuple[str, ...]
    left_out: dict[str, str]


def directions(contract: Contract) -> tuple[int, ...]:
    """For each column of the feature matrix, 1 where it may only raise a score as it grows, -1
    where it may only lower it, else 0; empty where the contract says nothing of any.
    """
    given = {column.key: _SIGNS[column.monotone] for column in contract.features if column.monotone}
    if not given:
        return ()
    return tuple(given.get(name, 0) for name in feature_names(contract))


def allowed(
    families: Sequence[str], monotone: Sequence[int], positive_weight: float = 1.0
) -> Allowed:
    """Which families a search tries. Raises UsageError where none of them can be."""
    left_out: dict[str, str] = {}
    for family in families:
        if any(monotone) and family not in KEEPING:
            left_out[family] = WHY_NOT
        elif positive_weight != 1.0 and family not in SET_BACK:
            left_out[family] = WHY_NOT_WEIGHTED
    kept = tuple(family for family in families if family not in left_out)
    if not kept:
        why = "; ".join(f"{family}: {reason}" for family, reason in left_out.items())
        able = [one for one in KEEPING if positive_weight == 1.0 or one in SET_BACK]
        raise UsageError(
            f"[search] families has none that can be tried ({why}); one of {', '.join(able)} is"
            " required",
            "Add one in the policy, or leave out monotone of the contract and positive_weight.",
        )
    return Allowed(kept, left_out)
