"""A made-up holdout of a number, models that are as far off as wanted, and the verdict on one."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from sluice.gate.case import MET, Facts, Rule
from sluice.gate.decide import Verdict
from sluice.gate.number.case import Answering, Holdout
from sluice.gate.number.decide import decide
from sluice.model.fit.tuning_file import Trial
from sluice.model.number.skill import skill_of
from sluice.model.number.trained import NumberPart, NumberShips, released_metrics
from sluice.model.number.trained import trained_metrics as trained
from sluice.number_policy import NumberPolicy
from sluice.policy import GatePolicy, load_policy
from sluice.served.quantity import Quantity
from sluice.served.words import Words
from support.deliveries import POLICY
from support.holdouts import require_readable

GATE = load_policy(POLICY).gate
LIMITS = NumberPolicy(band=5.0, bias_ceiling=0.1, skill_floor=0.2)
QUANTITY = Quantity("min", 0.0, 100.0, 1)
WORDS = Words("delivery", "deliveries")
ROWS = 800
MIDDLE = 50.0


def labels_of(seed: int = 1) -> np.ndarray:
    """The labels of a holdout."""
    return np.clip(np.random.default_rng(seed).normal(50.0, 12.0, ROWS), 1.0, 99.0)


def answers_of(labels: np.ndarray, off: float, seed: int = 2, bias: float = 0.0) -> np.ndarray:
    """Answers of a model that is so many standard deviations of labels off, drawn to the mean."""
    noise = np.random.default_rng(seed).normal(0.0, 12.0 * off, len(labels))
    known = 1 / (1 + off**2)
    return np.clip(50.0 + known * (labels - 50.0 + noise) + bias, 0.0, 100.0)


def holdout(off: float = 0.6, champion: float = 0.0, column: float = 1.5, seed: int = 1) -> Holdout:
    """A holdout with a candidate that is so far off, a champion where that is given, which is the
    anchor too, and a column that is further off.
    """
    labels = labels_of(seed)
    other = Answering("old", answers_of(labels, champion, seed=7)) if champion else None
    groups = np.random.default_rng(3).choice(["x", "y"], len(labels)).astype(object)
    return Holdout(
        labels=labels,
        quantity=QUANTITY,
        middle=MIDDLE,
        candidate=Answering("candidate", answers_of(labels, off)),
        champion=other,
        anchor=other,
        one_column=Answering("Weight", answers_of(labels, column, seed=4)),
        segments={"side": groups},
    )


def metrics_of(rows: Holdout) -> dict[str, Any]:
    """What a release says of the candidate, as a file has it."""
    labels, answers = rows.labels, rows.candidate.answers
    if not np.isfinite(answers).all() or not np.isfinite(labels).all():
        labels, answers = labels_of(), answers_of(labels_of(), 0.6)
    part = NumberPart(labels, answers)
    skill = skill_of(labels, answers, rows.middle)
    trial = Trial(0, "linear_regression", {}, skill, 0.0, (skill,) * 3, ())
    ships = NumberShips("deliveries", QUANTITY, LIMITS.band, 0.9)
    first = trained(ships, part, part, trial, None, msgspec.UNSET)
    first = msgspec.structs.replace(first, middle=rows.middle)
    if len(labels) == len(rows.labels):
        found = released_metrics(ships, part, dict(rows.segments), first, trial, rows.clusters)
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    document["validation"]["skill"] = skill
    return document


def decided(
    rows: Holdout,
    *,
    metrics: dict[str, Any] | None = None,
    facts: Facts = Facts(),  # noqa: B008 - it is frozen
    limits: NumberPolicy = LIMITS,
    **changed: object,
) -> Verdict:
    policy: GatePolicy = replace(GATE, **changed)  # type: ignore[arg-type]
    found = metrics_of(rows) if metrics is None else metrics
    verdict = decide(found, rows, facts, policy, limits, WORDS)
    for one in verdict.rules:
        require_readable(one)
        assert one.state != MET or one.needed == ""
    return verdict


def rule(verdict: Verdict, name: str) -> Rule:
    return next(rule for rule in verdict.rules if rule.rule == name)


def candidate(rows: Holdout, answers: np.ndarray) -> Holdout:
    """The same with other answers of the candidate."""
    return replace(rows, candidate=Answering("candidate", answers))
