"""What a holdout can tell of models of a number: the smallest gain in skill that it shows.

Two models are compared row by row: a row's gain is by how much one is nearer. `spread` is the
standard deviation of these gains as a share of the mean absolute error of the median, which is the
unit of a skill. The normal approximation of the test of signs: a mean over n rows has a standard
error of spread / sqrt(n). Levels and power are those of `sluice.gate.power`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import scipy  # its parts are loaded at their first use

from sluice.gate import spending
from sluice.gate.power import POWER, WANTED

# Retrains of one recipe have a spread of 0.07 to 0.26, another recipe one of up to 0.42: plan for
# that.
SPREAD = 0.4


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
    skill times this is one in mean absolute error. None where no holdout was looked at.
    """

    level: float
    use_level: float
    spread: float
    power: float
    groups: tuple[Group, ...]
    wanted: tuple[Wanted, ...]
    unit_error: float | None = None


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


def _reach(level: float, power: float) -> float:
    """How many standard errors a gain has to be away from 0."""
    return float(scipy.stats.norm.isf(level) + scipy.stats.norm.isf(1 - power))
