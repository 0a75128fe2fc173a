"""Walks of a group, and thresholds that are moved alone: what the gate lets replace a champion of
two weeks.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import log_odds, world
from benchmarks.log_odds import Archive, Recipe, Seen
from benchmarks.targets import Line, at_most
from benchmarks.year import TENTH, THIRTIETH
from sluice.gate.case import Facts, Model
from sluice.gate.decide import Verdict
from sluice.policy import GatePolicy

HOLDOUT, REFRESHES = 14_900, 7
STEPS = (0.025, 0.04)  # of the recall of one group, lost at each refresh
MOVED = (-0.05, -0.02, -0.01, 0.01, 0.02, 0.05)  # of a threshold
_FACTS = Facts(fresh=True, champion_days=14)

Run = Callable[[Callable[[int], Any], int], list[Any]]


def walked(policy: GatePolicy, team: int, step: float, place: int) -> tuple[int, float]:
    """How many of seven refreshes are accepted of which each loses one team a step, and what it has
    truly lost then. A refresh that is not accepted ends it.
    """
    random = np.random.default_rng((13, place))
    rows = log_odds.archive(HOLDOUT, random)
    anchor = champion = log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random)
    for number in range(1, REFRESHES + 1):
        recipe = log_odds.lowered(team, round(step * number, 4))
        seen = log_odds.trained(recipe, rows.log_odds(recipe, random), random)
        models = (
            seen.on(HOLDOUT, "candidate"),
            champion.on(HOLDOUT, "champion"),
            anchor.on(HOLDOUT, "anchor"),
        )
        if not _replaces(_judged(policy, rows, models, seen)):
            return number - 1, round(step * (number - 1), 4)
        champion = seen
    return REFRESHES, round(step * REFRESHES, 4)


def moved(policy: GatePolicy, by: float, place: int) -> tuple[bool, float, float]:
    """Whether a champion may be replaced by itself with another threshold, and how much recall and
    precision people lose by that.
    """
    random = np.random.default_rng((17, place))
    rows = log_odds.archive(HOLDOUT, random)
    seen = log_odds.trained(Recipe(), rows.log_odds(Recipe(), random), random)
    old = seen.on(HOLDOUT, "champion")
    new = replace(old, tag="candidate", threshold=old.threshold + by)
    verdict = _judged(policy, rows, (new, old, replace(old, tag="anchor")), seen)
    labels = rows.rows.labels
    recall = float(old.flagged[labels == 1].mean() - new.flagged[labels == 1].mean())
    precision = float(labels[old.flagged].mean() - labels[new.flagged].mean())
    return _replaces(verdict), recall, precision


def _judged(
    policy: GatePolicy, rows: Archive, models: tuple[Model, Model, Model], seen: Seen
) -> Verdict:
    return world.judge(rows.rows, models, seen.validation, policy, _FACTS)


def _replaces(verdict: Verdict) -> bool:
    return verdict.verdict == "PROMOTE" or verdict.refresh


def walk_lines(policy: GatePolicy, count: int, run: Run) -> Iterator[Line]:
    """How often all seven refreshes are accepted, and how often the group falls beyond its
    margin.
    """
    margin = policy.anchor_segment_margin
    for team, size in ((TENTH, "10 %"), (THIRTIETH, "3 %")):
        for step in STEPS:
            found = run(partial(walked, policy, team, step), count)
            name = f"a group of {size} loses {step:.1%} of its recall at each of seven refreshes"
            accepted = sum(number for number, _ in found)
            yield Line(f"{name}: accepted", REFRESHES * count, accepted / (REFRESHES * count))
            beyond = sum(lost > margin + 1e-9 for _, lost in found)
            yield at_most(f"{name}: ends beyond its margin", count, beyond, 0.05)


def threshold_lines(policy: GatePolicy, count: int, run: Run) -> Iterator[Line]:
    """How often a champion with its threshold moved may replace it, and what people lose."""
    for by in MOVED:
        found = run(partial(moved, policy, by), count)
        recall = float(np.mean([lost for _, lost, _ in found]))
        precision = float(np.mean([lost for _, _, lost in found]))
        name = (
            f"threshold moved by {by:+.2f}, recall {-recall:+.1%}, precision {-precision:+.1%} as"
            " shipped: may replace"
        )
        replaces = sum(may for may, _, _ in found)
        beyond = max(recall, precision) > 2 * policy.shipped_margin
        yield (
            at_most(name, count, replaces, 0.05) if beyond else Line(name, count, replaces / count)
        )
