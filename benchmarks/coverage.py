"""The proof of the comparison's statistics: how often its test errs, what it finds, and how often
its limits hold the truth.

    python -m benchmarks.coverage            20,000 draws a cell, about five minutes on one core
    python -m benchmarks.coverage --quick    a few draws, to see that it runs
    python -m benchmarks.coverage --json     the figures as JSON

A world is a population of a million rows in which everything is known: the odds of a row, its
label, and two models that see the odds through noise, partly the same. A cell draws holdouts of
independent rows from it, in which the number of positives, of flagged rows and of rows on which the
models differ are all chance, and cuts both models as the gate does. Exit code 1: a bound is missed.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import chain

import numpy as np
from scipy import optimize, special, stats

from sluice.gate.paired import CONTINUITY, Pairs, better, recall_difference

SIZE = 1_000_000
PREVALENCES = (0.02, 0.1, 0.3, 0.5)
POSITIVES = (60, 300, 1_000, 7_000)
NOISES = (0.15, 0.6)  # as two retrains of one recipe, and as two recipes
FLAGGED = 1.2  # rows flagged, times the positives: as the shipped model
LEVELS = (0.05, 0.025, 0.0025)
LEVEL, MARGIN = 0.05, 0.01
DRAWS, FEW = 20_000, 2_000
LEAST, MOST, ENOUGH = 0.94, 0.965, 100
GROUP = 0.2  # the share of the rows that are in the group
# A true gain in recall, the noise of the model that is worse, the spread of the odds, the
# positives, and the least power required at the level of the fourth use of a holdout.
GAINS = (
    (0.01, 0.6, 2.2, 7_000, 0.85),
    (0.01, 0.6, 2.2, 3_000, None),
    (0.03, 1.15, 3.0, 1_000, 0.85),
    (0.03, 1.15, 3.0, 300, None),
)
WHOLE = "whole"
_BINS = 40
_CHECKED = 20
_SHARED = 0.5  # noise that both models have


@dataclass(frozen=True)
class World:
    """A population: how many of its rows are of each kind, and what is true of it.

    `rows` has the shape (8, zones): the kinds are positive, flagged by the other model and in the
    group, as the bits of their number; the zones go from the candidate's highest scores to its
    lowest, with a cut exactly between two of them. Rows of one zone are tied, and their hashes
    decide. `shipped` has the shape (16,), with the bit of the candidate that flags a tenth less.
    """

    rows: np.ndarray
    shipped: np.ndarray
    recall: float
    group: float
    as_shipped: float
    side: float
    discordant: float


@dataclass(frozen=True)
class Drawn:
    """Holdouts drawn from a world: the counts of `Pairs`, each of shape (draws,)."""

    gained: np.ndarray
    lost: np.ndarray
    rows: np.ndarray
    side: np.ndarray | None

    @property
    def discordant(self) -> np.ndarray:
        """The positives that only one of the two models finds."""
        return self.gained + self.lost

    def pairs(self, place: int) -> Pairs:
        """One of them, as the gate has it."""
        side = None if self.side is None else int(self.side[place])
        return Pairs(int(self.gained[place]), int(self.lost[place]), int(self.rows[place]), side)


@dataclass(frozen=True)
class Cell:
    """A line of the table: where, and how often each limit held the true difference.

    `old` is the same with Tango's limits, which know the positives alone.
    """

    what: str
    prevalence: float
    positives: int
    side: float
    true: float
    low: float
    high: float
    old_low: float
    old_high: float

    @property
    def met(self) -> bool:
        """Whether both limits hold it often enough, and not too often where many rows differ."""
        most = MOST if self.side >= ENOUGH else 1.0
        return min(self.low, self.high) >= LEAST and max(self.low, self.high) <= most


@dataclass(frozen=True)
class Rate:
    """A line of the table: how often "better" is said at a level, by both tests."""

    what: str
    prevalence: float
    positives: int
    discordant: float
    level: float
    exact: float
    mcnemar: float
    least: float | None
    most: float | None

    @property
    def met(self) -> bool:
        """Whether it is said neither too often, but for three standard errors, nor too rarely."""
        if self.most is not None:
            return self.exact <= self.most
        return self.least is None or self.exact >= self.least


def noise_for(gain: float, prevalence: float, flagged: float, other: float, spread: float) -> float:
    """The candidate's own noise with which its recall is `gain` above the other's at as many
    flagged rows; `spread` is that of the odds.
    """
    if gain == 0:
        return other
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    middle = _middle(prevalence, spread)
    odds = middle + spread * nodes
    chances = special.expit(odds)

    def recall(own: float) -> float:
        noise = np.hypot(_SHARED, own)
        cut = middle + np.hypot(spread, noise) * stats.norm.isf(flagged)
        return float((weights * chances * stats.norm.sf((cut - odds) / noise)).sum() / prevalence)

    ends = (1e-3, other) if gain > 0 else (other, 10.0)
    return float(optimize.brentq(lambda own: recall(own) - recall(other) - gain, *ends))


def _middle(prevalence: float, spread: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)

    def excess(middle: float) -> float:
        chances = special.expit(middle + spread * nodes)
        return float((weights * chances).sum() / weights.sum() - prevalence)

    return float(optimize.brentq(excess, -40.0, 40.0))


@cache
def world(
    prevalence: float, noise: float, gain: float, positives: int, spread: float = 1.2
) -> World:
    """A population whose candidate is truly better by about `gain`, and exactly as good where it
    is 0: each row is then there twice, with the two models exchanged.
    """
    random = np.random.default_rng(7)
    flagged = FLAGGED * prevalence
    own = noise_for(gain, prevalence, flagged, noise, spread)
    odds = _middle(prevalence, spread) + spread * random.standard_normal(SIZE)
    labels = random.random(SIZE) < special.expit(odds)
    seen = odds + _SHARED * random.standard_normal(SIZE)
    candidate, other = (seen + one * random.standard_normal(SIZE) for one in (own, noise))
    # A group whose rows are at less risk than others.
    group = random.random(SIZE) < 2 * GROUP * special.expit(_middle(prevalence, spread) - odds)
    if gain == 0:
        candidate, other = np.append(candidate, other), np.append(other, candidate)
        labels, group = np.append(labels, labels), np.append(group, group)
    return _counted(labels, candidate, other, group, positives / prevalence)


def _counted(
    labels: np.ndarray, candidate: np.ndarray, other: np.ndarray, group: np.ndarray, rows: float
) -> World:
    size = len(labels)
    count = int(FLAGGED * labels.mean() * size)
    theirs, mine = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    theirs[np.argpartition(-other, count)[:count]] = True
    order = np.argsort(-candidate)
    mine[order[:count]] = True
    alone = mine & ~theirs
    # Where the cut falls in a holdout: within six standard deviations of where it truly is.
    reach = min(int(6 * np.sqrt(2 * alone.mean() / rows) * size) + 1, count, size - count)
    edges = np.unique(np.linspace(count - reach, count + reach, _BINS + 1).astype(int))
    edges = np.unique(np.append(edges, count))
    zones = np.empty(size, dtype=np.int64)
    zones[order] = np.searchsorted(edges, np.arange(size), side="right")
    kinds = labels + 2 * theirs + 4 * group
    table = np.bincount(kinds * (len(edges) + 1) + zones, minlength=8 * (len(edges) + 1))
    fewer = np.zeros(size, dtype=bool)
    fewer[order[: count * 9 // 10]] = True
    return World(
        table.reshape(8, -1) / size,
        np.bincount(kinds + 8 * fewer, minlength=16) / size,
        _difference(labels, mine, theirs),
        _difference(labels & group, mine, theirs),
        _difference(labels, fewer, theirs),
        float(alone.mean()),
        float((labels & (mine ^ theirs)).sum() / labels.sum()),
    )


def _difference(labels: np.ndarray, mine: np.ndarray, theirs: np.ndarray) -> float:
    return float(((labels & mine).sum() - (labels & theirs).sum()) / labels.sum())


def drawn(of: World, rows: int, draws: int, random: np.random.Generator) -> tuple[Drawn, Drawn]:
    """So many holdouts of so many rows, both models cut at the other's number of flagged rows: the
    whole, and the group.
    """
    counts = random.multinomial(rows, of.rows.ravel(), size=draws).reshape(draws, 8, -1)
    flagged = counts[:, [2, 3, 6, 7]].sum(axis=(1, 2))
    above = np.cumsum(counts.sum(axis=1), axis=1)
    zone = (above < flagged[:, None]).sum(axis=1)
    everything = np.arange(draws)
    taken = np.where(np.arange(counts.shape[2])[None, :] < zone[:, None], 1, 0)
    mine = (counts * taken[:, None, :]).sum(axis=2)
    at_cut = counts[everything, :, zone]
    wanted = flagged - mine.sum(axis=1)
    mine += _dealt(at_cut, wanted, random)
    total = counts.sum(axis=2)
    side = mine[:, [0, 1, 4, 5]].sum(axis=1)
    whole = _pairs(mine, total, (1, 5), (3, 7), side)
    return whole, _pairs(mine, total, (5,), (7,), side)


def _dealt(at_cut: np.ndarray, wanted: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Of tied rows of each kind so many at random, as their hashes would have it."""
    taken = np.zeros_like(at_cut)
    left, need = at_cut.sum(axis=1), wanted.copy()
    for kind in range(at_cut.shape[1]):
        have = at_cut[:, kind]
        taken[:, kind] = random.hypergeometric(have, left - have, need)
        left, need = left - have, need - taken[:, kind]
    return taken


def _pairs(
    mine: np.ndarray,
    total: np.ndarray,
    only_mine: tuple[int, ...],
    only_theirs: tuple[int, ...],
    side: np.ndarray,
) -> Drawn:
    """Positives that the candidate alone finds, and those that the other alone finds."""
    gained = mine[:, only_mine].sum(axis=1)
    lost = (total - mine)[:, only_theirs].sum(axis=1)
    return Drawn(gained, lost, total[:, [*only_mine, *only_theirs]].sum(axis=1), side)


def shipped(of: World, rows: int, draws: int, random: np.random.Generator) -> Drawn:
    """The same with the candidate's own threshold, at which it flags a tenth less."""
    counts = random.multinomial(rows, of.shipped, size=draws)
    gained, lost = counts[:, [9, 13]].sum(axis=1), counts[:, [3, 7]].sum(axis=1)
    return Drawn(gained, lost, counts[:, 1::2].sum(axis=1), None)


def held(found: Drawn, true: float, continuity: float = CONTINUITY) -> tuple[float, float]:
    """How often the lower and the upper limit hold the true difference.

    By the statistic at the true difference, which is beyond the quantile exactly where a limit is.
    """
    difference = found.gained - found.lost
    both, wanted = found.discordant, true * found.rows
    middle = -both + (2 * found.rows - difference) * true
    root = np.sqrt(np.maximum(middle**2 + 8 * found.rows * found.lost * true * (1 - true), 0))
    variance = (root - middle) / 2 + wanted * (1 - true)
    if found.side is not None:
        rest = 2 * found.side - both
        others = (rest + np.sqrt(np.maximum(rest**2 + 4 * wanted * (wanted - difference), 0))) / 2
        variance = variance * others / np.maximum(variance + others, 1e-300)
    distance = difference - wanted
    nearer = np.sign(distance) * np.maximum(np.abs(distance) - continuity, 0)
    reach = stats.norm.isf(LEVEL) * np.sqrt(variance)
    return float((nearer <= reach).mean()), float((nearer >= -reach).mean())


def checked(found: Drawn, true: float) -> None:
    """The statistic of `held` is the gate's. Raises AssertionError where a limit says otherwise."""
    for place in range(min(_CHECKED, len(found.gained))):
        pairs = found.pairs(place)
        limits = recall_difference(pairs, LEVEL)
        side = None if pairs.side is None else np.array([pairs.side])
        gained, lost, rows = (np.array([n]) for n in (pairs.gained, pairs.lost, pairs.rows))
        one = Drawn(gained, lost, rows, side)
        close = min(abs(limits.low - true), abs(limits.high - true)) < 1e-6
        if not close and held(one, true) != (limits.low <= true, limits.high >= true):
            raise AssertionError(f"{pairs}: {limits} at a true difference of {true}")


def cells(draws: int, random: np.random.Generator) -> Iterator[Cell | Rate]:
    """Every cell in turn: limits at equal counts, in a group and as shipped; and the test where
    neither model is better.
    """
    for prevalence in PREVALENCES:
        for noise in NOISES:
            for gain in (0.0, -MARGIN):
                for positives in POSITIVES:
                    of = world(prevalence, noise, gain, positives)
                    rows = round(positives / prevalence)
                    whole, group = drawn(of, rows, draws, random)
                    yield _cell(WHOLE, prevalence, positives, whole, of.recall)
                    yield _cell("group", prevalence, positives, group, of.group)
                    ship = shipped(of, rows, draws, random)
                    yield _cell("as shipped", prevalence, positives, ship, of.as_shipped)
                    if gain == 0:
                        yield from _rates(of, (prevalence, positives), whole)


def _cell(what: str, prevalence: float, positives: int, found: Drawn, true: float) -> Cell:
    checked(found, true)
    alone = replace(found, side=None)
    # In a group, and where the sides are not equally large, the positives that differ count.
    side = found.side if what == WHOLE and found.side is not None else found.discordant / 2
    limits, old = held(found, true), held(alone, true, 0.0)
    return Cell(what, prevalence, positives, float(side.mean()), true, *limits, *old)


def _rates(of: World, where: tuple[float, int], found: Drawn) -> Iterator[Rate]:
    exact, mcnemar = tails(found)
    for level in LEVELS:
        most = level + 3 * np.sqrt(level * (1 - level) / len(exact))
        rates = float((exact <= level).mean()), float((mcnemar <= level).mean())
        yield Rate("as good", *where, of.discordant, level, *rates, None, float(most))


def tails(found: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """The p-values of the exact test and of McNemar's, each of shape (draws,)."""
    both, gained, side = found.discordant, found.gained, found.side
    if side is None:
        raise ValueError("the exact test needs models that flag equally many rows")
    exact = np.where(gained == 0, 1.0, stats.hypergeom.sf(gained - 1, 2 * side, both, side))
    for place in range(min(_CHECKED, len(exact))):
        if not np.isclose(better(found.pairs(place)), exact[place]):
            raise AssertionError(f"{found.pairs(place)}: {exact[place]}")
    return exact, stats.binom.sf(gained - 1, both, 0.5)


def power(draws: int, random: np.random.Generator) -> Iterator[Rate]:
    """How often a candidate that is truly better is found so, at the level of the fourth use,
    in a world like the shipped holdout's.
    """
    prevalence = 0.476
    for gain, noise, spread, positives, least in GAINS:
        of = world(prevalence, noise, gain, positives, spread)
        whole, _ = drawn(of, round(positives / prevalence), draws, random)
        exact, mcnemar = tails(whole)
        rates = float((exact <= 0.0025).mean()), float((mcnemar <= 0.0025).mean())
        what = f"better by {of.recall:.4f}"
        yield Rate(what, prevalence, positives, of.discordant, 0.0025, *rates, least, None)


def shown(line: Cell | Rate) -> str:
    """As it is printed."""
    mark = "" if line.met else "  MISSED"
    where = f"{line.what:<16} {line.prevalence:>6.3f} {line.positives:>6,}"
    if isinstance(line, Cell):
        new, old = f"{line.low:.4f} {line.high:.4f}", f"{line.old_low:.4f} {line.old_high:.4f}"
        return f"{where} {line.side:>9,.1f} {line.true:>+8.4f}   {new}   {old}{mark}"
    rates = f"{line.exact:.4f} {line.mcnemar:.4f}"
    return f"{where} {line.discordant:>9.3f} {line.level:>8g}   {rates}{mark}"


def show(lines: list[Cell | Rate]) -> str:
    """The two tables."""
    head = f"{'':<16} {'share':>6} {'pos.':>6}"
    limits = f"{head} {'side':>9} {'true':>8}   low    high     by the positives alone"
    rates = f"{head} {'discord.':>9} {'level':>8}   exact  McNemar"
    return "\n".join(
        [
            limits,
            *(shown(line) for line in lines if isinstance(line, Cell)),
            "",
            rates,
            *(shown(line) for line in lines if isinstance(line, Rate)),
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--quick", action="store_true", help="a few draws")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    chosen = parser.parse_args(arguments)
    draws, random = FEW if chosen.quick else DRAWS, np.random.default_rng(1)
    lines: list[Cell | Rate] = []
    for line in chain(power(draws, random), cells(draws, random)):
        lines.append(line)
        print(shown(line), file=sys.stderr, flush=True)
    print(json.dumps([asdict(line) for line in lines], indent=1) if chosen.json else show(lines))
    missed = [line for line in lines if not line.met]
    return 1 if missed and not chosen.quick else 0


if __name__ == "__main__":
    sys.exit(main())
