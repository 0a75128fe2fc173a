"""What the tests of the gate share: a made-up holdout, models of it as good as wanted, and the
limits of the design.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
from scipy import special

from sluice.gate.case import BROKEN, OPEN, Facts, Holdout, Model, Rule
from sluice.gate.decide import Verdict, decide
from sluice.model.quality.metrics import by_segment, confusion, intervals, measure, two_sided
from sluice.model.quality.operating_point import choose_threshold
from sluice.policy import GatePolicy
from sluice.served.words import NEUTRAL_WORDS, Words

ROWS = 14_900
_SHOUTED = re.compile(r"\b(?!FILE\b)[A-Z]{4,}\b|XX")
LIMITS = GatePolicy(
    recall_floor=0.72,
    precision_floor=0.66,
    flagged_ceiling=0.70,
    calibration_ceiling=0.05,
    stability_ceiling=0.03,
    one_column_ceiling=0.80,
    duplicate_ceiling=0.01,
    comparable_share=0.95,
    least_positives=1_000,
    level=0.05,
    uses=20,
    margin=0.01,
    brier_margin=0.02,
    segment_margin=0.03,
    segment_positives=50,
    segments_required=(),
    refresh_days=14,
)


@dataclass(frozen=True)
class World:
    """Rows with the logarithm of the odds that each is positive."""

    odds: np.ndarray
    labels: np.ndarray
    hashes: np.ndarray


@cache
def world(rows: int = ROWS, seed: int = 1) -> World:
    """So many rows, 47 % of them positive."""
    random = np.random.default_rng(seed)
    odds = 2.2 * random.standard_normal(rows) - 0.2
    labels = (random.random(rows) < special.expit(odds)).astype(np.int64)
    return World(odds, labels, random.integers(0, 2**63, rows).astype(np.uint64))


def model(tag: str, noise: float, seed: int = 0, of: World | None = None) -> Model:
    """A calibrated model that sees the odds through noise, cut where the operating point lies."""
    of = of or world()
    random = np.random.default_rng((seed, *tag.encode()))
    seen = of.odds + 0.2 + noise * random.standard_normal(len(of.odds))
    seen = seen * 2.2**2 / (2.2**2 + noise**2) - 0.2
    return cut(
        tag, special.expit(seen / np.sqrt(1 + 0.346 * 2.2**2 * noise**2 / (2.2**2 + noise**2))), of
    )


def cut(tag: str, scores: np.ndarray, of: World | None = None) -> Model:
    """A model with these scores, cut at a precision of 0.685."""
    return Model(tag, choose_threshold((of or world()).labels, scores, 0.685), scores)


@dataclass(frozen=True)
class Trial:
    """What is handed to the gate; a change makes another."""

    candidate: Model
    champion: Model | None = None
    anchor: Model | None = None
    one_column: Model | None = None
    segments: Mapping[str, np.ndarray] | None = None
    facts: Facts = field(default_factory=Facts)
    policy: GatePolicy = LIMITS
    of: World = field(default_factory=world)
    metrics: Mapping[str, Any] | None = None
    words: Words = NEUTRAL_WORDS
    clusters: np.ndarray | None = None

    def but(self, **changes: Any) -> "Trial":
        """The same with changes; those that only the policy knows are changed there."""
        limits = {name: changes.pop(name) for name in list(changes) if hasattr(self.policy, name)}
        return replace(self, **changes, policy=replace(self.policy, **limits))

    @property
    def holdout(self) -> Holdout:
        """The rows as the gate wants them."""
        return Holdout(
            self.of.labels,
            self.of.hashes,
            self.candidate,
            self.champion,
            self.anchor,
            self.one_column,
            self.segments,
            self.clusters,
        )

    def judge(self, *without: str) -> Verdict:
        """The verdict, with rules left out; whatever it says can be read."""
        verdict = decide(
            self.metrics or measured(self),
            self.holdout,
            self.facts,
            self.policy,
            words=self.words,
            without=without,
        )
        for rule in verdict.rules:
            require_readable(rule)
        return verdict


def require_readable(rule: Rule) -> None:
    """What a rule says is written as `Rule` promises: a capital or a figure at the beginning, no
    full stop at the end, and no word that shouts. One that is not met has a next step, and what is
    measured and required are numbers.
    """
    assert rule.sentence
    assert isinstance(rule.passed, bool)
    assert rule.needed or rule.state not in (OPEN, BROKEN), rule
    assert isinstance(rule.needed, str)
    for number in (rule.value, rule.limit):
        assert number is None or isinstance(number, int | float), rule
    for text in filter(None, (rule.sentence, rule.needed)):
        assert text.startswith("metrics.json ") or not text[0].islower(), text
        assert not text.endswith("."), text
        assert not _SHOUTED.findall(text), text


def measured(trial: Trial) -> dict[str, Any]:
    """metrics.json of the candidate, with validation and cross-validation that agree with the
    holdout.
    """
    labels, scores, threshold = trial.of.labels, trial.candidate.scores, trial.candidate.threshold
    shares = measure(labels, scores, threshold)
    area, level = shares.roc_auc, two_sided(trial.policy.level)
    document = {
        "schema": 1,
        "threshold": float(threshold),
        "rows": {"train": 44_699, "holdout": len(labels), "holdout_positives": int(labels.sum())},
        "holdout": shares,
        "intervals": intervals(labels, scores, threshold, level, trial.clusters),
        "confusion": confusion(labels, scores >= threshold),
        "validation": {"roc_auc": area},
        "cross_validation": {"roc_auc": {"mean": area, "std": 0.002, "folds": [area] * 5}},
        "segments": by_segment(
            labels, scores >= threshold, trial.segments or {}, level, trial.clusters
        ),
    }
    read: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(document)))
    return read


def edited(trial: Trial, value: object, *place: str) -> Trial:
    """The trial with something else at this place of its metrics."""

    def put(document: Any, names: tuple[str, ...]) -> Any:
        return {**document, names[0]: put(document.get(names[0]), names[1:])} if names else value

    return trial.but(metrics=put(trial.metrics or measured(trial), place))


@cache
def first() -> Trial:
    """A first release that passes."""
    return Trial(model("candidate", 0.6), one_column=model("Job Level", 4.0))


@cache
def better() -> Trial:
    """A candidate that is better than champion and anchor."""
    champion = model("old", 1.2)
    return first().but(champion=champion, anchor=replace(champion, tag="frozen"))


def groups(names: str, shares: list[float], seed: int = 5, rows: int = ROWS) -> np.ndarray:
    """A group for each row, drawn with these shares."""
    return np.random.default_rng(seed).choice(np.array(list(names), dtype=object), rows, p=shares)
