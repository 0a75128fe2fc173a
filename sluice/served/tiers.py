"""Risk tiers: a probability in words that people share.

They say nothing about the threshold, which is the model's.
"""

import bisect
from dataclasses import dataclass


@dataclass(frozen=True)
class Tiers:
    """The tiers of a model, lowest first: `names`, and the `limits` below which each of them ends.

    The last tier has no limit, so there is one limit fewer than names. The defaults are those of a
    contract that names none.
    """

    names: tuple[str, ...] = ("very low", "low", "medium", "high")
    limits: tuple[float, ...] = (0.25, 0.45, 0.65)

    def of(self, probability: float) -> str:
        """The tier of a probability; at a limit, the tier above it."""
        return self.names[bisect.bisect_right(self.limits, probability)]


NEUTRAL_TIERS = Tiers()
