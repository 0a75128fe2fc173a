"""Limits where rows belong together: how often each holds the truth, and how often equals differ.

Rows come in clusters of one size, or of mixed ones. A row takes label and scores of its cluster
with a probability of √ρ, and else its own, so that any two rows of a cluster have the correlation ρ
in everything. Two models score each row; the truth is worked out from their distributions.

    python -m benchmarks.clusters [draws] [rows]
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from sluice.gate.paired import at_equal_counts, better, mean_difference, on_positives, top, worse
from sluice.model.quality.clusters import Design, numbered, of_share
from sluice.model.quality.statistics import roc_auc_interval, wilson_high, wilson_low

LEVEL = 0.05
LEVELS = (0.05, 0.025, 0.0025)
SIZES = ("1", "3", "10", "mixed")
CORRELATIONS = (0.0, 0.2, 0.5, 0.8)
_PREVALENCE, _CUT, _NOISE = 0.3, 0.6, 0.9


@dataclass(frozen=True)
class World:
    """How far positives score above negatives: candidate and other."""

    candidate: float
    other: float

    @property
    def cuts(self) -> tuple[float, float]:
        """The thresholds at which both flag the same share of the rows."""
        share = _flagged(self.other, _CUT)
        cut = scipy.optimize.brentq(lambda t: _flagged(self.candidate, t) - share, -9.0, 9.0)
        return float(cut), _CUT

    @property
    def recalls(self) -> tuple[float, float]:
        """The true recalls at these thresholds."""
        mine, theirs = self.cuts
        return _above(self.candidate, mine), _above(self.other, theirs)

    @property
    def precision(self) -> float:
        """That of the candidate."""
        return _PREVALENCE * self.recalls[0] / _flagged(self.candidate, self.cuts[0])

    @property
    def area(self) -> float:
        """That under the ROC curve of the candidate."""
        return float(scipy.stats.norm.cdf(self.candidate / math.sqrt(2)))


def _above(shift: float, cut: float) -> float:
    return float(scipy.stats.norm.cdf(shift - cut))


def _flagged(shift: float, cut: float) -> float:
    return _PREVALENCE * _above(shift, cut) + (1 - _PREVALENCE) * _above(0.0, cut)


@dataclass(frozen=True)
class Rows:
    """Drawn rows; every array has the shape (rows,)."""

    labels: np.ndarray
    candidate: np.ndarray
    other: np.ndarray
    clusters: np.ndarray | None


def draw(
    world: World, rows: int, size: str, correlation: float, chance: np.random.Generator
) -> Rows:
    """Rows of a world in clusters."""
    if size == "mixed":
        sizes = chance.integers(1, 20, rows // 10)
        owner = np.repeat(np.arange(len(sizes)), sizes)
    else:
        owner = np.arange(rows) // int(size)
    copies = chance.random(len(owner)) < math.sqrt(correlation)
    drawn = []
    for count in (int(owner.max()) + 1, len(owner)):
        label = (chance.random(count) < _PREVALENCE).astype(np.int64)
        common, own = chance.standard_normal((2, count)), math.sqrt(1 - _NOISE**2)
        one = common[0]
        two = _NOISE * common[0] + own * common[1]
        drawn.append((label, world.candidate * label + one, world.other * label + two))
    labels, candidate, other = (
        np.where(copies, shared[owner], alone) for shared, alone in zip(*drawn, strict=True)
    )
    return Rows(labels, candidate, other, numbered(owner))


Held = dict[str, tuple[bool, bool]]


def held(world: World, rows: Rows, chance: np.random.Generator) -> Held:
    """Whether the lower and the upper limit of each measure hold the truth."""
    cut, theirs = world.cuts
    flagged, positive = rows.candidate >= cut, rows.labels == 1
    hit = flagged & positive
    recall, precision = ((hit, of, of_share(hit, of, rows.clusters)) for of in (positive, flagged))
    true = world.recalls[0] - world.recalls[1]
    shipped = on_positives(rows.labels, flagged, rows.other >= theirs, rows.clusters)
    count = int((rows.other >= theirs).sum())
    hashes = chance.permutation(len(rows.labels))
    tops = top(rows.candidate, hashes, count), top(rows.other, hashes, count)
    equal = at_equal_counts(rows.labels, *tops, rows.clusters)
    area = roc_auc_interval(rows.labels, rows.candidate, 1 - 2 * LEVEL, rows.clusters)
    mine, others = ((score - rows.labels) ** 2 for score in (rows.candidate, rows.other))
    brier = mean_difference(mine, others, LEVEL, rows.clusters)
    return {
        "recall": _share(recall, world.recalls[0]),
        "precision": _share(precision, world.precision),
        "area": (area[0] <= world.area, area[1] >= world.area),
        "as shipped": _both(worse(shipped, -true)),
        "equal counts": _both(worse(equal, -true)),
        "squares": (brier.low <= _squares(world), brier.high >= _squares(world)),
    }


def _squares(world: World) -> float:
    """The true difference of the mean squared distances of score and label."""
    mine, theirs = (_PREVALENCE * (shift - 1) ** 2 for shift in (world.candidate, world.other))
    return mine - theirs


def _share(counted: tuple[np.ndarray, np.ndarray, Design], true: float) -> tuple[bool, bool]:
    hit, of, design = counted
    hits, count = int(hit.sum()), int(of.sum())
    low, high = wilson_low(hits, count, LEVEL, design), wilson_high(hits, count, LEVEL, design)
    return low <= true, high >= true


def _both(p_value: float) -> tuple[bool, bool]:
    """From the p-value that the difference lies below the true one."""
    return p_value >= LEVEL and p_value <= 1.0, p_value <= 1 - LEVEL


def equals(
    rows_of: Callable[[np.random.Generator], Rows], draws: int, chance: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """The p-values of two equally good models, by clusters and by rows, shape (draws,)."""
    found = []
    for _ in range(draws):
        rows = rows_of(chance)
        count = int((rows.other >= _CUT).sum())
        hashes = chance.permutation(len(rows.labels))
        tops = top(rows.candidate, hashes, count), top(rows.other, hashes, count)
        by_clusters = at_equal_counts(rows.labels, *tops, rows.clusters)
        found.append((better(by_clusters), better(at_equal_counts(rows.labels, *tops))))
    return tuple(np.array(found).T)


def main(draws: int, rows: int) -> None:
    """Print two lines for each size and correlation."""
    for size in SIZES:
        for correlation in CORRELATIONS if size != "1" else CORRELATIONS[:1]:
            chance = np.random.default_rng([rows, SIZES.index(size), int(10 * correlation)])
            shown = _coverage(draws, rows, size, correlation, chance)
            print(
                f"{rows} rows, clusters of {size}, correlation {correlation}: {shown}", flush=True
            )
            print(
                f"  called better of two equals: {_errors(draws, rows, size, correlation, chance)}"
            )


def _coverage(
    draws: int, rows: int, size: str, correlation: float, chance: np.random.Generator
) -> str:
    """How often lower and upper limits hold the truth, by measure."""
    world, counts = World(1.6, 1.5), dict[str, np.ndarray]()
    for _ in range(draws):
        for name, both in held(world, draw(world, rows, size, correlation, chance), chance).items():
            counts[name] = counts.get(name, np.zeros(2)) + both
    return ", ".join(
        f"{name} {low / draws:.3f} {high / draws:.3f}" for name, (low, high) in counts.items()
    )


def _errors(
    draws: int, rows: int, size: str, correlation: float, chance: np.random.Generator
) -> str:
    """How often one of two equally good models is called better, by level."""
    world = World(1.5, 1.5)
    p_values = equals(lambda drawn: draw(world, rows, size, correlation, drawn), draws, chance)
    told = []
    for name, p_value in zip(("clusters", "rows"), p_values, strict=True):
        shares = ", ".join(f"{level}: {(p_value <= level).mean():.4f}" for level in LEVELS)
        told.append(f"{name} {shares}")
    return "; ".join(told)


if __name__ == "__main__":
    arguments = [int(one) for one in sys.argv[1:]]
    main(*(arguments + [2_000, 3_000][len(arguments) :]))
