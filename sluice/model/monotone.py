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


def allowed(families: Sequence[str], monotone: Sequence[int]) -> Allowed:
    """Which families a search tries. Raises UsageError where none of them can be."""
    if not any(monotone):
        return Allowed(tuple(families), {})
    kept = tuple(family for family in families if family in KEEPING)
    if not kept:
        raise UsageError(
            f"[search] families is {list(families)}, and the contract says monotone of a column;"
            f" one of {', '.join(KEEPING)} is required",
            "Add one of them in the policy, or leave monotone out of the contract.",
        )
    return Allowed(kept, {family: WHY_NOT for family in families if family not in KEEPING})
