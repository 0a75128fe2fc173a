"""What a holdout can tell: the smallest difference in recall it detects, and how many positives a wanted one needs.

For the paired comparison of two models of which a share `discordant` of the positives is found by one alone; the normal
approximation of McNemar's test: R. Connor, Sample size for testing differences in proportions for the paired-sample
design, Biometrics 43 (1987).
"""

import math

from scipy import optimize, stats

POWER = 0.8


def positives_needed(difference: float, discordant: float, level: float, power: float = POWER) -> int:
    """Positives that make a true gain of `difference` in recall significant at `level` (one-sided) with `power`."""
    if not 0 < difference <= discordant <= 1:
        raise ValueError(f"a difference of {difference:g} needs more discordant positives than {discordant:g}")
    spread = math.sqrt(discordant), math.sqrt(discordant - difference**2)
    reach = stats.norm.isf(level) * spread[0] + stats.norm.isf(1 - power) * spread[1]
    return math.ceil((reach / difference) ** 2)


def detectable(positives: int, discordant: float, level: float, power: float = POWER) -> float:
    """The smallest gain in recall that `positives` positives show at `level` with `power`; `discordant` if none is."""
    if positives < 1 or positives_needed(discordant, discordant, level, power) > positives:
        return discordant
    return float(
        optimize.brentq(lambda d: _reach(d, positives, discordant, level, power), 1e-9, discordant, xtol=1e-7)
    )


def _reach(difference: float, positives: int, discordant: float, level: float, power: float) -> float:
    spread = math.sqrt(discordant), math.sqrt(max(0.0, discordant - difference**2))
    return difference * math.sqrt(positives) - stats.norm.isf(level) * spread[0] - stats.norm.isf(1 - power) * spread[1]


def achieved(difference: float, positives: int, discordant: float, level: float) -> float:
    """The probability that a true gain of `difference` is found significant."""
    spread = math.sqrt(max(1e-12, discordant - difference**2))
    reach = (difference * math.sqrt(positives) - stats.norm.isf(level) * math.sqrt(discordant)) / spread
    return float(stats.norm.cdf(reach))


def margin_needed(margin: float, value: float, discordant: float, level: float) -> int:
    """Positives at which a difference that stays at `value` has its lower limit above `-margin`."""
    distance = margin + value
    return math.ceil((stats.norm.isf(level) ** 2) * max(discordant, 1e-12) / distance**2) if distance > 0 else 0
