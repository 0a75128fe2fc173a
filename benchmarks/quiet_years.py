"""How often the monitor of what is live errs in years in which nothing changes, and how soon it
finds a fall: `python -m benchmarks.quiet_years [years]`.

The world is drawn in counts, day by day, and judged by the real rules under the shipped policy: 20
columns, 10 groups, all findings on. What was promised is drawn too: a holdout measured it.
"""

import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from benchmarks.picture import draw_monitor
from flows.project.root import ROOT
from sluice.model.artifact.reference import Numbers, Reference, Texts, rows_from
from sluice.monitor import quality
from sluice.monitor.data import answer_findings, data_findings
from sluice.monitor.day import SCORE_BINS, Day, NumberCounts, Outcomes, TextCounts
from sluice.monitor.falls import DAYS, WEEKS, fall_evidence
from sluice.monitor.quality import GROUPS, PROMISES, RECALL, Measured, Promise, least, matured
from sluice.monitor.report import ACT, WATCH, Finding
from sluice.monitor.units import changed_unit
from sluice.policy import Policy, load_policy
from sluice.served.contract import Column, Contract, Target

YEARS = 200
RECALL_TRUE, PREVALENCE, ACCURATE = 0.75, 0.48, 0.68
HOLDOUT = 14_900  # rows of the holdout
GROUP_NAMES = tuple(f"group {number}" for number in range(10))
POSITIVES = 300  # a week
_START = datetime.date(2026, 1, 5)
_BINS, _VALUES = 20, 5
_TRAINED = 35_000  # rows


@dataclass(frozen=True)
class World:
    """What is true, day by day: recall, shape (days,), and that of the first group."""

    recall: np.ndarray
    first_group: np.ndarray
    positives: float = POSITIVES / 7


def quiet(positives: float = POSITIVES) -> World:
    """Nothing changes."""
    same = np.full(DAYS, RECALL_TRUE)
    return World(same, same, positives / 7)


def falling(by: float, week: int, positives: float = POSITIVES) -> World:
    """Recall falls at the beginning of a week."""
    recall = np.where(np.arange(DAYS) < 7 * week, RECALL_TRUE, RECALL_TRUE - by)
    return World(recall, recall, positives / 7)


def model() -> tuple[Contract, Reference]:
    """Ten columns of numbers and ten of texts, as training has seen them."""
    columns: list[Column] = []
    reference: Reference = {}
    for number in range(10):
        key = f"number_{number}"
        columns.append(Column(key, key, "number", "feature", minimum=0, maximum=1e6))
        edges = tuple(float(edge) for edge in np.linspace(0, 100 + number, _BINS + 1))
        spread = np.linspace(1, 2 + number, _BINS)
        counts = (spread / spread.sum() * _TRAINED).astype(int)
        reference[key] = Numbers(False, edges, tuple(counts.tolist()), 0)
        key = f"text_{number}"
        values = tuple(f"value {place}" for place in range(_VALUES))
        columns.append(Column(key, key, "category", "feature", values=values))
        spread = np.linspace(1, 2 + number, _VALUES)
        counts = (spread / spread.sum() * _TRAINED).astype(int)
        reference[key] = Texts(dict(zip(values, counts.tolist(), strict=True)), 0)
    target = Target("left", "yes", "no", "yes", "no")
    return Contract("", "", tuple(columns), (), (), target), reference


def promise(random: np.random.Generator) -> tuple[Promise, Measured, Measured]:
    """What a holdout measured of the model: also the share flagged and that of positives."""
    positives = int(random.binomial(HOLDOUT, PREVALENCE))
    found = random.binomial(random.multinomial(positives, [0.1] * 10), RECALL_TRUE)
    sizes = np.maximum(random.multinomial(positives, [0.1] * 10), 1)
    found = random.binomial(sizes, RECALL_TRUE)
    false = int(random.binomial(HOLDOUT - positives, _false_rate()))
    right, flagged = int(found.sum()), int(found.sum()) + false
    losses = _losses(random, right, positives - right, false, HOLDOUT - positives - false)
    groups = {
        ("group", name): Measured(float(hits / size), int(size))
        for name, hits, size in zip(GROUP_NAMES, found, sizes, strict=True)
    }
    anchor = int(random.binomial(positives, RECALL_TRUE))
    return (
        Promise(
            recall=Measured(right / sizes.sum(), int(sizes.sum())),
            precision=Measured(right / flagged, flagged),
            brier=Measured(float(losses @ quality.LOSSES / HOLDOUT), HOLDOUT),
            groups=groups,
            anchor=Measured(anchor / positives, positives),
        ),
        Measured(flagged / HOLDOUT, HOLDOUT),
        Measured(positives / HOLDOUT, HOLDOUT),
    )


def days(
    random: np.random.Generator, world: World, contract: Contract, reference: Reference
) -> list[Day]:
    """A year of days in counts."""
    return [_day(random, world, at, contract, reference) for at in range(DAYS)]


def _day(
    random: np.random.Generator, world: World, at: int, contract: Contract, reference: Reference
) -> Day:
    positives = random.multinomial(random.poisson(world.positives), [0.1] * 10)
    shares = np.full(10, world.recall[at])
    shares[0] = world.first_group[at]
    found = random.binomial(positives, shares)
    rate = world.positives * (1 - PREVALENCE) / PREVALENCE
    negatives = int(random.poisson(rate))
    false = int(random.binomial(negatives, _false_rate()))
    right, all_positives = int(found.sum()), int(positives.sum())
    rows = all_positives + negatives
    losses = _losses(random, right, all_positives - right, false, negatives - false)
    columns: dict[str, NumberCounts | TextCounts] = {}
    for column in contract.features:
        cell = reference[column.key]
        if isinstance(cell, Numbers):
            drawn = random.multinomial(rows, np.array(cell.counts) / sum(cell.counts))
            columns[column.key] = NumberCounts(tuple(drawn.tolist()))
        else:
            weights = np.array([*cell.values.values()])
            drawn = random.multinomial(rows, weights / weights.sum())
            named = dict(zip(cell.values, drawn.tolist(), strict=True))
            columns[column.key] = TextCounts(named, {})
    names = GROUP_NAMES
    outcomes = Outcomes(
        true_positive=right,
        false_positive=false,
        false_negative=all_positives - right,
        true_negative=negatives - false,
        positive_scores=tuple(losses[:SCORE_BINS].tolist()),
        negative_scores=tuple(losses[SCORE_BINS:].tolist()),
        found={"group": dict(zip(names, found.tolist(), strict=True))},
        missed={"group": dict(zip(names, (positives - found).tolist(), strict=True))},
    )
    day = (_START + datetime.timedelta(days=at)).isoformat()
    return Day(day=day, rows=rows, flagged=right + false, columns=columns, outcomes=outcomes)


def _false_rate() -> float:
    """How many of the negatives are flagged where so many of the flagged are positive."""
    return RECALL_TRUE * PREVALENCE * (1 - ACCURATE) / ACCURATE / (1 - PREVALENCE)


def _losses(
    random: np.random.Generator, right: int, missed: int, false: int, rest: int
) -> np.ndarray:
    """Scores of the positives and of the negatives, in bins: flagged ones are above a half."""
    high, low = np.zeros(SCORE_BINS), np.zeros(SCORE_BINS)
    half = SCORE_BINS // 2
    high[half:], low[:half] = 1 / half, 1 / half
    positive = random.multinomial(right, high) + random.multinomial(missed, low)
    negative = random.multinomial(false, high) + random.multinomial(rest, low)
    return np.concatenate([positive, negative])


def looks(
    random: np.random.Generator,
    year: list[Day],
    policy: Policy,
    contract: Contract,
    reference: Reference,
    promised: tuple[Promise, Measured, Measured],
) -> Iterator[Finding]:
    """Everything that is found in a year: the labels are looked at every day (their evidence is
    that of all looks before, too), columns and answers once a week.
    """
    told, flagged, positives = promised
    end = _START + datetime.timedelta(days=DAYS)
    ripe = matured(year, _START, end)
    monitor, gate = policy.monitor, policy.gate
    yield from quality.performance(
        ripe,
        told,
        monitor.level,
        monitor.tolerance,
        gate.brier_margin,
        monitor.group_tolerance,
        drifted=False,
    )
    for week in range(1, WEEKS + 1):
        until = year[: 7 * week]
        yield from data_findings(until[-35:], contract, reference, policy.drift)
        yield from answer_findings(until[-7:], flagged.share, flagged.of)
        part = matured(until, _START, _START + datetime.timedelta(days=7 * week))
        yield from quality.prevalence(part, positives, 0.05, 0.0001)
        for column in contract.features:
            cell = reference[column.key]
            if isinstance(cell, Numbers):
                values = random.choice(rows_from({column.key: cell}, 2_000)[column.key], 500)
                if changed_unit(column, cell, values):
                    yield Finding(kind="data", severity=ACT, sentence="unit", response="")


def delays(
    random: np.random.Generator, world: World, week: int, draws: int, level: float, tolerance: float
) -> np.ndarray:
    """After how many weeks a fall is found by recall alone, shape (draws,); infinite: not in the
    year.
    """
    positives = random.binomial(HOLDOUT, PREVALENCE, draws)
    bars = _bars(random, positives, level, tolerance, 14)
    trials = random.poisson(world.positives, (draws, DAYS))
    hits = random.binomial(trials, world.recall)
    evidence = fall_evidence(hits, trials, bars)
    return _weeks_after(evidence >= 1 / (level * RECALL), week)


def group_delays(
    random: np.random.Generator, by: float, week: int, draws: int, level: float, tolerance: float
) -> np.ndarray:
    """The same for a fall in one of ten groups alone, by the evidence of that group."""
    positives = random.binomial(HOLDOUT // 10, PREVALENCE, draws)
    bars = _bars(random, positives, level, tolerance, 14)
    trials = random.poisson(POSITIVES / 70, (draws, DAYS))
    hits = random.binomial(trials, falling(by, week).recall)
    evidence = fall_evidence(hits, trials, bars)
    return _weeks_after(evidence >= 10 / (level * GROUPS), week)


def weekly_limits(random: np.random.Generator, draws: int) -> np.ndarray:
    """The first week of quiet years whose 95 % limit lies below the promise less two points, shape
    (draws,); infinite where there is none.
    """
    promised = random.binomial(HOLDOUT, PREVALENCE * RECALL_TRUE, draws) / (HOLDOUT * PREVALENCE)
    trials = random.poisson(POSITIVES, (draws, WEEKS))
    hits = random.binomial(trials, RECALL_TRUE)
    upper = scipy.stats.beta.ppf(0.95, hits + 1, trials - hits)
    below = upper < promised[:, None] - 0.02
    return np.where(below.any(axis=1), below.argmax(axis=1) + 1.0, np.inf)


def _bars(
    random: np.random.Generator, positives: np.ndarray, level: float, tolerance: float, parts: int
) -> np.ndarray:
    found = random.binomial(positives, RECALL_TRUE)
    measured = zip(found.tolist(), positives.tolist(), strict=True)
    each = level * PROMISES / parts
    return np.array([least(Measured(hits / of, of), tolerance, each) for hits, of in measured])


def _weeks_after(alarmed: np.ndarray, week: int) -> np.ndarray:
    first = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1.0, np.inf)
    return (first - 7 * week) / 7


def main(years: int = YEARS) -> None:
    """Print what the quiet years raise, and the delays."""
    text = Path("models/attrition/policy.toml").read_text(encoding="utf-8")
    policy = load_policy(text)
    level, tolerance = policy.monitor.level, policy.monitor.tolerance
    contract, reference = model()
    acts = watches = 0
    for year in range(years):
        random = np.random.default_rng(year)
        told = promise(random)
        drawn = days(random, quiet(), contract, reference)
        found = list(looks(random, drawn, policy, contract, reference, told))
        acts += any(finding.severity == ACT for finding in found)
        watches += any(finding.severity == WATCH for finding in found)
    print(f"quiet years: {years}, act {acts / years:.1%}, watch {watches / years:.1%}")
    random = np.random.default_rng(10_000)
    weekly = weekly_limits(random, 10 * years)
    share = np.isfinite(weekly).mean()
    print(f"weekly 95 % limits instead: {share:.1%} of the years raise an alarm")
    _draw(random, weekly, level, tolerance)
    for positives in (POSITIVES, POSITIVES * PREVALENCE):
        for by, within in ((0.07, 8), (0.10, 6)):
            for week in (0, 26):
                world = falling(by, week, positives)
                after = delays(random, world, week, 10 * years, level, tolerance)
                _print(f"{positives:.0f} positives a week, {by:.0%} in week {week}", after, within)
    for week in (0, 26):
        after = group_delays(random, 0.10, week, 10 * years, level, policy.monitor.group_tolerance)
        _print(f"one group of ten, 10% in week {week}", after, 52 - week)


def _draw(random: np.random.Generator, weekly: np.ndarray, level: float, tolerance: float) -> None:
    """When alarms are raised by recall, in years in which nothing changes and after a fall."""
    draws = len(weekly)
    ours = delays(random, quiet(), 0, draws, level, tolerance)
    falls = {
        f"by {100 * by:.0f} points": delays(random, falling(by, 0), 0, draws, level, tolerance)
        for by in (0.10, 0.07)
    }
    quiet_years = {"the monitor": ours, "weekly 95 % limits": weekly}
    draw_monitor(ROOT / "docs" / "monitor.svg", quiet_years, falls, WEEKS)


def _print(name: str, after: np.ndarray, within: int) -> None:
    median, most = np.quantile(after, [0.5, 0.8], method="higher")
    share = (after <= within).mean()
    print(
        f"{name}: found after {median:.1f} weeks in the median, {most:.1f} in 80 %;"
        f" within {within} weeks {share:.1%}"
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
