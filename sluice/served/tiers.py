"""Risk tiers: a probability in words that people share.

The threshold of a model is where one of them begins, so that a tier is flagged whole or not at all.
"""

import bisect
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tiers:
    """The tiers of a model, lowest first: `names`, and the `limits` below which each of them ends.

    The last tier has no limit, so there is one limit fewer than names. The defaults are those of a
    contract that names none. `shares` are there where the limits follow from the threshold: a share
    of it up to 1, which is the threshold, and beyond that 1 and a share of the way from there to a
    probability of 1.
    """

    names: tuple[str, ...] = ("very low", "low", "medium", "high")
    limits: tuple[float, ...] = (0.25, 0.45, 0.65)
    shares: tuple[float, ...] = ()

    def of(self, probability: float) -> str:
        """The tier of a probability; at a limit, the tier above it."""
        return self.names[bisect.bisect_right(self.limits, probability)]

    def at(self, threshold: float) -> "Tiers":
        """The same tiers, the limit that is nearest to a threshold moved there; of two the lower.
        Where the limits follow from the threshold, they do.

        The order of the limits stays, because only a limit beside the threshold is moved: rounded
        distances to two limits further away can be equal.
        """
        if not self.limits:
            return self
        if self.shares:
            return replace(self, limits=limits_at(self.shares, threshold))
        above = bisect.bisect_left(self.limits, threshold)
        beside = (max(above - 1, 0), min(above, len(self.limits) - 1))
        place = min(beside, key=lambda at: abs(self.limits[at] - threshold))
        limits = (*self.limits[:place], threshold, *self.limits[place + 1 :])
        return replace(self, limits=limits)


def limits_at(shares: tuple[float, ...], threshold: float) -> tuple[float, ...]:
    """The limits that these shares are where the threshold lies there."""
    return tuple(
        share * threshold if share <= 1.0 else threshold + (share - 1.0) * (1.0 - threshold)
        for share in shares
    )


NEUTRAL_TIERS = Tiers()
