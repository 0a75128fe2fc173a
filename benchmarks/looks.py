"""Four hundred nights of one pipeline, as the ledger counts them: which level each night has, and
what that finds.

The ledger is the real one, a retrain a night, with new positives as named. Tests are the exact one
of the table: both models flag as many rows, so each has `m` rows for itself, and a positive is as
likely among these as among those.

    python -m benchmarks.looks
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sluice.errors import Refused
from sluice.gate import spending
from sluice.gate.ledger import AS_OFTEN_AS_WANTED, Allowance, Ledger, Use, reserve

NIGHTS = 400
POSITIVES = 7_000
LEVEL = 0.05
PREVALENCE = 0.476
DISCORDANT = 0.1  # of the positives, found by one of two models alone
ARRIVES, WITHIN, GAIN = 200, 14, 0.02
_SECRET = bytes(32)
_FIRST = datetime.date(2026, 1, 1)


@dataclass(frozen=True)
class World:
    """How the holdout changes: so many positives come each night, and as many of the oldest go
    where it `rolls`.
    """

    name: str
    new: float
    rolls: bool = False
    allowance: Allowance = AS_OFTEN_AS_WANTED


WORLDS = (
    World("no growth", 0.0),
    World("0.1 % a night", 0.001),
    World("1 % a night", 0.01),
    World("5 % a night", 0.05),
    World("1 % replaced a night", 0.01, rolls=True),
    World("5 % replaced a night", 0.05, rolls=True),
    World("no growth, a look a week", 0.0, allowance=Allowance(days=7)),
    World("1 % a night, at most 20 uses", 0.01, allowance=Allowance(uses=20)),
    World("0.1 % a night, at most 20 uses", 0.001, allowance=Allowance(uses=20)),
)


@dataclass(frozen=True)
class Night:
    """One night: its positives, which share of them is new, how often their holdout had decided,
    and what was said where there was no look (`uses` is None then).
    """

    positives: int
    fresh: float
    uses: int | None
    refused: str = ""


def walk(world: World, positives: int = POSITIVES, nights: int = NIGHTS) -> Iterator[Night]:
    """Every night in order; a night without a look leaves its new rows to the next one."""
    ledger, seen = Ledger(), 0
    for night in range(nights):
        come = round(positives * world.new * night)
        first, last = (come if world.rolls else 0), positives + come
        ids = tuple(str(number) for number in range(first, last))
        use = Use(
            f"night {night}",
            ids,
            _FIRST + datetime.timedelta(days=night),
            allowance=world.allowance,
        )
        fresh = (last - max(seen, first)) / len(ids)
        try:
            reservation = reserve(ledger, use, _SECRET)
        except Refused as refused:
            yield Night(len(ids), fresh, None, refused.fix)
            continue
        ledger, seen = reservation.ledger, last
        yield Night(len(ids), fresh, reservation.uses)


def false_promotions(walked: list[Night], draws: int, seed: int = 1) -> float:
    """The share of so many pipelines that ever promote, of candidates that are never better."""
    random = np.random.default_rng(seed)
    ever = np.zeros(draws, dtype=bool)
    for night in walked:
        if night.uses is not None:
            level = spending.level_of(LEVEL, night.uses)
            ever |= _shown(random, night.positives, 0.0, level, draws)
    return float(ever.mean())


def found(walked: list[Night], draws: int, seed: int = 2) -> float:
    """How often a gain that arrives is promoted within two weeks.

    Conservative: every night of these sees the same table, so a second look helps only by its
    level.
    """
    random = np.random.default_rng(seed)
    looks = [night for night in walked[ARRIVES : ARRIVES + WITHIN] if night.uses is not None]
    if not looks:
        return 0.0
    level = max(spending.level_of(LEVEL, night.uses) for night in looks if night.uses is not None)
    return float(_shown(random, looks[0].positives, GAIN, level, draws).mean())


def _shown(
    random: np.random.Generator, positives: int, gain: float, level: float, draws: int
) -> np.ndarray:
    """Whether a true `gain` in recall is shown at a one-sided level; boolean, shape (draws,)."""
    alone = round(positives * DISCORDANT / 2.0 / PREVALENCE)  # rows that one model flags alone
    shift = gain * positives / 2.0 / alone
    gained = random.binomial(alone, PREVALENCE + shift, draws)
    lost = random.binomial(alone, PREVALENCE - shift, draws)
    share = (gained + lost) / (2.0 * alone)
    spread = np.sqrt(2.0 * alone * share * (1.0 - share))
    # The exact test is slow: it is asked where the normal one is not far from the level.
    shown = (gained - lost) / spread >= stats.norm.isf(level) - 1.0
    exact = stats.hypergeom.sf(gained[shown] - 1, 2 * alone, (gained + lost)[shown], alone)
    shown[shown] = exact <= level
    return np.asarray(shown)


def main(draws: int = 2_000) -> None:
    """Print a line for each world."""
    print(
        f"{'world':<32}{'looks':>6}{'use at 200':>11}{'level':>10}{'spent':>7}{'bound':>7}"
        f"{'A/A ever':>10}{'+2 points, night 200':>22}"
    )
    for world in WORLDS:
        walked = list(walk(world))
        looks = [night for night in walked if night.uses is not None]
        used = [night.uses for night in looks if night.uses is not None]
        at = next(n.uses for n in walked[ARRIVES:] if n.uses is not None) if used else 0
        spent = sum(spending.share(uses) for uses in used)
        bound = 1.0 + sum(night.fresh for night in looks[1:])
        print(
            f"{world.name:<32}{len(looks):>6}{at + 1:>11}"
            f"{spending.level_of(LEVEL, at):>10.2g}{spent:>7.2f}{bound:>7.2f}"
            f"{false_promotions(walked, draws):>10.3f}{found(walked, draws):>22.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
