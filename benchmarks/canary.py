"""How often the judge takes back a canary that says the same, and how late one that does not.

Streams are drawn, and judged by the judge's own code at every look, under the policy that ships:
every measure at its part of the level. Printed beside it, on the same streams, are what is often
done in its place: a z test at each look, "more than 10 points apart", and PSI > 0.1; of two worlds
docs/canary.svg is drawn.

    python -m benchmarks.canary [--streams 2000]
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from benchmarks.picture import draw_canary
from flows.project.root import ROOT
from sluice.canary import bets
from sluice.canary.counts import BINS, SECONDS, Blocks, Layout, Side
from sluice.canary.judge import Case, judge
from sluice.canary.verdict import AS_BEFORE, Change, Expectation
from sluice.policy import CanaryPolicy

TIERS = ("low", "medium", "high")
_EDGES = np.array([0.3, 0.6])  # between the tiers; the last begins where rows are flagged
FLAGGED = 0.3  # share of rows that stable flags
LOOKS, REQUESTS = 60, 200  # requests of both versions in a look
# What takes a canary back: the judge, and what is usual beside it.
JUDGE, Z_TEST, TEN_POINTS, PSI = "the judge", "z at each look", "10 points apart", "PSI > 0.1"
WAYS = (JUDGE, Z_TEST, TEN_POINTS, PSI)
DRAWN = ("same model, 5 %", "+15 points, 5 %")  # the worlds of the picture
UPLOAD = 0.1  # share of the requests that are 500 rows of one department, where there are any


@dataclass(frozen=True)
class World:
    """A canary that flags `change` more, at a `weight`; replay said so from `foretold` rows of each
    version, or said nothing (0). With `uploads` the row that is judged is of a department.
    """

    name: str
    weight: float
    change: float = 0.0
    foretold: int = 0
    uploads: bool = False


WORLDS = (
    World("same model, 5 %", 0.05),
    World("same model, 25 %", 0.25),
    World("same model, 5 %, uploads", 0.05, uploads=True),
    World("same model, 25 %, uploads", 0.25, uploads=True),
    World("+5 points, within the tolerance, 25 %", 0.25, 0.05),
    World("+10 points, foretold from 2,000 rows, 25 %", 0.25, 0.1, foretold=2000),
    World("+10 points, 25 %", 0.25, 0.1),
    World("+15 points, 5 %", 0.05, 0.15),
    World("+20 points, 5 %", 0.05, 0.2),
)


@dataclass(frozen=True)
class Found:
    """Shares of the streams that were taken back and passed; median requests of the canary until
    then, and the shares that three usual ways would have taken back.

    `first` has for the judge and each of these the first look that takes a stream back, the first
    one being 1; infinite where none does.
    """

    taken_back: float
    until_then: float
    passed: float
    z_test: float
    ten_points: float
    psi: float
    first: Mapping[str, np.ndarray]


def run(world: World, streams: int, policy: CanaryPolicy, seed: int = 1) -> Found:
    """Draw streams of a world, and judge each."""
    random = np.random.default_rng(seed)
    until, passed = [], 0
    first: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(streams):
        blocks = _stream(world, random)
        expected = _foretold(world, random)
        case = Case(blocks, Layout(TIERS), world.weight, policy, expected)
        first[Z_TEST].append(_earliest(_z_test(blocks)))
        first[TEN_POINTS].append(_earliest(_ten_points(blocks)))
        first[PSI].append(_earliest(_psi(blocks)))
        verdict = judge(case)
        passed += verdict.verdict == "pass"
        look = _until(case) if verdict.verdict == "fail" else np.inf
        first[JUDGE].append(look)
        if verdict.verdict == "fail":
            until.append(int(blocks.canary.requests[: int(look)].sum()))
    ends = {way: np.array(looks, dtype=float) for way, looks in first.items()}
    shares = {way: float(np.isfinite(looks).mean()) for way, looks in ends.items()}
    return Found(
        shares[JUDGE],
        float(np.median(until)) if until else float("nan"),
        passed / streams,
        shares[Z_TEST],
        shares[TEN_POINTS],
        shares[PSI],
        ends,
    )


def _earliest(says: np.ndarray) -> float:
    """The first look of which this is so; infinite for none."""
    return float(says.argmax() + 1) if says.any() else np.inf


def _until(case: Case) -> int:
    """The first look that fails, which later looks still do."""
    low, high = 0, LOOKS
    while high - low > 1:
        middle = (low + high) // 2
        early = replace(case, blocks=_first(case.blocks, middle))
        if judge(early).verdict == "fail":
            high = middle
        else:
            low = middle
    return high


def _first(blocks: Blocks, looks: int) -> Blocks:
    """The first so many blocks."""
    return Blocks(_cut(blocks.canary, looks), _cut(blocks.stable, looks), blocks.dropped[:looks])


def _cut(side: Side, looks: int) -> Side:
    return replace(
        side,
        bins=side.bins[:looks],
        tiers=side.tiers[:looks],
        flagged=side.flagged[:looks],
        requests=side.requests[:looks],
        failed=side.failed[:looks],
        refused=side.refused[:looks],
        seconds=side.seconds[:looks],
    )


def _stream(world: World, random: np.random.Generator) -> Blocks:
    requests = random.binomial(REQUESTS, world.weight, LOOKS)
    canary = _side(requests, FLAGGED + world.change, world.uploads, random)
    stable = _side(REQUESTS - requests, FLAGGED, world.uploads, random)
    return Blocks(canary, stable, np.zeros(LOOKS, dtype=bool))


def _side(requests: np.ndarray, flagged: float, uploads: bool, random: np.random.Generator) -> Side:
    """The counts of a version: probabilities of 0.6 and more are flagged, evenly beyond and below.

    An upload is of one department, which flags half or twice as many; one of its rows counts.
    """
    bins, tiers = np.zeros((LOOKS, BINS + 1)), np.zeros((LOOKS, len(TIERS)))
    for look, many in enumerate(requests):
        share = np.full(many, flagged)
        if uploads:
            of_department = random.random(many) < UPLOAD
            share = np.where(of_department, flagged * random.choice([0.5, 1.5], many), share)
        high = random.random(many) < share
        scores = np.where(high, random.uniform(0.6, 1.0, many), random.uniform(0.0, 0.6, many))
        bins[look, :BINS] = np.bincount((scores * BINS).astype(int), minlength=BINS)[:BINS]
        tiers[look] = np.bincount(np.searchsorted(_EDGES, scores, side="right"), minlength=3)
    seconds = np.zeros((LOOKS, len(SECONDS) + 1))
    seconds[:, 3] = requests
    none = np.zeros(LOOKS)
    return Side(bins, tiers, tiers[:, 2], requests.astype(float), none, none, seconds, 0)


def _foretold(world: World, random: np.random.Generator) -> Expectation:
    """What replay says of so many rows that both models scored, with its own error of sampling."""
    rows = world.foretold
    if not rows:
        return AS_BEFORE
    one = _side(np.full(LOOKS, rows // LOOKS), FLAGGED + world.change, False, random)
    other = _side(np.full(LOOKS, rows // LOOKS), FLAGGED, False, random)
    upto = np.cumsum(one.bins, axis=1), np.cumsum(other.bins, axis=1)
    return Expectation(
        flagged=_change(one.flagged, other.flagged, rows),
        tiers={
            name: _change(one.tiers[:, at], other.tiers[:, at], rows)
            for at, name in enumerate(TIERS)
        },
        at_most=tuple(_change(upto[0][:, at], upto[1][:, at], rows) for at in range(BINS - 1)),
    )


def _change(one: np.ndarray, other: np.ndarray, rows: int) -> Change:
    """The difference of two shares of so many rows, with half the width of its 95 % interval."""
    first, second = one.sum() / rows, other.sum() / rows
    spread = np.sqrt((first * (1 - first) + second * (1 - second)) / rows)
    return Change(float(first - second), float(1.96 * spread))


def _z_test(blocks: Blocks) -> np.ndarray:
    """At which looks a test at 5 % tells both versions apart."""
    one, of_one, other, of_other = _sums(blocks)
    both = (one + other) / (of_one + of_other)
    spread = np.sqrt(both * (1 - both) * (1 / of_one + 1 / of_other))
    apart = np.abs(one / of_one - other / of_other)
    return np.asarray(apart > stats.norm.isf(0.025) * np.maximum(spread, 1e-9))


def _ten_points(blocks: Blocks) -> np.ndarray:
    """At which looks both lie more than 10 points apart."""
    one, of_one, other, of_other = _sums(blocks)
    return np.asarray(np.abs(one / of_one - other / of_other) > 0.1)


def _psi(blocks: Blocks) -> np.ndarray:
    """At which looks the PSI of the probabilities in tenths is above 0.1, as it is commonly
    computed: an empty bin counts as 0.0001.
    """
    shares = []
    for side in (blocks.canary, blocks.stable):
        counts = np.cumsum(side.bins[:, :BINS], axis=0).reshape(LOOKS, 10, -1).sum(axis=2)
        shares.append(np.maximum(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 1e-4))
    one, other = shares
    return np.asarray(((one - other) * np.log(one / other)).sum(axis=1) > 0.1)


def _sums(blocks: Blocks) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    canary, stable = blocks.canary, blocks.stable
    parts = (canary.flagged, np.maximum(canary.rows, 1e-9), stable.flagged, stable.rows)
    one, of_one, other, of_other = (np.cumsum(part) for part in parts)
    return one, of_one, other, of_other


def alone(weight: float, change: float, tolerance: float, streams: int, seed: int = 3) -> str:
    """The share flagged judged alone at level 0.05: the share taken back, and how late."""
    random = np.random.default_rng(seed)
    rows = random.binomial(REQUESTS, weight, (streams, LOOKS))
    canary, stable = (
        random.binomial(rows, FLAGGED + change),
        random.binomial(REQUESTS - rows, FLAGGED),
    )
    above = bets.log_bets(canary, rows, stable, REQUESTS - rows, tolerance)
    below = bets.log_bets_below(canary, rows, stable, REQUESTS - rows, -tolerance)
    out = np.maximum(above, below) >= np.log(2.0 / 0.05)
    hit = out.any(axis=1)
    when = np.cumsum(rows, axis=1)[np.arange(streams), out.argmax(axis=1)][hit]
    return f"{hit.mean():7.1%}  {np.median(when) if len(when) else 0:6.0f}"


def main(words: Sequence[str] | None = None) -> None:
    """Print a line for each world."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=2000)
    streams = parser.parse_args(words).streams
    print(f"{'the share flagged alone, level 0.05':<46}{'taken back':>10}{'after':>8}")
    for name, weight, change, tolerance in (
        ("same model, 5 %", 0.05, 0.0, 0.0),
        ("same model, 25 %", 0.25, 0.0, 0.0),
        ("+5 points, 25 %", 0.25, 0.05, 0.0),
        ("+15 points, 5 %", 0.05, 0.15, 0.0),
        ("+15 points, 5 %, 5 points allowed", 0.05, 0.15, 0.05),
    ):
        print(f"{name:<46}   {alone(weight, change, tolerance, streams)}", flush=True)
    head = f"{'the policy that ships':<46}{'taken back':>10}{'after':>8}{'passed':>9}"
    print(f"\n{head}{'z test':>9}{'10 points':>11}{'PSI':>8}")
    drawn = {}
    for world in WORLDS:
        found = run(world, streams, CanaryPolicy())
        if world.name in DRAWN:
            drawn[world.name] = found.first
        print(
            f"{world.name:<46}{found.taken_back:>10.1%}{found.until_then:>8.0f}"
            f"{found.passed:>9.1%}{found.z_test:>9.1%}{found.ten_points:>11.1%}{found.psi:>8.1%}",
            flush=True,
        )
    draw_canary(ROOT / "docs" / "canary.svg", drawn, LOOKS)


if __name__ == "__main__":
    main()
