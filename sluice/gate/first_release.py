"""What a first release needs: it clears its floors with its lower limits, which takes rows.

Levels are one-sided probabilities. A limit of a share p on n rows lies about a quantile times
√(p (1 - p) / n) below what was measured, and what was measured varies by as much around the truth.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import scipy  # its parts are loaded at their first use

ABOVE = (0.01, 0.02, 0.03, 0.05, 0.1)  # how far a model may lie above its floor


@dataclass(frozen=True)
class Need:
    """A model whose true value lies `above` its floor, and the rows that its first release needs.

    `times` is how often the rows are needed that there are.
    """

    above: float
    rows: int
    times: float


@dataclass(frozen=True)
class FirstRelease:
    """What a first release needs to clear a floor with its lower limit.

    `rows` are those that the holdout has: positives for recall. `clears` is the true value that
    clears the floor with these, None where none does; `highest` is the floor that a model clears
    which truly lies at `floor`. `holdout` is the share of all rows that the holdout has; 0 where
    it is assumed.
    """

    floor: float
    rows: int
    power: float
    clears: float | None
    highest: float
    needs: tuple[Need, ...]
    holdout: float = 0.0


def rows_needed(floor: float, above: float, level: float, power: float) -> int:
    """The rows with which a true value of `floor + above` has its lower limit at the floor.

    With probability `power`. Raises ValueError where floor or value is no share, or nothing lies
    between them.
    """
    value = floor + above
    if not 0 < floor < value < 1:
        raise ValueError(f"{floor:g} and {value:g} are no floor and a value above it")
    # Wilson's limit is at the floor where the score test at the floor is at the level.
    reach = scipy.stats.norm.isf(level) * math.sqrt(floor * (1 - floor))
    reach += scipy.stats.norm.isf(1 - power) * math.sqrt(value * (1 - value))
    return math.ceil((reach / above) ** 2)


def first_release(
    floor: float, rows: int, level: float, power: float, *, holdout: float = 0.0
) -> FirstRelease:
    """What the first release of a model needs that has this floor, on so many rows."""
    needs = tuple(_needs(floor, rows, level, power))
    return FirstRelease(
        floor=floor,
        rows=rows,
        power=power,
        clears=_clears(floor, rows, level, power),
        highest=_highest(floor, rows, level, power),
        needs=needs,
        holdout=holdout,
    )


def _needs(floor: float, rows: int, level: float, power: float) -> Iterable[Need]:
    for above in ABOVE:
        if floor + above < 1:
            needed = rows_needed(floor, above, level, power)
            yield Need(above, needed, needed / max(rows, 1))


def _clears(floor: float, rows: int, level: float, power: float) -> float | None:
    """The lowest true value whose first release clears the floor on so many rows."""
    most = 1 - floor - 1e-6
    if rows_needed(floor, most, level, power) > rows:
        return None

    def excess(above: float) -> float:
        return rows_needed(floor, above, level, power) - rows

    return floor + float(scipy.optimize.brentq(excess, 1e-5, most, xtol=1e-5))


def _highest(value: float, rows: int, level: float, power: float) -> float:
    """The highest floor that a model of this true value clears on so many rows; 0 if none."""
    least = 1e-4
    if rows_needed(least, value - least, level, power) > rows:
        return 0.0

    def excess(floor: float) -> float:
        return rows - rows_needed(floor, value - floor, level, power)

    return float(scipy.optimize.brentq(excess, least, value - 1e-5, xtol=1e-5))
