"""Risk tiers: a probability in words that people share. They say nothing about the threshold, which
is the model's.
"""

import bisect

TIERS = ("very low", "low", "medium", "high")
LIMITS = (0.25, 0.45, 0.65)  # each tier ends below its limit; the last one has none


def tier(probability: float) -> str:
    """The tier of a probability: 0.45 is medium, the number just below it is low."""
    return TIERS[bisect.bisect_right(LIMITS, probability)]
