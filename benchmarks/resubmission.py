"""Somebody who submits until it works: two hundred candidates that are no better than the champion,
on one holdout.
"""

from dataclasses import replace

import numpy as np
from scipy import special

from benchmarks import world
from benchmarks.world import Fitted, Rows
from sluice.gate import spending
from sluice.gate.case import Facts, Model
from sluice.gate.paired import at_equal_counts, better, top
from sluice.policy import GatePolicy

TIMES = 200
RETRY, BEST, NUDGE = (
    "retraining until it works",
    "the mean of the best so far",
    "nudging rows at random",
)
ATTACKS = (RETRY, BEST, NUDGE)
_NUDGE = 0.1  # of the odds' logarithm: as many rows change sides as in a retrain


def sequence(policy: GatePolicy, bank: list[Fitted], attack: str, place: int) -> tuple[bool, bool]:
    """Whether one is promoted by the gate with its ledger, and whether one is better at 0.05 where
    nobody counts.
    """
    rows = world.draw(world.HOLDOUT, 5_000_000 + place)
    random = np.random.default_rng(place)
    order = random.permutation(len(bank))
    champion, others = bank[order[0]], [bank[other] for other in order[1:]]
    old = champion.on(rows, "champion")
    theirs = top(old.scores, rows.hashes, int(old.flagged.sum()))
    found: list[tuple[int, np.ndarray]] = []
    fooled, naive = False, False
    for use in range(TIMES):
        step = _next(attack, found, others[use % len(others)], rows, random)
        model = _submitted(attack, step, champion, rows)
        mine = top(model.scores, rows.hashes, int(theirs.sum()))
        pairs = at_equal_counts(rows.labels, mine, theirs)
        found.append((pairs.gained - pairs.lost, step))
        naive = naive or better(pairs) <= policy.level
        if better(pairs) <= spending.level_of(policy.level, use):
            facts = Facts(uses=use, fresh=True)
            verdict = world.judge(
                rows, (model, old, replace(old, tag="anchor")), champion.validation, policy, facts
            )
            fooled = fooled or verdict.verdict == "PROMOTE"
        if naive and fooled:
            break
    return fooled, naive


def _next(
    attack: str,
    found: list[tuple[int, np.ndarray]],
    retrained: Fitted,
    rows: Rows,
    random: np.random.Generator,
) -> np.ndarray:
    """What is submitted next: weights, or a nudge for each row."""
    if attack == NUDGE:
        # every nudge so far, in the direction that the gate's own numbers say
        if len(found) % 20 == 19:
            return sum(
                (np.sign(gain) * nudge for gain, nudge in found[-19:]), np.zeros(len(rows.labels))
            ) / np.sqrt(19)
        return _NUDGE * random.standard_normal(len(rows.labels))
    if attack == BEST and len(found) >= 5 and len(found) % 2:
        best = sorted(found, key=lambda entry: -entry[0])[:3]
        return np.mean([weights for _, weights in best], axis=0)
    return retrained.weights


def _submitted(attack: str, step: np.ndarray, champion: Fitted, rows: Rows) -> Model:
    if attack == NUDGE:
        nudged = special.expit(special.logit(world.scores(champion.weights, rows.design)) + step)
        return Model("candidate", champion.threshold, nudged)
    return Model("candidate", champion.threshold, world.scores(step, rows.design))
