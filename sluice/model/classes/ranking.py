"""How well probabilities of several classes rank: one class against the rest, then the mean.

Labels are the places of the classes, shape (rows,); probabilities have the shape (rows, classes). A
class of which no row is there, or all of them are, says nothing and is left out of a mean.
"""

import numpy as np

from sluice.model.quality.statistics import average_precision, roc_auc


def ranked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """The means over the classes of average precision and of the area under the ROC curve."""
    precisions, areas = [], []
    for place in told_apart(labels, probabilities.shape[1]):
        own = (labels == place).astype(np.int8)
        precisions.append(average_precision(own, probabilities[:, place]))
        areas.append(roc_auc(own, probabilities[:, place]))
    return float(np.mean(precisions)), float(np.mean(areas))


def told_apart(labels: np.ndarray, classes: int) -> list[int]:
    """The classes of which some rows are there, and not all of them."""
    counts = np.bincount(labels, minlength=classes)
    return [place for place in range(classes) if 0 < counts[place] < len(labels)]


def of_each_class(probabilities: np.ndarray, known: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities with a column for each class, shape (rows, classes).

    An estimator has columns of the classes that it was fitted on, the `known` ones.
    """
    if len(known) == classes:
        return probabilities
    whole = np.zeros((len(probabilities), classes))
    whole[:, known.astype(np.int64)] = probabilities
    return whole
