"""What a person looks at after the verdict: curves, calibration, importance, learning.

Counts and points, no rows. Labels are 0 or 1, scores are probabilities; both have the shape
(rows,).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sluice.model.quality.clusters import Design, of_share
from sluice.model.quality.diagnostics_file import (
    CalibrationCell,
    Curves,
    Importance,
    LearningPoint,
    PrecisionRecall,
    ProtectedCost,
    RankingQuality,
    Roc,
    ScoreHistogram,
)
from sluice.model.quality.statistics import roc_auc, wilson
from sluice.served.contract import Column, Contract

_EMPTY = "(missing)"  # the value of an empty cell of a protected category
_FEWEST = 5  # rows between two points of a curve, and in a cell: fewer could point at a person


class Scorer(Protocol):
    """Something that scores rows of a feature matrix."""

    def score(self, features: np.ndarray, /) -> np.ndarray:
        """The probability of the positive class, shape (rows,)."""
        ...


# From features, labels and what each row counts for to what scores other rows.
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray | None], Scorer]


@dataclass(frozen=True)
class Part:
    """Rows to learn from or to judge on: features (rows, columns), labels (rows,).

    `weights` are what each row counts for where it is learnt from, (rows,); None where all count
    alike. Rows that judge count once.
    """

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Shuffling:
    """How often each column is shuffled, and on how many rows at most."""

    seed: int
    repeats: int = 5
    rows: int = 6_000


def curve_points(
    labels: np.ndarray,
    scores: np.ndarray,
    level: float,
    points: int = 200,
    bins: int = 10,
    clusters: np.ndarray | None = None,
) -> Curves:
    """Everything that the pictures of one model on one set of rows are drawn from.

    Both classes must be present. Intervals are two-sided, of the confidence `level`. At most
    `points` points a curve and `bins` cells of calibration. `clusters` are numbers, equal in rows
    that belong together.
    """
    flagged, hits = _cuts(labels, scores, points)
    positives, rows = int(labels.sum()), len(labels)
    recall = _rounded(hits / positives)
    false_positive_rate = _rounded((flagged - hits) / (rows - positives))
    return Curves(
        precision_recall=PrecisionRecall(recall=recall, precision=_rounded(hits / flagged)),
        roc=Roc(false_positive_rate=(0.0, *false_positive_rate), true_positive_rate=(0.0, *recall)),
        calibration=_calibration(labels, scores, level, bins, clusters),
        histogram=_histogram(labels, scores),
        rows=rows,
        positives=positives,
    )


def permutation_importance(
    score: Callable[[np.ndarray], np.ndarray],
    numbers: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    shuffling: Shuffling,
) -> tuple[Importance, ...]:
    """How much average precision is lost when one raw column is shuffled, the largest loss first.

    `numbers` has a row for each label and a column for each of `names`, before derived features are
    made of them; `score` takes such rows. All columns are shuffled in the same orders.
    """
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(shuffling.seed)
    chosen = np.sort(random.permutation(len(labels))[: shuffling.rows])
    table, truth = numbers[chosen], labels[chosen]
    whole = average_precision_score(truth, score(table))
    orders = [random.permutation(len(chosen)) for _ in range(shuffling.repeats)]
    importances = []
    for place, name in enumerate(names):
        losses = []
        for order in orders:
            shuffled = table.copy()
            shuffled[:, place] = table[order, place]
            losses.append(float(whole - average_precision_score(truth, score(shuffled))))
        importances.append(Importance(name, float(np.mean(losses)), float(np.std(losses))))
    return tuple(sorted(importances, key=lambda importance: -importance.mean))


@dataclass(frozen=True)
class Learnt:
    """What a recipe learnt from some of the training rows, and its scores of the validation rows,
    shape (rows,).
    """

    point: LearningPoint
    scores: np.ndarray


def learning_sets(labels: np.ndarray, shares: Sequence[float], seed: int) -> list[np.ndarray]:
    """The places of the training rows in growing shares of them, the smallest share first.

    Every smaller set is part of every larger one. A share with rows of one class only is left out.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    sets = []
    for share in sorted(shares):
        chosen = np.sort(order[: max(2, round(share * len(order)))])
        if len(np.unique(labels[chosen])) == 2:
            sets.append(chosen)
    return sets


def learn(fit: Fit, train: Part, validation: Part, chosen: np.ndarray) -> Learnt:
    """Average precision on the `chosen` rows, which are learnt from, and on validation."""
    from sklearn.metrics import average_precision_score

    features, labels = train.features[chosen], train.labels[chosen]
    weights = None if train.weights is None else train.weights[chosen]
    fitted = fit(features, labels, weights)
    learnt = average_precision_score(labels, fitted.score(features))
    scores = fitted.score(validation.features)
    judged = average_precision_score(validation.labels, scores)
    point = LearningPoint(len(chosen), round(float(learnt), 5), round(float(judged), 5))
    return Learnt(point, scores)


def with_protected(contract: Contract) -> Contract:
    """The contract as it would be if its protected columns were fed to the model.

    An empty cell of one is a value of its own, and of a number the middle of its range.
    """
    protected = contract.role("protected")
    columns = []
    for column in contract.columns:
        if column in protected:
            columns.append(_fed(column))
        else:
            columns.append(column)
    return replace(contract, columns=tuple(columns))


def _fed(column: Column) -> Column:
    """A protected column as a feature; empty cells of a category are a value of their own."""
    if column.numeric or column.missing != "keep":
        return replace(column, role="feature")
    values = (*column.values, _EMPTY)
    return replace(column, role="feature", missing="impute", values=values, fill=_EMPTY)


def protected_cost(
    columns: Sequence[str],
    without: np.ndarray,
    with_them: np.ndarray,
    labels: np.ndarray,
    share: float,
) -> ProtectedCost:
    """The cost of training without the protected columns, which `columns` names.

    `without` and `with_them` are scores of the same recipe, on the rows of `labels`. Recall is
    taken where the `share` with the highest scores is flagged.
    """
    return ProtectedCost(
        columns=tuple(columns),
        without=_quality(labels, without, share),
        with_them=_quality(labels, with_them, share),
    )


def _quality(labels: np.ndarray, scores: np.ndarray, share: float) -> RankingQuality:
    chosen = np.argsort(-scores, kind="stable")[: round(share * len(scores))]
    recall = float(labels[chosen].sum() / labels.sum())
    return RankingQuality(roc_auc=round(roc_auc(labels, scores), 5), recall=round(recall, 5))


def _cuts(labels: np.ndarray, scores: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At no more than `points` thresholds: how many rows are flagged, and how many of them are
    positive.
    """
    from sklearn.metrics import confusion_matrix_at_thresholds

    _, false, _, true, _ = confusion_matrix_at_thresholds(labels, scores)
    flagged, rows = false + true, len(labels)
    wanted = np.linspace(min(_FEWEST, rows), rows, min(points, max(2, rows // _FEWEST)))
    places = np.unique(np.minimum(np.searchsorted(flagged, wanted), len(flagged) - 1))
    return flagged[places], true[places]


def _calibration(
    labels: np.ndarray, scores: np.ndarray, level: float, bins: int, clusters: np.ndarray | None
) -> tuple[CalibrationCell, ...]:
    """Bins of equal width over the scores; those of too few rows are left out."""
    bin_of_row = np.minimum((scores * bins).astype(int), bins - 1)
    cells = []
    for number in range(bins):
        inside = bin_of_row == number
        if inside.sum() >= _FEWEST:
            design = of_share(labels == 1, inside, clusters)
            cells.append(_cell(labels[inside], scores[inside], level, design))
    return tuple(cells)


def _cell(labels: np.ndarray, scores: np.ndarray, level: float, design: Design) -> CalibrationCell:
    rows, positives = len(labels), int(labels.sum())
    low, high = wilson(positives, rows, level, design)
    return CalibrationCell(
        score=round(float(scores.mean()), 5),
        share=round(positives / rows, 5),
        rows=rows,
        interval=(round(low, 5), round(high, 5)),
    )


def _histogram(labels: np.ndarray, scores: np.ndarray, bins: int = 40) -> ScoreHistogram:
    edges = np.linspace(0, 1, bins + 1)
    return ScoreHistogram(
        edges=_rounded(edges),
        positive=tuple(np.histogram(scores[labels == 1], edges)[0].tolist()),
        negative=tuple(np.histogram(scores[labels == 0], edges)[0].tolist()),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
