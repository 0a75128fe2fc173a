"""What a holdout can tell: the smallest difference in recall it detects, and how many positives a
wanted one needs.

For the paired comparison of two models of which a share `discordant` of the positives is found by
one alone; the normal approximation of McNemar's test: R. Connor, Sample size for testing
differences in proportions for the paired-sample design, Biometrics 43 (1987).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

POWER = 0.8
# Retrains of one recipe disagree on 0.02 to 0.04 of the positives, another recipe on up to 0.1:
# plan for that.
DISCORDANT = 0.1
WANTED = (0.005, 0.01, 0.02, 0.03, 0.05)
WHOLE = "all"


@dataclass(frozen=True)
class Group:
    """What some rows can tell: the smallest gain in recall at the whole level and at that of one
    use; None: no gain.
    """

    name: str
    positives: int
    at_level: float | None
    at_use: float | None


@dataclass(frozen=True)
class Wanted:
    """The positives that a wanted difference needs at the whole level and at that of one use."""

    difference: float
    at_level: int
    at_use: int


@dataclass(frozen=True)
class Report:
    """What a holdout can tell, as a whole (the first of `groups`) and group by group."""

    level: float
    use_level: float
    discordant: float
    power: float
    groups: tuple[Group, ...]
    wanted: tuple[Wanted, ...]


def positives_needed(
    difference: float, discordant: float, level: float, power: float = POWER
) -> int:
    """Positives that make a true gain of `difference` in recall significant at `level` (one-sided)
    with `power`.
    """
    if not 0 < difference <= discordant <= 1:
        raise ValueError(
            f"a difference of {difference:g} needs more discordant positives than {discordant:g}"
        )
    return math.ceil(
        (_spreads(difference, discordant, level, scipy.stats.norm.isf(1 - power)) / difference) ** 2
    )


def detectable(
    positives: int, discordant: float, level: float, power: float = POWER
) -> float | None:
    """The smallest gain in recall that `positives` positives show at `level` with `power`; None
    where none is.
    """
    reach = scipy.stats.norm.isf(1 - power)

    def missing(difference: float) -> float:
        return difference * math.sqrt(positives) - _spreads(difference, discordant, level, reach)

    if missing(discordant) < 0:
        return None
    return float(scipy.optimize.brentq(missing, 0.0, discordant))


def achieved(difference: float, positives: int, discordant: float, level: float) -> float:
    """The probability that a true gain of `difference` is found significant."""
    beyond = difference * math.sqrt(positives) - scipy.stats.norm.isf(level) * math.sqrt(discordant)
    return float(scipy.stats.norm.cdf(beyond / math.sqrt(max(discordant - difference**2, 1e-12))))


def margin_needed(margin: float, value: float, discordant: float, level: float) -> int | None:
    """Positives at which a difference that stays at `value` has its lower limit above `-margin`;
    None if none do.
    """
    distance = margin + value
    return (
        math.ceil(scipy.stats.norm.isf(level) ** 2 * discordant / distance**2)
        if distance > 0
        else None
    )


def _spreads(difference: float, discordant: float, level: float, reach: float) -> float:
    """What the distance from zero has to exceed: the spread without a gain, and that with it."""
    with_gain = math.sqrt(max(0.0, discordant - difference**2))
    return float(scipy.stats.norm.isf(level) * math.sqrt(discordant) + reach * with_gain)


def count(labels: np.ndarray, segments: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The positives of a holdout, as a whole and by `segment = group`; `labels` 0/1, groups as
    texts, each (rows,).
    """
    positive = labels == 1
    counts = {WHOLE: int(positive.sum())}
    for segment, groups in segments.items():
        counts |= {
            f"{segment} = {group}": int((positive & (groups == group)).sum())
            for group in np.unique(groups)
        }
    return counts


def report(
    positives: Mapping[str, int],
    level: float,
    uses: int,
    *,
    discordant: float = DISCORDANT,
    power: float = POWER,
    wanted: Iterable[float] = WANTED,
) -> Report:
    """What a holdout with so many positives by group (from `count`, or wished for) tells at `level`
    and at one use.
    """
    levels = level, level / uses
    groups = (
        Group(name, rows, *(detectable(rows, discordant, alpha, power) for alpha in levels))
        for name, rows in positives.items()
    )
    needs = (
        Wanted(gain, *(positives_needed(gain, discordant, alpha, power) for alpha in levels))
        for gain in wanted
        if gain <= discordant
    )
    return Report(*levels, discordant, power, tuple(groups), tuple(needs))
