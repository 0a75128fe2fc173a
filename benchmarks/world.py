"""The world of the simulations: rows drawn from the sample, models fitted to them, and what each
model is truly worth.

The chance that a row leaves is known here, so the true recall of a model is that of its ranking
over many rows, with chances in place of outcomes. Rot is a mistake in the archive that grows: in
more and more of the training rows three telling columns show another row's values. The rows that
thresholds are chosen on, those that decide and those that the truth is measured on are as they
should be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import msgspec
import numpy as np
from scipy import special

from models.attrition import sample
from sluice.gate.case import Facts, Holdout, Model
from sluice.gate.decide import Verdict, decide
from sluice.model.quality.metrics import by_segment, confusion, intervals, measure, two_sided
from sluice.model.quality.operating_point import choose_threshold
from sluice.model.quality.statistics import roc_auc
from sluice.policy import GatePolicy

TRAIN, VALIDATION, HOLDOUT, TRUTH = 44_700, 14_900, 14_900, 100_000
PRECISION = 0.685  # of the operating point: the floor of the policy and its slack
PROTECTED = ("Gender", "Marital Status")
ROTTING = ("Remote Work", "Work-Life Balance", "Number of Promotions")
EDGES: Mapping[str, range] = {
    "Age": range(22, 60, 4),
    "Years at Company": range(2, 40, 4),
    "Monthly Income": range(3_000, 13_000, 1_000),
    "Distance from Home": range(10, 100, 10),
    "Company Tenure": range(10, 130, 20),
}
_TRUTH_SEED, _STEPS, _PENALTY = 10**9, 4, 1.0
_GRID = np.linspace(0.0, 1.0, 2_001)


@dataclass(frozen=True)
class Rows:
    """Rows as a model sees them (rows, columns), their labels, true chances, hashes, and groups by
    segment.
    """

    design: np.ndarray
    labels: np.ndarray
    chances: np.ndarray
    hashes: np.ndarray
    segments: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """A model: weights, threshold, ROC-AUC on its validation rows, and its true recall by share
    flagged.
    """

    weights: np.ndarray
    threshold: float
    validation: float
    truth: np.ndarray
    flags: float

    def on(self, rows: Rows, tag: str = "candidate") -> Model:
        """What the gate wants of it on these rows."""
        return Model(tag, self.threshold, scores(self.weights, rows.design))

    def recall_at(self, share: float) -> float:
        """The true recall where this share of all rows is flagged."""
        return float(np.interp(share, _GRID, self.truth))


def scores(weights: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Probabilities, shape (rows,)."""
    return special.expit(design @ weights.astype(np.float32)).astype(np.float64)


def draw(rows: int, seed: int, rot: float = 0.0) -> Rows:
    """Fresh rows; a share `rot` of them shows another row's values in the columns that rot."""
    table = sample.generate(rows, seed)
    chances = np.clip(sample._points(table), 0, 1000) / 1000
    random = np.random.default_rng(seed)
    wrong = np.flatnonzero(random.random(rows) < rot)
    for name in ROTTING if len(wrong) else ():
        table[name] = table[name].copy()
        table[name][wrong] = table[name][random.permutation(rows)[: len(wrong)]]
    labels = (table["Attrition"] == "Left").astype(np.int64)
    hashes = random.integers(0, 2**63, rows).astype(np.uint64)
    return Rows(_design(table), labels, chances, hashes, _segments(table))


def _design(table: sample.Columns) -> np.ndarray:
    """An indicator for each value but one of a choice, and for each step of a quantity."""
    columns = [np.ones(len(table["Age"]), dtype=bool)]
    for name, values in sample.CHOICES.items():
        columns += [table[name] == value for value in list(values)[1:] if name not in PROTECTED]
    for name, edges in EDGES.items():
        quantity = table[name].astype(np.int64)
        columns += [quantity >= edge for edge in edges]
    return np.stack(columns, axis=1).astype(np.float32)


def _segments(table: sample.Columns) -> dict[str, np.ndarray]:
    codes = {"age_band": np.searchsorted((25, 35, 45, 55), table["Age"], side="right")}
    for name in ("Gender", "Marital Status", "Job Level"):
        places = {value: place for place, value in enumerate(sample.CHOICES[name])}
        codes[name] = np.array([places[value] for value in table[name]])
    return codes


@cache
def truth() -> Rows:
    """The rows that the truth is measured on."""
    return draw(TRUTH, _TRUTH_SEED)


def retrain(seed: int, rot: float = 0.0, rows: int = TRAIN) -> Fitted:
    """A logistic regression on fresh training rows, its threshold chosen on fresh validation
    rows.
    """
    train, validation = draw(rows, 2 * seed, rot), draw(VALIDATION, 2 * seed + 1)
    return known(_fit(train.design, train.labels, _near()), validation)


def known(weights: np.ndarray, validation: Rows) -> Fitted:
    """A model with its threshold and with what it is truly worth."""
    judged = scores(weights, validation.design)
    threshold = choose_threshold(validation.labels, judged, PRECISION)
    everybody = scores(weights, truth().design)
    found = (
        np.cumsum(truth().chances[np.argsort(-everybody, kind="stable")]) / truth().chances.sum()
    )
    curve = np.interp(_GRID * TRUTH, np.arange(TRUTH + 1), np.append(0.0, found))
    return Fitted(
        weights,
        threshold,
        roc_auc(validation.labels, judged),
        curve,
        float((everybody >= threshold).mean()),
    )


@cache
def _near() -> np.ndarray:
    """Weights from which every fit sets out, so that few steps are enough."""
    rows = draw(TRAIN, _TRUTH_SEED + 1)
    return _fit(rows.design, rows.labels, np.zeros(rows.design.shape[1]), 2 * _STEPS)


def _fit(
    design: np.ndarray, labels: np.ndarray, start: np.ndarray, steps: int = _STEPS
) -> np.ndarray:
    """Newton's steps to the penalised maximum of the likelihood."""
    weights = start
    for _ in range(steps):
        chance = scores(weights, design)
        curvature = (design * (chance * (1 - chance)).astype(np.float32)[:, None]).T @ design
        slope = design.T @ (labels - chance).astype(np.float32) - _PENALTY * weights
        weights = weights + np.linalg.solve(curvature + _PENALTY * np.eye(len(weights)), slope)
    return weights


def judge(
    rows: Rows,
    models: tuple[Model, Model, Model],
    validation: float,
    policy: GatePolicy,
    facts: Facts,
) -> Verdict:
    """The real gate on these rows: candidate, champion and anchor; `validation` is the candidate's
    ROC-AUC there.
    """
    holdout = Holdout(rows.labels, rows.hashes, *models, None, rows.segments)
    return decide(_metrics(holdout, validation, policy), holdout, facts, policy)


def _metrics(holdout: Holdout, validation: float, policy: GatePolicy) -> dict[str, object]:
    labels, judged, threshold = (
        holdout.labels,
        holdout.candidate.scores,
        holdout.candidate.threshold,
    )
    level = two_sided(policy.level)
    measured = {
        "threshold": threshold,
        "rows": {"holdout": len(labels), "holdout_positives": holdout.positives},
        "holdout": measure(labels, judged, threshold),
        "intervals": intervals(labels, judged, threshold, level),
        "confusion": confusion(labels, judged >= threshold),
        "segments": by_segment(labels, judged >= threshold, holdout.segments or {}, level),
        "validation": {"roc_auc": validation},
        "cross_validation": {"roc_auc": {"mean": validation, "std": 0.0}},
    }
    document: dict[str, object] = json.loads(msgspec.json.encode(measured))
    return document


def groups() -> int:
    """How many groups of people a holdout has."""
    return sum(len(np.unique(groups)) for groups in draw(VALIDATION, 0).segments.values())


def prepare() -> None:
    """Draw what all models share."""
    truth(), _near()


def one_thread() -> None:
    """One thread a worker: the workers fill the cores."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
