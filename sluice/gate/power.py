"""What a holdout can tell: the smallest difference in recall that it shows, and what one needs.

Two models are compared on the same positives, and a share `discordant` of these is found by one of
the two alone. Levels are one-sided probabilities, differences are shares of the positives. The
normal approximation of McNemar's test: R. Connor, Sample size for testing differences in
proportions for the paired-sample design, Biometrics 43 (1987).
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
WANTED = (0.005, 0.01, 0.02, 0.03, 0.05)  # gains in recall that a person may ask about
WHOLE = "all"  # the group of all positives


@dataclass(frozen=True)
class Group:
    """What the positives of a group can tell: the smallest gain in recall that they show.

    At the whole level of the holdout and at that of one of its uses; None where no gain is shown.
    """

    name: str
    positives: int
    at_level: float | None
    at_use: float | None


@dataclass(frozen=True)
class Wanted:
    """The positives that a wanted difference in recall needs.

    At the whole level of the holdout and at that of one of its uses.
    """

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
    """The positives with which a true gain of `difference` in recall is significant.

    At `level`, with probability `power`. Raises ValueError for a gain that is larger than the share
    of discordant positives allows, or none.
    """
    if not 0 < difference <= discordant <= 1:
        raise ValueError(
            f"a difference of {difference:g} needs more discordant positives than {discordant:g}"
        )
    quantile = scipy.stats.norm.isf(1 - power)
    spreads = _spreads(difference, discordant, level, quantile)
    return math.ceil((spreads / difference) ** 2)


def detectable(
    positives: int, discordant: float, level: float, power: float = POWER
) -> float | None:
    """The smallest gain in recall that so many positives show at `level` with `power`.

    None where they do not even show the largest one, in which every discordant positive is a gain.
    """
    quantile = scipy.stats.norm.isf(1 - power)

    def excess(difference: float) -> float:
        """By how much a gain exceeds what is required; it grows with the gain."""
        return difference * math.sqrt(positives) - _spreads(difference, discordant, level, quantile)

    if excess(discordant) < 0:
        return None
    return float(scipy.optimize.brentq(excess, 0.0, discordant))


def achieved(difference: float, positives: int, discordant: float, level: float) -> float:
    """The probability that a true gain of `difference` is found significant at `level`."""
    required = scipy.stats.norm.isf(level) * math.sqrt(discordant)
    beyond = difference * math.sqrt(positives) - required
    # With all discordant positives gained nothing is left to chance, and nothing to divide by.
    variance = max(discordant - difference**2, 1e-12)
    return float(scipy.stats.norm.cdf(beyond / math.sqrt(variance)))


def margin_needed(margin: float, value: float, discordant: float, level: float) -> int | None:
    """The positives with which a difference of `value` has its lower limit above `-margin`.

    None where no number of them does, because the difference itself is not above it.
    """
    distance = margin + value
    if distance <= 0:
        return None
    return math.ceil(scipy.stats.norm.isf(level) ** 2 * discordant / distance**2)


def _spreads(difference: float, discordant: float, level: float, quantile: float) -> float:
    """What a gain times the root of the positives has to exceed (Connor 1987).

    The spread without a gain at `level`, and that with it at the normal `quantile` of the power.
    """
    with_gain = math.sqrt(max(0.0, discordant - difference**2))
    return float(scipy.stats.norm.isf(level) * math.sqrt(discordant) + quantile * with_gain)


def count(labels: np.ndarray, segments: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The positives of a holdout, as a whole (WHOLE) and by `segment = group`.

    `labels` are 0 and 1, each of `segments` names the group of each row as a text; all of shape
    (rows,).
    """
    positive = labels == 1
    counts = {WHOLE: int(positive.sum())}
    for segment, groups in segments.items():
        for group in np.unique(groups):
            counts[f"{segment} = {group}"] = int((positive & (groups == group)).sum())
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
    """What a holdout tells at `level`, and at the level of one of its `uses`, which share it.

    `positives` are by group, from `count` or wished for. Of the `wanted` gains those are left out
    that no number of positives shows.
    """
    use_level = level / uses
    groups: list[Group] = []
    for name, number in positives.items():
        at_level = detectable(number, discordant, level, power)
        at_use = detectable(number, discordant, use_level, power)
        groups.append(Group(name, number, at_level, at_use))
    needs: list[Wanted] = []
    for gain in wanted:
        if gain <= discordant:
            at_level_needed = positives_needed(gain, discordant, level, power)
            at_use_needed = positives_needed(gain, discordant, use_level, power)
            needs.append(Wanted(gain, at_level_needed, at_use_needed))
    return Report(level, use_level, discordant, power, tuple(groups), tuple(needs))
