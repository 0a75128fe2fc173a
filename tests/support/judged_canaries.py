"""A canary as the judge has really judged it, look by look, and as the analysis runs keep that."""

import msgspec
import numpy as np

from flows.canary.question import reply
from sluice.canary.counts import BINS, SECONDS, Blocks, Layout, Side
from sluice.canary.judge import Case, judge
from sluice.canary.rollout import Seen
from sluice.canary.verdict import Change, Expectation, Verdict
from sluice.policy import CanaryPolicy
from support import rollouts
from support.rollouts import ANALYSES, Document

TIERS = ("low", "high")
WEIGHTS = (5, 25, 50, 100)
_MINUTE = 300  # requests


def judged(
    share: float, steps: int, looks: int = 5, expected: float = 0.0, seed: int = 3
) -> list[tuple[int, Verdict]]:
    """The verdicts of some looks at each step, a minute apart, until one fails. The canary flags
    `share` of the rows, stable three in ten.
    """
    chance = np.random.default_rng(seed)
    canary, stable, found = [], [], []
    for step, weight in zip(ANALYSES[:steps], WEIGHTS, strict=False):
        for _ in range(looks):
            many = int(chance.binomial(_MINUTE, weight / 100.0))
            canary.append((int(chance.binomial(many, share)), many))
            stable.append((int(chance.binomial(_MINUTE - many, 0.3)), _MINUTE - many))
            blocks = Blocks(_side(canary), _side(stable), np.zeros(len(canary), dtype=bool))
            change = Expectation(Change(expected, 0.01)) if expected else Expectation()
            verdict = judge(Case(blocks, Layout(TIERS), weight / 100.0, CanaryPolicy(), change))
            found.append((step, verdict))
            if verdict.verdict == "fail":
                return found
    return found


def _side(counts: list[tuple[int, int]]) -> Side:
    flagged = np.array([count for count, _ in counts], dtype=float)
    rows = np.array([many for _, many in counts], dtype=float)
    bins = np.zeros((len(rows), BINS + 1))
    bins[:, 6], bins[:, 14] = rows - flagged, flagged
    seconds = np.zeros((len(rows), len(SECONDS) + 1))
    seconds[:, 2] = rows
    nothing = np.zeros(len(rows))
    tiers = np.stack([rows - flagged, flagged], axis=1)
    return Side(bins, tiers, flagged, rows, nothing, nothing, seconds, 0)


def seen(verdicts: list[tuple[int, Verdict]], status: Document, old: str, new: str) -> Seen:
    """What the cluster says of it."""
    runs = []
    for step in dict.fromkeys(step for step, _ in verdicts):
        said = [verdict for at, verdict in verdicts if at == step]
        going_on = status.get("currentStepIndex") == step
        runs.append(_run(step, said, going_on=going_on))
    return rollouts.seen(rollouts.rollout(new, status), rollouts.both(old, new), runs)


def _run(step: int, said: list[Verdict], *, going_on: bool) -> Document:
    phases = {"pass": "Successful", "fail": "Failed", "inconclusive": "Inconclusive"}
    ended = "Failed" if said[-1].verdict == "fail" else "Running" if going_on else "Successful"
    metric = {
        "name": "judge",
        "phase": ended,
        "count": len(said),
        "measurements": [
            {
                "phase": phases[verdict.verdict],
                "value": msgspec.json.encode(reply(verdict).answer).decode(),
                "finishedAt": f"2026-11-28T{17 + step // 3}:{13 + at:02}:00Z",
            }
            for at, verdict in enumerate(said)
        ],
    }
    return rollouts.run(step, ended, [metric])
