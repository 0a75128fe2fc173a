"""A hundred nightly retrains on training rows that rot, released by the gate and by the rules that
others ship.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import world
from benchmarks.world import Fitted, Rows
from sluice.gate import spending
from sluice.gate.case import Facts, Model
from sluice.gate.paired import at_equal_counts, better, recall_difference
from sluice.policy import GatePolicy

NIGHTS = 100
# more of the training rows a night: 0.08 points of recall a night in the mean, slowly first
ROT = 0.009
SHIPPED, UNCOUNTED = "the gate as shipped", "the gate without its ledger"
FLOOR, NO_LESS, TWO_POINTS = (
    "recall at least the floor",
    "recall at least the champion's",
    "two points less at most",
)
RULES = (SHIPPED, UNCOUNTED, FLOOR, NO_LESS, TWO_POINTS)


@dataclass(frozen=True)
class Seen:
    """A model on the holdout: what the gate wants of it, each row's place in its ranking, its
    recall as shipped.
    """

    fitted: Fitted
    model: Model
    places: np.ndarray
    recall: float


def sequence(
    policy: GatePolicy,
    bank: list[Fitted],
    by_night: Mapping[int, list[Fitted]],
    step: int,
    place: int,
) -> dict[str, Any]:
    """By rule: what production has truly lost against the anchor each night, and the number of
    promotions.

    The loss is in recall at the anchor's share flagged: at its own threshold a model has any recall
    that is wanted.
    """
    rows = world.draw(world.HOLDOUT, 4_000_000 + place)
    random = np.random.default_rng(place)
    anchor = _seen(bank[place % len(bank)], rows)
    tonight = [by_night[1 + (night - 1) // step * step] for night in range(1, NIGHTS + 1)]
    candidates = [_seen(models[random.integers(len(models))], rows) for models in tonight]
    walked = {
        SHIPPED: _gated(policy, rows, anchor, candidates, True),
        UNCOUNTED: _gated(policy, rows, anchor, candidates, False),
    }
    for rule, least in (
        (FLOOR, lambda _: policy.recall_floor),
        (NO_LESS, lambda old: old),
        (TWO_POINTS, lambda old: old - 0.02),
    ):
        production, line = anchor, []
        for candidate in candidates:
            production = candidate if candidate.recall >= least(production.recall) else production
            line.append(production)
        walked[rule] = line
    return {rule: _told(anchor, line) for rule, line in walked.items()}


def _seen(fitted: Fitted, rows: Rows) -> Seen:
    model = fitted.on(rows)
    places = np.empty(len(rows.labels), dtype=np.int64)
    places[np.lexsort((rows.hashes, -model.scores))] = np.arange(len(places))
    return Seen(fitted, model, places, float(model.flagged[rows.labels == 1].mean()))


def _told(anchor: Seen, line: list[Seen]) -> dict[str, Any]:
    share = anchor.fitted.flags
    lost = [seen.fitted.recall_at(share) - anchor.fitted.recall_at(share) for seen in line]
    return {
        "lost": lost,
        "promotions": sum(new is not old for old, new in zip([anchor, *line], line, strict=False)),
    }


def _gated(
    policy: GatePolicy, rows: Rows, anchor: Seen, candidates: list[Seen], counted: bool
) -> list[Seen]:
    """What the gate has in production each night; a HOLD replaces the champion where it may."""
    production, since, line = anchor, 0, []
    for night, candidate in enumerate(candidates, 1):
        # The rows stay the same, and the ledger allows a look each night.
        uses = night - 1 if counted else 0
        facts = Facts(uses=uses, fresh=True, champion_days=night - since)
        if may_change(policy, rows, (candidate, production, anchor), facts):
            models = (
                candidate.model,
                replace(production.model, tag="champion"),
                replace(anchor.model, tag="anchor"),
            )
            verdict = world.judge(rows, models, candidate.fitted.validation, policy, facts)
            if verdict.verdict == "PROMOTE" or verdict.refresh:
                production, since = candidate, night
        line.append(production)
    return line


def may_change(policy: GatePolicy, rows: Rows, seen: tuple[Seen, Seen, Seen], facts: Facts) -> bool:
    """Whether the gate could change production at all: no need to ask it otherwise (it says the
    same, more slowly).
    """
    candidate, champion, anchor = seen
    pairs = [
        at_equal_counts(
            rows.labels, candidate.places < (k := int(other.model.flagged.sum())), other.places < k
        )
        for other in (champion, anchor)
    ]
    if recall_difference(pairs[1], policy.level).low <= -policy.margin:
        return False
    due = (
        facts.champion_days >= policy.refresh_days
        and recall_difference(pairs[0], policy.level).low > -policy.margin
    )
    return due or better(pairs[0]) <= spending.level_of(policy.level, facts.uses)
