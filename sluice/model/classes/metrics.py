"""What probabilities of several classes are worth: the numbers of their metrics.json.

Labels are the places of the classes, shape (rows,); probabilities have the shape (rows, classes),
and `answered` is the class that ships for each row, shape (rows,).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sluice.model.classes.metrics_file import Group, Intervals, Measures, OfClass
from sluice.model.classes.ranking import ranked
from sluice.model.classes.recall import mean_recall
from sluice.model.quality.clusters import of_share
from sluice.model.quality.statistics import wilson


def confusion(
    labels: np.ndarray, answered: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """For each class how often it was answered with each."""
    cells = _cells(labels, answered, len(classes)).tolist()
    return {
        name: dict(zip(classes, row, strict=True)) for name, row in zip(classes, cells, strict=True)
    }


def _cells(labels: np.ndarray, answered: np.ndarray, classes: int) -> np.ndarray:
    """Rows by class and by the class answered, shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + answered
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def brier_rows(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The squared distance of probabilities and outcome of each row, shape (rows,): half the sum
    over the classes, which for two classes is the Brier score of one.
    """
    outcomes = np.zeros_like(probabilities)
    outcomes[np.arange(len(labels)), labels] = 1.0
    return np.asarray(((probabilities - outcomes) ** 2).sum(axis=1) / 2)


def measure(labels: np.ndarray, probabilities: np.ndarray, answered: np.ndarray) -> Measures:
    """The headline metrics; recall, precision and F1 are means over the classes."""
    cells = _cells(labels, answered, probabilities.shape[1])
    found, rows, given = np.diag(cells), cells.sum(axis=1), cells.sum(axis=0)
    precisions, areas = ranked(labels, probabilities)
    present = rows > 0
    return Measures(
        accuracy=float(found.sum() / max(len(labels), 1)),
        precision=float(_shares(found, given)[present].mean()),
        recall=float(_shares(found, rows)[present].mean()),
        f1=float(_shares(2 * found, rows + given)[present].mean()),
        roc_auc=areas,
        average_precision=precisions,
        brier=float(brier_rows(labels, probabilities).mean()),
    )


def _shares(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Parts of wholes; a share of nothing is 0."""
    return np.asarray(parts / np.maximum(wholes, 1))


def intervals(
    labels: np.ndarray, answered: np.ndarray, level: float, clusters: np.ndarray | None = None
) -> Intervals:
    """Two-sided intervals of the confidence `level`."""
    right, every = answered == labels, np.ones(len(labels), dtype=bool)
    recall = mean_recall(labels, answered, (1 - level) / 2, clusters)
    return Intervals(
        level=level,
        recall=(recall.low, recall.high),
        accuracy=wilson(int(right.sum()), len(labels), level, of_share(right, every, clusters)),
    )


def by_class(
    labels: np.ndarray,
    answered: np.ndarray,
    classes: Sequence[str],
    level: float,
    clusters: np.ndarray | None = None,
) -> dict[str, OfClass]:
    """Each class by its name, with intervals of this confidence."""
    measured = {}
    for place, name in enumerate(classes):
        own, given = labels == place, answered == place
        rows, found, chosen = int(own.sum()), int((own & given).sum()), int(given.sum())
        measured[name] = OfClass(
            rows=rows,
            answered=chosen,
            found=found,
            recall=found / max(rows, 1),
            precision=found / max(chosen, 1),
            recall_interval=wilson(found, rows, level, of_share(given & own, own, clusters)),
        )
    return measured


def by_segment(
    labels: np.ndarray,
    answered: np.ndarray,
    segments: Mapping[str, np.ndarray],
    level: float,
    clusters: np.ndarray | None = None,
) -> dict[str, dict[str, Group]]:
    """The mean recall of each group, by segment and group, with intervals of this confidence."""
    measured: dict[str, dict[str, Group]] = {}
    for segment, groups in segments.items():
        measured[segment] = {}
        for name in np.unique(groups):
            inside = groups == name
            belonging = None if clusters is None else clusters[inside]
            recall = mean_recall(labels[inside], answered[inside], (1 - level) / 2, belonging)
            measured[segment][str(name)] = Group(
                int(inside.sum()), recall.value, (recall.low, recall.high)
            )
    return measured
