"""What a holdout of several classes can tell: the smallest gain in mean recall that it shows.

The recall of each class is known as well as its rows allow, and a mean over K classes of n rows
each as if it were one recall of `worth` rows: K squared over the sum of 1 / n, where as large a
share of the rows of each class is answered rightly by one of two models alone. Levels and power are
those of `sluice.gate.power`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.gate import spending
from sluice.gate.power import DISCORDANT, POWER, WANTED, detectable, positives_needed


@dataclass(frozen=True)
class OfClass:
    """A class: its rows in the holdout, and the smallest gain in its recall that they show, at the
    whole level of the holdout and at that of a use; None where no gain is shown.
    """

    name: str
    rows: int
    at_level: float | None
    at_use: float | None


@dataclass(frozen=True)
class Needed:
    """How many times as many rows of each class a gain in mean recall needs, at both levels."""

    difference: float
    at_level: float
    at_use: float


@dataclass(frozen=True)
class ClassReport:
    """What a holdout can tell: the smallest gain in mean recall (None where none is shown), that of
    each class, and what wanted gains need.
    """

    level: float
    use_level: float
    discordant: float
    power: float
    rows: int
    at_level: float | None
    at_use: float | None
    classes: tuple[OfClass, ...]
    wanted: tuple[Needed, ...]


def worth(rows: Sequence[int]) -> float:
    """Of how many rows one recall is known as well as the mean over these classes; 0 where a class
    has none.
    """
    counts = np.asarray(rows, dtype=np.float64)
    return float(len(counts) ** 2 / (1 / counts).sum()) if counts.all() else 0.0


def report(
    rows: Mapping[str, int],
    level: float,
    *,
    discordant: float = DISCORDANT,
    power: float = POWER,
    wanted: Sequence[float] = WANTED,
) -> ClassReport:
    """What a holdout with so many rows of each class tells at `level`, and at its first use."""
    use_level, whole = spending.first_level(level, 0), worth(tuple(rows.values()))

    def shown(many: float, at: float) -> float | None:
        return detectable(int(many), discordant, at, power) if many >= 1 else None

    classes = tuple(
        OfClass(name, many, shown(many, level), shown(many, use_level))
        for name, many in rows.items()
    )
    needed = []
    for difference in sorted(one for one in wanted if one <= discordant and whole):
        at_level, at_use = (
            positives_needed(difference, discordant, at, power) / whole for at in (level, use_level)
        )
        needed.append(Needed(difference, at_level, at_use))
    return ClassReport(
        level=level,
        use_level=use_level,
        discordant=discordant,
        power=power,
        rows=sum(rows.values()),
        at_level=shown(whole, level),
        at_use=shown(whole, use_level),
        classes=classes,
        wanted=tuple(needed),
    )
