"""What training says of a model that a drill has made, whatever kind its target is of."""

from typing import TypeAlias

import numpy as np
from msgspec import structs

from flows.drills.gate.baseline import Ground
from flows.facts.step_files import MODEL
from sluice.model.classes import metrics as class_metrics
from sluice.model.classes.metrics_file import Measures as ClassMeasures
from sluice.model.classes.metrics_file import TrainedClassMetrics
from sluice.model.number import metrics as number_metrics
from sluice.model.number.metrics_file import NumberMeasures, TrainedNumberMetrics
from sluice.model.quality.metrics import measure
from sluice.model.quality.metrics_file import Measures, TrainedMetrics
from sluice.served.classes import chosen

AnyMeasures: TypeAlias = Measures | ClassMeasures | NumberMeasures
AnyTrainedMetrics: TypeAlias = TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
# Of the winner in tuning.json, what stability is judged by; of a number both.
FOLDS = ("roc_auc", "folds")


def real_metrics(ground: Ground) -> AnyTrainedMetrics:
    """The metrics.json that travels with the real model."""
    target, trained = ground.request.contract.target, ground.candidate.trained
    name = f"{MODEL}/metrics.json"
    if target.quantity:
        return trained.parsed(name, TrainedNumberMetrics)
    if target.several:
        return trained.parsed(name, TrainedClassMetrics)
    return trained.parsed(name, TrainedMetrics)


def measured(
    ground: Ground, labels: np.ndarray, scores: np.ndarray, threshold: float
) -> AnyMeasures:
    """The headline metrics on these rows, labels of shape (rows,)."""
    real = real_metrics(ground)
    if isinstance(real, TrainedNumberMetrics):
        return number_metrics.measure(labels, scores, real.middle, real.band)
    if isinstance(real, TrainedClassMetrics):
        return class_metrics.measure(labels, scores, chosen(scores, ground.weights))
    return measure(labels, scores, threshold)


def remeasured(ground: Ground, threshold: float, validation: AnyMeasures) -> AnyTrainedMetrics:
    """The metrics.json of the real model with what another model shows on the validation rows, and
    its threshold where there is one.
    """
    real = real_metrics(ground)
    if isinstance(real, TrainedMetrics):
        return structs.replace(real, threshold=threshold, validation=validation)
    return structs.replace(real, validation=validation)


def judged_by(measures: AnyMeasures) -> float:
    """The measure that cross-validation, validation and holdout are held against."""
    return measures.skill if isinstance(measures, NumberMeasures) else measures.roc_auc
