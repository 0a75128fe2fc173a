"""Risk tiers: a probability in words that people share.

The threshold of a model is where one of them begins, so that a tier is flagged whole or not at all.
"""

import bisect
from dataclasses import dataclass, replace


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

    def at(self, threshold: float) -> "Tiers":
        """The same tiers, the limit that is nearest to a threshold moved there; of two the lower.

        The order of the limits stays: whatever lies between two of them is nearer to one of these
        than to any other.
        """
        if not self.limits:
            return self
        place = min(range(len(self.limits)), key=lambda at: abs(self.limits[at] - threshold))
        limits = (*self.limits[:place], threshold, *self.limits[place + 1 :])
        return replace(self, limits=limits)


NEUTRAL_TIERS = Tiers()
