"""The models of a shard, taught: a logistic regression each, by Newton's method.

A model of some hundred rows has a few numbers to learn, so scikit-learn's checks and skl2onnx's
graph would be most of the time. The penalty is one for the whole fleet, chosen by cross-validation
on models that a hash draws. Missing numbers count as 0, and the column behind each that says so
learns what that is worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.fleet.parcels import packed, unpacked
from sluice.model.fit.tuning_file import Trial
from sluice.model.quality.statistics import average_precision, roc_auc

FAMILY = "logistic_regression"
# Of the penalty on a standardised weight, squared and halved.
STRENGTHS = (0.3, 3.0, 30.0, 300.0)
DRAWN = 60  # models that the penalty is chosen on
_STEPS = 30
_CLOSE = 1e-9  # how far the last step may move a weight
_FLAT = 1e-9  # of its mean: a column that varies less says nothing


@dataclass(frozen=True)
class Fit:
    """What a model learnt: a weight for each column of the matrix, and the intercept."""

    weights: np.ndarray
    intercept: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The probability of the positive value for each row, float64, shape (rows,)."""
        return _expit(np.nan_to_num(features.astype(np.float64)) @ self.weights + self.intercept)


def fit(features: np.ndarray, labels: np.ndarray, strength: float) -> Fit:
    """A model of these rows; `features` has the shape (rows, columns), `labels` are 0 and 1, both
    of them there.
    """
    rows = np.nan_to_num(features.astype(np.float64))
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    flat = spread <= _FLAT * np.maximum(np.abs(mean), 1.0)
    spread[flat] = 1.0
    rows = (rows - mean) / spread
    rows[:, flat] = 0.0
    rows = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.full(rows.shape[1], strength)
    penalty[-1] = 0.0
    found = _newton(rows, labels.astype(np.float64), penalty)
    weights = found[:-1] / spread
    return Fit(weights, float(found[-1] - weights @ mean))


def _newton(rows: np.ndarray, labels: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    share = labels.mean()
    found = np.zeros(rows.shape[1])
    found[-1] = math.log(share / (1.0 - share))
    loss = _loss(rows @ found, labels, penalty, found)
    for _ in range(_STEPS):
        scores = _expit(rows @ found)
        slope = rows.T @ (labels - scores) - penalty * found
        bend = (rows.T * (scores * (1.0 - scores))) @ rows
        # A column of zeros alone bends by its penalty; the intercept needs a little of its own.
        bend[np.diag_indices_from(bend)] += np.maximum(penalty, 1e-12)
        step = np.linalg.solve(bend, slope)
        found, loss = _downhill(rows, labels, penalty, found, loss, step)
        if float(np.abs(step).max()) < _CLOSE:
            break
    return found


def _downhill(
    rows: np.ndarray,
    labels: np.ndarray,
    penalty: np.ndarray,
    found: np.ndarray,
    loss: float,
    step: np.ndarray,
) -> tuple[np.ndarray, float]:
    """The place after a step, halved until it loses nothing, and the loss there."""
    for _ in range(_STEPS):
        there = found + step
        after = _loss(rows @ there, labels, penalty, there)
        if after <= loss:
            return there, after
        step = step / 2.0
    return found, loss


def _loss(logits: np.ndarray, labels: np.ndarray, penalty: np.ndarray, found: np.ndarray) -> float:
    missed = np.logaddexp(0.0, logits) - labels * logits
    return float(missed.sum() + (penalty * found**2).sum() / 2.0)


def _expit(logits: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def folds_of(labels: np.ndarray, hashes: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each row, shape (rows,): rows of a class in the order of their hashes are dealt
    out, so each fold has both classes where there are as many rows of each.
    """
    numbers = np.empty(len(labels), dtype=np.int64)
    for outcome in (0, 1):
        rows = np.flatnonzero(labels == outcome)
        numbers[rows[np.argsort(hashes[rows], kind="stable")]] = np.arange(len(rows)) % folds
    return numbers


@dataclass(frozen=True)
class Crossed:
    """Average precision and area under the ROC curve on each fold, without its rows learnt from."""

    precisions: tuple[float, ...]
    areas: tuple[float, ...]


def crossed(
    features: np.ndarray, labels: np.ndarray, numbers: np.ndarray, strength: float
) -> Crossed:
    """The model of these rows on each of the folds `numbers`, taught on the others."""
    precisions, areas = [], []
    for fold in range(int(numbers.max()) + 1):
        inside = numbers == fold
        scores = fit(features[~inside], labels[~inside], strength).scores(features[inside])
        precisions.append(average_precision(labels[inside], scores))
        areas.append(roc_auc(labels[inside], scores))
    return Crossed(tuple(precisions), tuple(areas))


def teach(parcel: bytes) -> bytes:
    """The models of a shard: a parcel with their rows for one with their weights.

    Taken: `features` of shape (rows, columns), `labels` and `hashes` of shape (rows,), `starts` of
    shape (models + 1,), where the rows of each model begin, `strength` and `folds`. Given:
    `weights` of shape (models, columns), `intercepts` of shape (models,), `precisions` and `areas`
    of shape (models, folds).
    """
    import threadpoolctl

    given = unpacked(parcel)
    strength, folds = float(given["strength"]), int(given["folds"])
    fits: list[Fit] = []
    judged: list[Crossed] = []
    # With threads, sums are in an order that depends on how many there are.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for begin, end in zip(given["starts"][:-1], given["starts"][1:], strict=True):
            rows, labels = given["features"][begin:end], given["labels"][begin:end]
            fits.append(fit(rows, labels, strength))
            numbers = folds_of(labels, given["hashes"][begin:end], folds)
            judged.append(crossed(rows, labels, numbers, strength))
    return packed(
        {
            "weights": np.array([one.weights for one in fits]),
            "intercepts": np.array([one.intercept for one in fits]),
            "precisions": np.array([one.precisions for one in judged]),
            "areas": np.array([one.areas for one in judged]),
        }
    )


@dataclass(frozen=True)
class Rows:
    """The training rows of a model that the penalty is chosen on."""

    features: np.ndarray
    labels: np.ndarray
    hashes: np.ndarray


def strengths_tried(models: Sequence[Rows], folds: int) -> tuple[Trial, ...]:
    """A trial for each strength: the means over the models, on each fold."""
    import threadpoolctl

    trials = []
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        numbers = [folds_of(one.labels, one.hashes, folds) for one in models]
        for number, strength in enumerate(STRENGTHS):
            found = [
                crossed(one.features, one.labels, dealt, strength)
                for one, dealt in zip(models, numbers, strict=True)
            ]
            precisions = np.mean([one.precisions for one in found], axis=0)
            areas = np.mean([one.areas for one in found], axis=0)
            trials.append(_trial(number, strength, precisions, areas))
    return tuple(trials)


def _trial(number: int, strength: float, precisions: np.ndarray, areas: np.ndarray) -> Trial:
    return Trial(
        number=number,
        family=FAMILY,
        parameters={"strength": strength},
        score=float(precisions.mean()),
        std=float(precisions.std()),
        folds=tuple(precisions.tolist()),
        roc_auc=tuple(areas.tolist()),
    )
