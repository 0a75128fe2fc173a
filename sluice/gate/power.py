"""What a holdout can tell: the smallest difference in recall that it shows, and what one needs.

Two models are compared on the same positives, and a share `discordant` of these is found by one of
the two alone. Where both flag equally many rows, `positive_share` is the share of positives among
the rows on which they differ; 0 stands for models that flag as many as they ship with. Levels are
one-sided probabilities, differences are shares of the positives. The normal approximation of the
test: R. Connor, Sample size for testing differences in proportions for the paired-sample design,
Biometrics 43 (1987), with the variance of docs/statistics.md.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.first_release import FirstRelease
from sluice.gate.paired import CONTINUITY
from sluice.model.quality.clusters import alike
from sluice.model.quality.error_costs import PER, costs_of
from sluice.policy import GatePolicy

POWER = 0.8
# Retrains of one recipe disagree on 0.02 to 0.04 of the positives, another recipe on up to 0.1:
# plan for that.
DISCORDANT = 0.1
WANTED = (0.005, 0.01, 0.02, 0.03, 0.05)  # gains in recall that a person may ask about
WHOLE = "all"  # the group of all positives
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Group:
    """What the positives of a group can tell: the smallest gain in recall that they show.

    At the whole level of the holdout and at that of a use; None where no gain is shown.
    """

    name: str
    positives: int
    at_level: float | None
    at_use: float | None


@dataclass(frozen=True)
class Wanted:
    """The positives that a wanted difference in recall needs.

    At the whole level of the holdout and at that of a use.
    """

    difference: float
    at_level: int
    at_use: int


@dataclass(frozen=True)
class Saving:
    """The smallest savings that are found where errors have costs, for each `per` rows.

    `margin` is that of the policy in the same unit.
    """

    per: int
    at_level: float
    at_use: float
    margin: float


@dataclass(frozen=True)
class Report:
    """What a holdout can tell, as a whole (the first of `groups`) and group by group.

    The whole is compared at equal numbers of flagged rows, and `positive_share` is the share of
    positives among the rows on which the models differ; the groups as the models ship. `first` is
    what a first release needs to clear its floor of recall, `saving` what is seen of the costs.
    """

    level: float
    use_level: float
    discordant: float
    positive_share: float
    power: float
    groups: tuple[Group, ...]
    wanted: tuple[Wanted, ...]
    first: FirstRelease | None = None
    saving: Saving | None = None


def largest(discordant: float, positive_share: float = 0.0) -> float:
    """The largest gain that there can be: every discordant positive is gained, and for each of them
    a row that is none is no longer flagged.
    """
    if positive_share <= 0.5:
        return discordant
    return discordant * (1 - positive_share) / positive_share


def positives_needed(
    difference: float,
    discordant: float,
    level: float,
    power: float = POWER,
    *,
    positive_share: float = 0.0,
) -> int:
    """The positives with which a true gain of `difference` in recall is significant.

    At `level`, with probability `power`. Raises ValueError for a gain that is larger than the share
    of discordant positives allows, or none.
    """
    # A gain that is the largest one may be a little larger by rounding.
    most = largest(discordant, positive_share) * (1 + _ROUNDING)
    if not 0 < difference <= most or discordant > 1:
        raise ValueError(
            f"a difference of {difference:g} needs more discordant positives than {discordant:g}"
        )
    quantile = scipy.stats.norm.isf(1 - power)
    spreads = scipy.stats.norm.isf(level) * math.sqrt(_variance(0.0, discordant, positive_share))
    spreads += quantile * math.sqrt(_variance(difference, discordant, positive_share))
    return math.ceil((spreads / difference) ** 2)


def detectable(
    positives: int,
    discordant: float,
    level: float,
    power: float = POWER,
    *,
    positive_share: float = 0.0,
) -> float | None:
    """The smallest gain in recall that so many positives show at `level` with `power`.

    None where they do not even show the largest one.
    """
    quantile = scipy.stats.norm.isf(1 - power)
    required = scipy.stats.norm.isf(level) * math.sqrt(_variance(0.0, discordant, positive_share))

    def excess(difference: float) -> float:
        """By how much a gain exceeds what is required; it grows with the gain."""
        with_gain = quantile * math.sqrt(_variance(difference, discordant, positive_share))
        return float(difference * math.sqrt(positives) - required - with_gain)

    most = largest(discordant, positive_share)
    if excess(most) < 0:
        return None
    return float(scipy.optimize.brentq(excess, 0.0, most))


def achieved(
    difference: float,
    positives: int,
    discordant: float,
    level: float,
    *,
    positive_share: float = 0.0,
) -> float:
    """The probability that a true gain of `difference` is found significant at `level`."""
    required = scipy.stats.norm.isf(level) * math.sqrt(_variance(0.0, discordant, positive_share))
    beyond = difference * math.sqrt(positives) - required
    # With all discordant positives gained nothing is left to chance, and nothing to divide by.
    variance = max(_variance(difference, discordant, positive_share), 1e-12)
    return float(scipy.stats.norm.cdf(beyond / math.sqrt(variance)))


def margin_needed(margin: float, value: float, variance: float, level: float) -> int | None:
    """The positives with which a difference of `value` has its lower limit above `-margin`.

    `variance` is that of one positive if the true difference is `-margin`, from
    `sluice.gate.paired.unit_variance`. None where no number of them does, because the difference
    itself is not above it.
    """
    distance = margin + value
    if distance <= 0:
        return None
    # n distance - CONTINUITY = quantile sqrt(n variance), solved for the root of n.
    reach = scipy.stats.norm.isf(level) * math.sqrt(variance)
    root = (reach + math.sqrt(reach**2 + 4 * distance * CONTINUITY)) / (2 * distance)
    return math.ceil(root**2)


def saving(report: Report, gate: GatePolicy, prevalence: float) -> Saving:
    """The smallest saving that the holdout of a report finds, at the costs of a policy.

    Of the positives the share `discordant` is found by one model alone, and of the other rows as
    large a share is flagged by one alone; each such row costs a miss or a false alarm.
    """
    costs = costs_of(gate)
    squares = prevalence * costs.miss**2 + (1 - prevalence) * costs.false_alarm**2
    rows = report.groups[0].positives / prevalence
    error = math.sqrt(report.discordant * squares / rows)
    beyond = float(scipy.stats.norm.isf(1 - report.power))
    margin = PER * gate.margin * costs.miss * prevalence
    at_level, at_use = (
        PER * error * (float(scipy.stats.norm.isf(level)) + beyond)
        for level in (report.level, report.use_level)
    )
    return Saving(PER, at_level, at_use, margin)


def _variance(difference: float, discordant: float, positive_share: float) -> float:
    """That of gained - lost for each positive, with a true gain of `difference`.

    Connor's (1987) where `positive_share` is 0.
    """
    return max(0.0, discordant * (1 - positive_share) - difference**2 * (1 - 2 * positive_share))


def count(
    labels: np.ndarray, segments: Mapping[str, np.ndarray], clusters: np.ndarray | None = None
) -> dict[str, int]:
    """The positives of a holdout, as a whole (WHOLE) and by `segment = group`.

    `labels` are 0 and 1, each of `segments` names the group of each row as a text; all of shape
    (rows,). Of rows that belong together, in `clusters` of one number, so many are counted as they
    tell at least: as if they were all alike.
    """
    positive = labels == 1
    counts = {WHOLE: _worth(positive, clusters)}
    for segment, groups in segments.items():
        for group in np.unique(groups):
            counts[f"{segment} = {group}"] = _worth(positive & (groups == group), clusters)
    return counts


def _worth(rows: np.ndarray, clusters: np.ndarray | None) -> int:
    """How many independent rows these are worth at least; `rows` is boolean, shape (rows,)."""
    number = int(rows.sum())
    if clusters is None or not number:
        return number
    return max(int(number / alike(clusters[rows])), 1)


def report(
    positives: Mapping[str, int],
    level: float,
    use: int = 1,
    *,
    discordant: float = DISCORDANT,
    positive_share: float = 0.0,
    power: float = POWER,
    wanted: Iterable[float] = WANTED,
) -> Report:
    """What a holdout tells at `level`, and at the first look of its `use` of this number (from
    1).

    `positives` are by group, from `count` or wished for. `positive_share` holds for the whole; in a
    group the numbers of flagged rows differ. Of the `wanted` gains those are left out that no
    number of positives shows.
    """
    use_level = spending.first_level(level, use - 1)
    groups: list[Group] = []
    for name, number in positives.items():
        tied = positive_share if name == WHOLE else 0.0
        at_level = detectable(number, discordant, level, power, positive_share=tied)
        at_use = detectable(number, discordant, use_level, power, positive_share=tied)
        groups.append(Group(name, number, at_level, at_use))
    needed = partial(
        positives_needed, discordant=discordant, power=power, positive_share=positive_share
    )
    most = largest(discordant, positive_share)
    needs = [
        Wanted(gain, needed(gain, level=level), needed(gain, level=use_level))
        for gain in wanted
        if gain <= most
    ]
    return Report(level, use_level, discordant, positive_share, power, tuple(groups), tuple(needs))
