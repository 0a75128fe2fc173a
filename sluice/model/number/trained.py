"""The training measures of a model of a number, on its own rows and on validation, and those of a
release.
"""

from dataclasses import dataclass

import numpy as np
from msgspec import UnsetType

from sluice.model.fit.tuning_file import Trial
from sluice.model.number import metrics
from sluice.model.number.metrics_file import (
    NumberFolds,
    NumberMetrics,
    NumberRows,
    NumberScoredRows,
    TrainedNumberMetrics,
)
from sluice.model.quality.metrics import two_sided
from sluice.model.quality.metrics_file import Spread
from sluice.policy import Policy
from sluice.served.contract import Target
from sluice.served.quantity import Quantity


@dataclass(frozen=True)
class NumberPart:
    """One part of the rows: labels and answers in the unit of the target, shape (rows,)."""

    labels: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class NumberShips:
    """What is known of a model before it is measured: its name, the number that it answers with,
    the band of the policy, the confidence of all intervals.
    """

    model: str
    quantity: Quantity
    band: float
    level: float


def number_ships(model: str, target: Target, policy: Policy) -> NumberShips:
    """What is known of a model of a number before it is measured. Raises ValueError for another."""
    quantity, limits = target.quantity, policy.number
    if quantity is None or limits is None:
        raise ValueError("the target is no number")
    return NumberShips(model, quantity, limits.band, two_sided(policy.gate.level))


def trained_metrics(
    ships: NumberShips,
    train: NumberPart,
    validation: NumberPart,
    winner: Trial,
    clusters: np.ndarray | None,
    until: str | UnsetType,
) -> TrainedNumberMetrics:
    """The metrics.json that travels with a model; `clusters` are the groups of the validation rows
    as numbers, `until` is the time of the newest row of all.
    """
    middle, band = float(np.median(train.labels)), ships.band
    labels, answers = validation.labels, validation.answers
    return TrainedNumberMetrics(
        model=ships.model,
        unit=ships.quantity.unit or "",
        band=band,
        middle=middle,
        rows=NumberRows(len(train.labels), len(labels)),
        train=metrics.measure(train.labels, train.answers, middle, band),
        validation=metrics.measure(labels, answers, middle, band),
        intervals=metrics.intervals(labels, answers, middle, band, ships.level, clusters),
        cross_validation=folds_of(winner),
        made_until=until,
    )


def released_metrics(
    ships: NumberShips,
    holdout: NumberPart,
    segments: dict[str, np.ndarray],
    trained: TrainedNumberMetrics,
    winner: Trial,
    clusters: np.ndarray | None,
) -> NumberMetrics:
    """The metrics.json of a release; `segments` has the group of every holdout row by segment."""
    labels, answers, level = holdout.labels, holdout.answers, ships.level
    middle, band = trained.middle, ships.band
    return NumberMetrics(
        model=ships.model,
        unit=trained.unit,
        band=band,
        middle=middle,
        rows=NumberScoredRows(trained.rows.train, trained.rows.validation, len(labels)),
        holdout=metrics.measure(labels, answers, middle, band),
        intervals=metrics.intervals(labels, answers, middle, band, level, clusters),
        validation=trained.validation,
        cross_validation=folds_of(winner),
        segments=metrics.by_segment(labels, answers, segments, level, clusters),
    )


def folds_of(winner: Trial) -> NumberFolds:
    """Mean and spread of the skill over the folds of the winning trial."""
    folds = winner.folds
    return NumberFolds(Spread(float(np.mean(folds)), float(np.std(folds)), folds))
