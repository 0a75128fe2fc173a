"""What a holdout can tell of models of a number: the smallest gain in skill that it shows.

Two models are compared row by row: a row's gain is by how much one is nearer. `spread` is the
standard deviation of these gains as a share of the mean absolute error of the median, which is the
unit of a skill. The normal approximation of the test of signs: a mean over n rows has a standard
error of spread / sqrt(n). Levels and power are those of `sluice.gate.power`.

A first release clears a floor of its skill with a lower limit. With b how far the median is off in
a row and e how far the model is, skill is 1 - sum(e) / sum(b), and its standard error is that of
the mean of (1 - skill) b - e, over the mean of b (the delta method). Where e and b vary from row to
row by one share of their means, `variation`, and e follows b with a correlation r, that is
(1 - skill) variation sqrt(2 (1 - r) / n). r is the one of a linear model of normally distributed
outcomes: 1 - skill is then the correlation of the two signed errors, and r that of their sizes.
Outcomes with a long tail have larger errors where they are large, so they need fewer rows.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.first_release import ABOVE, FirstRelease, Need
from sluice.gate.power import POWER, WANTED

# Retrains of one recipe have a spread of 0.07 to 0.26, another recipe one of up to 0.42: plan for
# that.
SPREAD = 0.4
# The standard deviation of how far a median is off, as a share of its mean, of outcomes that are
# normally distributed.
VARIATION = math.sqrt(math.pi / 2 - 1)


@dataclass(frozen=True)
class Group:
    """What the rows of a group can tell: the smallest gain in skill that they show, at the whole
    level of the holdout and at that of a use.
    """

    name: str
    rows: int
    at_level: float
    at_use: float


@dataclass(frozen=True)
class Wanted:
    """The rows that a wanted gain in skill needs, at the whole level and at that of a use."""

    difference: float
    at_level: int
    at_use: int


@dataclass(frozen=True)
class NumberReport:
    """What a holdout can tell, as a whole (the first of `groups`) and group by group.

    `unit_error` is what the median is off by on the average, in the unit of the target: a gain in
    skill times this is one in mean absolute error. None where no holdout was looked at. `first` is
    what a first release needs to clear the floor of its skill; None where the policy has none.
    """

    level: float
    use_level: float
    spread: float
    power: float
    groups: tuple[Group, ...]
    wanted: tuple[Wanted, ...]
    unit_error: float | None = None
    first: FirstRelease | None = None


def detectable(rows: int, spread: float, level: float, power: float = POWER) -> float:
    """The smallest gain in skill that so many rows, at least 1, show at `level` with `power`."""
    return _reach(level, power) * spread / math.sqrt(rows)


def rows_needed(difference: float, spread: float, level: float, power: float = POWER) -> int:
    """The rows with which a true gain of `difference` is significant at `level` with `power`.

    Raises ValueError where there is no gain.
    """
    if not difference > 0:
        raise ValueError(f"a difference of {difference:g} is no gain")
    return math.ceil((_reach(level, power) * spread / difference) ** 2)


def report(
    rows: Mapping[str, int],
    level: float,
    *,
    spread: float = SPREAD,
    power: float = POWER,
    wanted: Iterable[float] = WANTED,
    unit_error: float | None = None,
) -> NumberReport:
    """What a holdout with so many rows by group, the whole first, tells at `level`, and at its
    first use.
    """
    use_level = spending.first_level(level, 0)
    groups = tuple(
        Group(
            name,
            many,
            detectable(many, spread, level, power),
            detectable(many, spread, use_level, power),
        )
        for name, many in rows.items()
    )
    needs = tuple(
        Wanted(
            gain,
            rows_needed(gain, spread, level, power),
            rows_needed(gain, spread, use_level, power),
        )
        for gain in wanted
    )
    return NumberReport(level, use_level, spread, power, groups, needs, unit_error)


def first_release(
    floor: float,
    rows: int,
    level: float,
    power: float = POWER,
    *,
    variation: float = VARIATION,
    holdout: float = 0.0,
) -> FirstRelease:
    """What the first release of a model needs whose skill has this floor, on so many rows, where
    errors and outcomes vary from row to row by this share of their means.
    """
    reach = _reach(level, power)
    needs = tuple(
        Need(above, many, many / rows)
        for above in ABOVE
        if floor + above < 1
        for many in (skilled_rows_needed(floor, above, level, power, variation),)
    )
    return FirstRelease(
        floor=floor,
        rows=rows,
        power=power,
        clears=_clears(floor, rows, reach * variation),
        highest=max(floor - reach * _spread(floor, variation) / math.sqrt(rows), 0.0),
        needs=needs,
        holdout=holdout,
    )


def skilled_rows_needed(
    floor: float,
    above: float,
    level: float,
    power: float = POWER,
    variation: float = VARIATION,
) -> int:
    """The rows with which a true skill of `floor + above` has its lower limit at the floor, with
    probability `power`. Raises ValueError where the skill is no number below 1, or not above.
    """
    skill = floor + above
    if not floor < skill < 1:
        raise ValueError(f"{floor:g} and {skill:g} are no floor and a skill above it")
    return math.ceil((_reach(level, power) * _spread(skill, variation) / above) ** 2)


def _clears(floor: float, rows: int, reach: float) -> float | None:
    """The lowest skill whose lower limit is at the floor; `reach` is in standard errors of rows
    that vary by 1.
    """

    def excess(skill: float) -> float:
        return reach * _spread(skill, 1.0) / math.sqrt(rows) - (skill - floor)

    return float(scipy.optimize.brentq(excess, floor, 1.0, xtol=1e-6))


def _spread(skill: float, variation: float) -> float:
    """The standard deviation from row to row of what a skill is the mean of."""
    signed = 1.0 - skill
    # Of two normal numbers with this correlation, that of their sizes.
    sizes = signed * math.asin(signed) + math.sqrt(1.0 - signed**2) - 1.0
    follows = sizes * 2.0 / math.pi / (1.0 - 2.0 / math.pi)
    return signed * variation * math.sqrt(2.0 * (1.0 - follows))


def _reach(level: float, power: float) -> float:
    """How many standard errors a gain has to be away from 0."""
    return float(scipy.stats.norm.isf(level) + scipy.stats.norm.isf(1 - power))
