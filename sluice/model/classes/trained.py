"""What training measures of a model of several classes, on its own rows and on validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import UnsetType

from sluice.model.classes import metrics
from sluice.model.classes.metrics_file import (
    ClassMetrics,
    ScoredRows,
    TrainedClassMetrics,
    TrainedRows,
)
from sluice.model.fit.tuning_file import Trial
from sluice.model.quality.metrics import cross_validation
from sluice.served.classes import chosen


@dataclass(frozen=True)
class Part:
    """One part of the rows: labels of shape (rows,), probabilities of shape (rows, classes)."""

    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Ships:
    """What is known of a model before it is measured: its name, the classes, the weight of each,
    the confidence of all intervals.
    """

    model: str
    classes: Sequence[str]
    weights: tuple[float, ...]
    level: float

    @property
    def named(self) -> dict[str, float]:
        """The weights by class."""
        return dict(zip(self.classes, self.weights, strict=True))


def trained_metrics(
    ships: Ships,
    train: Part,
    validation: Part,
    winner: Trial,
    clusters: np.ndarray | None,
    until: str | UnsetType,
) -> TrainedClassMetrics:
    """The metrics.json that travels with a model; `clusters` are the groups of the validation rows
    as numbers, `until` is the time of the newest row of all.
    """
    answered = chosen(validation.probabilities, ships.weights)
    labels, level = validation.labels, ships.level
    return TrainedClassMetrics(
        model=ships.model,
        weights=ships.named,
        rows=TrainedRows(len(train.labels), len(labels)),
        train=metrics.measure(
            train.labels, train.probabilities, chosen(train.probabilities, ships.weights)
        ),
        validation=metrics.measure(labels, validation.probabilities, answered),
        intervals=metrics.intervals(labels, answered, level, clusters),
        cross_validation=cross_validation(winner),
        classes=metrics.by_class(labels, answered, ships.classes, level, clusters),
        confusion=metrics.confusion(labels, answered, ships.classes),
        made_until=until,
    )


def released_metrics(
    ships: Ships,
    holdout: Part,
    segments: dict[str, np.ndarray],
    trained: TrainedClassMetrics,
    winner: Trial,
    clusters: np.ndarray | None,
) -> ClassMetrics:
    """The metrics.json of a release; `segments` has the group of every holdout row by segment."""
    labels, level = holdout.labels, ships.level
    answered = chosen(holdout.probabilities, ships.weights)
    return ClassMetrics(
        model=ships.model,
        weights=ships.named,
        rows=ScoredRows(trained.rows.train, trained.rows.validation, len(labels)),
        holdout=metrics.measure(labels, holdout.probabilities, answered),
        intervals=metrics.intervals(labels, answered, level, clusters),
        classes=metrics.by_class(labels, answered, ships.classes, level, clusters),
        confusion=metrics.confusion(labels, answered, ships.classes),
        validation=trained.validation,
        cross_validation=cross_validation(winner),
        segments=metrics.by_segment(labels, answered, segments, level, clusters),
    )
