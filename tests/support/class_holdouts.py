"""A made-up holdout of three classes, models that know so much of them, and the verdict on one."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from sluice.class_policy import ClassPolicy
from sluice.gate.case import MET, Facts, Rule
from sluice.gate.classes.case import Classifier, Holdout
from sluice.gate.classes.decide import decide
from sluice.gate.decide import Verdict
from sluice.model.classes.trained import Part, Ships, released_metrics
from sluice.model.classes.trained import trained_metrics as trained
from sluice.model.fit.tuning_file import Trial
from sluice.policy import GatePolicy, load_policy
from sluice.served.words import Words
from support.holdouts import require_readable
from support.parcels import POLICY

CLASSES = ("a", "b", "c")
EVEN = (1.0, 1.0, 1.0)
GATE = load_policy(POLICY).gate
WORDS = Words("parcel", "parcels")
ROWS = 1_200


def labels_of(seed: int = 1) -> np.ndarray:
    """The labels of a holdout."""
    return np.random.default_rng(seed).choice(3, ROWS, p=[0.5, 0.35, 0.15]).astype(np.int8)


def shares_of(labels: np.ndarray, known: float, seed: int = 2) -> np.ndarray:
    """Probabilities of a model that sees a class with so many standard deviations, and knows how
    well it sees: they can be taken at their word.
    """
    seen = np.random.default_rng(seed).normal(size=(len(labels), 3)) + known * np.eye(3)[labels]
    lean = known * seen + np.log([0.5, 0.35, 0.15])
    shares = np.exp(lean - lean.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def holdout(
    known: float = 2.0, champion: float = 0.0, column: float = 0.8, seed: int = 1
) -> Holdout:
    """A holdout with a candidate that knows so much, a champion where it knows anything, which is
    the anchor too, and a column that knows less.
    """
    labels = labels_of(seed)
    other = None
    if champion:
        other = Classifier("old", shares_of(labels, champion, seed=7), EVEN)
    groups = np.random.default_rng(3).choice(["x", "y"], len(labels)).astype(object)
    return Holdout(
        labels=labels,
        classes=CLASSES,
        candidate=Classifier("candidate", shares_of(labels, known), EVEN),
        champion=other,
        anchor=other,
        one_column=Classifier("Weight", shares_of(labels, column, seed=4), EVEN),
        segments={"side": groups},
    )


def metrics_of(rows: Holdout) -> dict[str, Any]:
    """What a release says of the candidate, as a file has it."""
    labels, shares = rows.labels, rows.candidate.probabilities
    ok = np.isfinite(shares).all() and labels.max() < 3
    part = Part(labels, shares) if ok else Part(labels_of(), shares_of(labels_of(), 2.0))
    ships = Ships("parcels", CLASSES, rows.candidate.weights, 0.9)
    first = trained(ships, part, part, _trial(part), None, msgspec.UNSET)
    found = released_metrics(ships, part, dict(rows.segments), first, _trial(part), rows.clusters)
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return document


def _trial(part: Part) -> Trial:
    from sluice.model.classes.ranking import ranked

    precision, area = ranked(part.labels, part.probabilities)
    return Trial(0, "logistic_regression", {}, precision, 0.0, (precision,) * 3, (area,) * 3)


def decided(
    rows: Holdout,
    *,
    metrics: dict[str, Any] | None = None,
    facts: Facts = Facts(),  # noqa: B008 - it is frozen
    limits: ClassPolicy = ClassPolicy(),  # noqa: B008
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
