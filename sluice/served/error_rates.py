"""How often a model is wrong, in numbers, from the metrics.json that travels with it.

Measured on the validation rows, which the threshold was chosen on: new rows may do worse.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

LEVEL = 0.95  # of the intervals
_DEVIATES = 1.959963984540054  # standard deviations on either side that hold this share


@dataclass(frozen=True)
class Rate:
    """So many rows of so many, and the interval of their share."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share, between 0 and 1."""
        return self.count / self.of


@dataclass(frozen=True)
class ErrorRates:
    """How many of the flagged rows are negative, and how many of the positive ones are missed;
    None where there is no such row.
    """

    wrongly_flagged: Rate | None
    missed: Rate | None


def error_rates(metrics: Mapping[str, object]) -> ErrorRates:
    """The error rates in a metrics.json, on its validation rows.

    The counts are worked out from the shares, which are exact. Raise KeyError where it lacks them.
    """
    rows = cast("Mapping[str, int]", metrics["rows"])
    shares = cast("Mapping[str, float]", metrics["validation"])
    positives = rows["validation_positives"]
    flagged = round(shares["share_flagged"] * rows["validation"])
    found = round(shares["recall"] * positives)
    alike = alike_of(metrics)
    return ErrorRates(
        wrongly_flagged=rate(flagged - found, flagged, alike),
        missed=rate(positives - found, positives, alike),
    )


def alike_of(metrics: Mapping[str, object]) -> float:
    """How many rows count as one in a metrics.json, because rows of a group are alike; 1 where each
    counts for itself.
    """
    grouped = cast("Mapping[str, float]", metrics.get("grouped_precision") or {})
    return max(float(grouped.get("alike", 1.0)), 1.0)


def rate(count: int, of: int, alike: float = 1.0) -> Rate | None:
    """A share with Wilson's interval, in which so many rows count as one; None of no rows."""
    if not of:
        return None
    share, square, rows = count / of, _DEVIATES**2, of / alike
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    spread = math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    half = _DEVIATES * spread / (1 + square / rows)
    # At an end the limit is the share itself, which rounding would miss by the last digit.
    return Rate(count, of, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
