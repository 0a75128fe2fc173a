"""Honest models and weak ones at the sizes of small companies: what the gate calls them.

    python -m benchmarks.honest            1,000 draws a line: about ten minutes on one core
    python -m benchmarks.honest --quick    100 draws a line: its figures say little

The world: the log-odds of a row are normal and the scores are the true chances, so that a model is
calibrated to perfection. Its threshold is chosen on a fifth of the rows as training does, and the
real gate decides on another fifth, under the policy that ships. An honest model truly has a recall
of 0.755 at a precision of 0.685; a weak one finds 0.62, ten points below the floor. Beside each
line stands what the rules before this one said: a point below a floor, or above a ceiling, was a
REJECT. Exit code 1: a target is missed.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy import optimize, special, stats

from benchmarks.targets import Line as Target
from benchmarks.targets import at_most
from sluice.errors import Refused
from sluice.gate.case import BROKEN, MET, Facts, Holdout, Model
from sluice.gate.decide import Verdict, decide
from sluice.gate.floors import FLOORS
from sluice.model.quality.metrics import by_segment, confusion, intervals, measure, two_sided
from sluice.model.quality.operating_point import aimed_precision, choose_threshold
from sluice.model.quality.statistics import calibration_error, roc_auc
from sluice.policy import OperatingPoint, Policy, load_policy

ROOT = Path(__file__).parent.parent
PREVALENCE, PRECISION = 0.476, 0.685
HONEST, WEAK = 0.755, 0.62
PREVALENCES, SMALLER = (0.05, 0.1, 0.25), (2_500, 10_000, 59_598)
SIZES = (1_500, 2_500, 5_000, 10_000, 20_000, 59_598)
FOLDS = 5
Run = Callable[[Callable[[int], Any], int], list[Any]]
_GRID = np.linspace(-8.0, 8.0, 40_001)
_WEIGHTS = stats.norm.pdf(_GRID) / stats.norm.pdf(_GRID).sum()


@dataclass(frozen=True)
class Source:
    """Rows whose log-odds have this mean and standard deviation; the scores are the chances.

    `precision` is the true one at which a threshold is known.
    """

    mean: float
    spread: float
    precision: float = PRECISION

    def draw(self, rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores, each of shape (rows,)."""
        scores = special.expit(self.mean + self.spread * random.standard_normal(rows))
        return (random.random(rows) < scores).astype(np.int64), scores

    @property
    def threshold(self) -> float:
        """The lowest score from which the true precision is reached."""
        chances, above, hits = self._tail()
        return float(chances[np.flatnonzero(hits / above >= self.precision)[0]])

    @property
    def reaches(self) -> bool:
        """Whether some threshold has the true precision, and a hundredth of the positives."""
        _, above, hits = self._tail()
        enough = hits / hits[0] > 0.01
        return bool((hits[enough] / above[enough] >= self.precision).any())

    @property
    def recall(self) -> float:
        """The true recall at the true precision."""
        _, above, hits = self._tail()
        return float(hits[np.flatnonzero(hits / above >= self.precision)[0]] / hits[0])

    @property
    def prevalence(self) -> float:
        """The true share of positives."""
        return float(self._tail()[2][0])

    def _tail(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores from below, and the shares of rows and of positive rows from each upwards."""
        chances = special.expit(self.mean + self.spread * _GRID)
        above = np.cumsum(_WEIGHTS[::-1])[::-1]
        return chances, above, np.cumsum((_WEIGHTS * chances)[::-1])[::-1]


def source(recall: float, prevalence: float = PREVALENCE, precision: float = PRECISION) -> Source:
    """The rows on which a perfect model has this recall at this precision."""

    def with_spread(spread: float) -> Source:
        def excess(mean: float) -> float:
            return Source(mean, spread).prevalence - prevalence

        return Source(optimize.brentq(excess, -40.0, 4.0), spread, precision)

    def missing(spread: float) -> float:
        return with_spread(spread).recall - recall

    # Where rows differ too little, no threshold has the precision.
    spreads = [spread for spread in np.linspace(0.4, 6.0, 57) if with_spread(spread).reaches]
    return with_spread(float(optimize.brentq(missing, spreads[0], 6.0)))


def at_prevalence(prevalence: float) -> Source:
    """Rows of which so many are positive, as easy to tell apart as those of an honest model."""
    spread = source(HONEST).spread

    def gap(mean: float) -> float:
        return Source(mean, spread).prevalence - prevalence

    return Source(float(optimize.brentq(gap, -9.0, 4.0)), spread)


def precision_at(of: Source, recall: float) -> float:
    """The true precision of a perfect model that finds this share of the positives."""
    _, above, hits = of._tail()
    place = int(np.flatnonzero(hits / hits[0] >= recall)[-1])
    return float(hits[place] / above[place])


@dataclass(frozen=True)
class Draw:
    """A model judged: the gate's verdict, and what the rules before would have said."""

    verdict: Verdict | None
    before: str

    @property
    def word(self) -> str:
        """The word of the verdict; a model without a threshold is refused before the gate."""
        return self.verdict.verdict if self.verdict else "NO THRESHOLD"

    @property
    def broken(self) -> tuple[str, ...]:
        """The rules that it breaks."""
        rules = self.verdict.rules if self.verdict else ()
        return tuple(rule.rule for rule in rules if rule.state == BROKEN)


def judged(rows: int, of: Source, policy: Policy, seed: int, *, known: bool) -> Draw:
    """One first release from so many rows; `known`: its threshold is the true one."""
    random = np.random.default_rng(seed)
    part = rows // 5
    labels, scores = of.draw(part, random)
    aim = aimed_precision(policy, float(labels.mean()))
    try:
        threshold = of.threshold if known else choose_threshold(labels, scores, aim)
    except Refused:
        return Draw(None, "NO THRESHOLD")
    validation = measure(labels, scores, threshold)
    folds = [_area_of_fold(of, 3 * part // FOLDS, random) for _ in range(FOLDS)]
    labels, scores = of.draw(rows - 4 * part, random)
    hashes = random.integers(0, 2**63, len(labels)).astype(np.uint64)
    holdout = Holdout(labels, hashes, Model("candidate", threshold, scores))
    spread = {"mean": float(np.mean(folds)), "std": float(np.std(folds)), "folds": folds}
    level = two_sided(policy.gate.level)
    document = {
        "threshold": threshold,
        "rows": {
            "train": 3 * part,
            "validation": part,
            "holdout": len(labels),
            "holdout_positives": holdout.positives,
        },
        "holdout": measure(labels, scores, threshold),
        "intervals": intervals(labels, scores, threshold, level),
        "confusion": confusion(labels, scores >= threshold),
        "segments": by_segment(labels, scores >= threshold, {}, level),
        "validation": validation,
        "cross_validation": {"roc_auc": spread},
    }
    metrics = json.loads(msgspec.json.encode(document))
    verdict = decide(metrics, holdout, Facts(), policy.gate)
    gate = policy.gate
    points: dict[str, float] = {
        "calibration": calibration_error(labels, scores) - gate.calibration_ceiling,
        "validation": abs(validation.roc_auc - roc_auc(labels, scores)) - gate.stability_ceiling,
        "cross": abs(float(np.mean(folds)) - roc_auc(labels, scores)) - gate.stability_ceiling,
        "folds": float(np.std(folds)) - gate.stability_ceiling,
    }
    return Draw(verdict, _before(verdict, points))


def _area_of_fold(of: Source, rows: int, random: np.random.Generator) -> float:
    """The area of a fold; folds have both classes, because training takes them by class."""
    labels, scores = of.draw(rows, random)
    while np.ptp(labels) == 0:
        labels, scores = of.draw(rows, random)
    return roc_auc(labels, scores)


def _before(verdict: Verdict, points: dict[str, float]) -> str:
    """What a gate said that took every point for the truth; other rules as they are."""
    floors = [r for r in verdict.rules if r.rule in ("recall_floor", "precision_floor")]
    below = [r for r in floors if (r.value or 0) < (r.limit or 0)]
    other = [
        r
        for r in verdict.rules
        if r.state == BROKEN and r.rule not in FLOORS and r.rule[:6] not in ("calibr", "stable")
    ]
    below += [r for r in verdict.rules if r.rule == "flagged_ceiling" and r.state != MET]
    if below or other or max(points.values()) > 0:
        return "REJECT"
    return "PROMOTE" if all(r.state == MET for r in floors) else "INSUFFICIENT"


@dataclass(frozen=True)
class Line:
    """A line of the table, and whether it is as promised."""

    text: str
    met: bool


def line(name: str, rows: int, draws: list[Draw], wanted: str) -> Line:
    """The shares of each verdict, and what broke; `wanted` is the target as words."""
    of = len(draws)
    now = {word: sum(draw.word == word for draw in draws) / of for word in ("PROMOTE", "REJECT")}
    before = {word: sum(draw.before == word for draw in draws) / of for word in now}
    broken: dict[str, int] = {}
    for draw in draws:
        for rule in draw.broken:
            broken[rule] = broken.get(rule, 0) + 1
    causes = ", ".join(f"{rule} {count / of:.1%}" for rule, count in sorted(broken.items()))
    met = {
        "": True,
        "at most 5% REJECT": now["REJECT"] <= 0.05,
        "at least 90% REJECT": now["REJECT"] >= 0.9,
    }[wanted]
    met = met and (name != "honest" or now["PROMOTE"] >= before["PROMOTE"])
    text = (
        f"{name:<28} {rows:>7,} {of:>5}   PROMOTE {now['PROMOTE']:>6.1%} (was"
        f" {before['PROMOTE']:>6.1%})   REJECT {now['REJECT']:>6.1%} (was {before['REJECT']:>6.1%})"
        f"  {wanted:<20} {'met' if met else 'MISSED'}  {causes}"
    )
    return Line(text, met)


def _first_release(rows: int, of: Source, policy: Policy, seed: int) -> Draw:
    return judged(rows, of, policy, seed, known=False)


def prevalence_lines(policy: Policy, count: int, run: Run) -> Iterator[Target]:
    """Honest first releases by prevalence and size, under floors that fit the prevalence.

    The floor of precision is as far below what a perfect model has, in proportion, as the shipped
    one is; that of recall is the shipped one.
    """
    slack = PRECISION / policy.gate.precision_floor - 1.0
    for prevalence in PREVALENCES:
        of = at_prevalence(prevalence)
        precision = precision_at(of, HONEST)
        gate = replace(policy.gate, precision_floor=precision / (1.0 + slack))
        floors = replace(policy, gate=gate, operating_point=OperatingPoint(slack_share=slack))
        for size in SMALLER:
            words = [draw.word for draw in run(partial(_first_release, size, of, floors), count)]
            name = f"honest, {prevalence:.0%} positives, {size:,} rows, precision {precision:.2f}"
            yield at_most(f"{name}: REJECT", count, words.count("REJECT"), 0.05)
            yield Target(f"{name}: PROMOTE", count, words.count("PROMOTE") / count)


def main(arguments: list[str] | None = None) -> int:
    """Draw, judge, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.honest", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--quick", action="store_true", help="100 draws a line")
    parser.add_argument("--draws", type=int, default=1_000)
    chosen = parser.parse_args(arguments)
    count = 100 if chosen.quick else chosen.draws
    text = (ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
    policy = load_policy(text)
    honest, weak = source(HONEST), source(WEAK)
    plan = [("honest", size, honest, False, "at most 5% REJECT") for size in SIZES]
    plan += [
        ("weak", 5_000, weak, False, "at least 90% REJECT"),
        ("weak, threshold known", 5_000, weak, True, "at least 90% REJECT"),
    ]
    lines = []
    for name, size, of, known, wanted in plan:
        draws = [judged(size, of, policy, seed, known=known) for seed in range(count)]
        lines.append(line(name, size, draws, wanted))
        print(lines[-1].text, flush=True)
    return 0 if all(one.met for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
