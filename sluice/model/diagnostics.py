"""What a person looks at after the verdict: curves, calibration, importance, learning. Counts and
points, no rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sluice.model.statistics import roc_auc, wilson
from sluice.served.contract import Contract
from sluice.served.encoding import Columns

Scorer = Callable[[np.ndarray], np.ndarray]
_FEWEST = 5  # rows between two points of a curve, and in a cell: fewer could point at a person


def curve_points(
    labels: np.ndarray, scores: np.ndarray, points: int = 200, bins: int = 10
) -> dict[str, Any]:
    """Everything the pictures of one model on one set of rows are drawn from, as JSON-able values.

    `labels` 0/1 and `scores` in [0, 1], both of shape (rows,), with both classes present. Returns
    {"precision_recall": {"recall", "precision"}, "roc": {"false_positive_rate",
    "true_positive_rate"}, "calibration": [{"score", "share", "rows", "interval"}], "histogram":
    {"edges", "positive", "negative"}, "rows", "positives"}.
    """
    flagged, found = _cuts(labels, scores, points)
    positives, rows = int(labels.sum()), len(labels)
    return {
        "precision_recall": {
            "recall": _rounded(found / positives),
            "precision": _rounded(found / flagged),
        },
        "roc": {
            "false_positive_rate": [0.0, *_rounded((flagged - found) / (rows - positives))],
            "true_positive_rate": [0.0, *_rounded(found / positives)],
        },
        "calibration": _calibration(labels, scores, bins),
        "histogram": _histogram(labels, scores),
        "rows": rows,
        "positives": positives,
    }


def permutation_importance(
    score: Callable[[Columns], np.ndarray],
    columns: Columns,
    labels: np.ndarray,
    contract: Contract,
    seed: int,
    repeats: int = 5,
    rows: int = 6_000,
) -> list[dict[str, Any]]:
    """How much average precision is lost when one raw column is shuffled, the largest loss first.

    At most `rows` rows are used. Returns [{"column": published name, "mean", "std"}].
    """
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(labels))[:rows])
    table = {column.key: columns[column.key][chosen] for column in contract.features}
    truth = labels[chosen]
    whole = average_precision_score(truth, score(table))
    orders = [random.permutation(len(chosen)) for _ in range(repeats)]

    def loss(key: str, order: np.ndarray) -> float:
        return float(
            whole - average_precision_score(truth, score({**table, key: table[key][order]}))
        )

    found = []
    for column in contract.features:
        losses = [loss(column.key, order) for order in orders]
        found.append(
            {"column": column.name, "mean": float(np.mean(losses)), "std": float(np.std(losses))}
        )
    return sorted(found, key=lambda entry: -entry["mean"])


def learning_curve(
    fit: Callable[[np.ndarray, np.ndarray], Scorer],
    matrix: np.ndarray,
    labels: np.ndarray,
    validation_matrix: np.ndarray,
    validation_labels: np.ndarray,
    shares: Sequence[float] = (0.05, 0.1, 0.25, 0.5, 1.0),
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Average precision on the rows learnt from and on validation, for growing shares of the
    training rows.

    `fit(X, y)` returns a function from a matrix to probabilities. Every smaller set is part of
    every larger one. Returns [{"rows", "train", "validation"}].
    """
    from sklearn.metrics import average_precision_score

    order = np.random.default_rng(seed).permutation(len(labels))
    found = []
    for share in sorted(shares):
        part = np.sort(order[: max(2, round(share * len(order)))])
        if len(np.unique(labels[part])) < 2:
            continue
        score = fit(matrix[part], labels[part])
        train = average_precision_score(labels[part], score(matrix[part]))
        validation = average_precision_score(validation_labels, score(validation_matrix))
        found.append(
            {
                "rows": len(part),
                "train": round(float(train), 5),
                "validation": round(float(validation), 5),
            }
        )
    return found


def protected_cost(
    contract: Contract,
    fitted: Callable[[Contract, np.ndarray], Scorer],
    matrix_of: Callable[[Contract, Columns], np.ndarray],
    rows: tuple[Columns, Columns],
    share: float,
) -> dict[str, Any]:
    """The cost of training without the protected columns: the same recipe without and with them, on
    validation rows.

    `fitted(contract, matrix)` learns from the training rows, `rows` are training and validation;
    recall is taken where the `share` with the highest scores is flagged. Returns {"columns",
    "without": {"roc_auc", "recall"}, "with": ...}.
    """
    train, validation = rows
    protected = contract.role("protected")
    opened = replace(
        contract,
        columns=tuple(
            replace(column, role="feature") if column in protected else column
            for column in contract.columns
        ),
    )
    labels = validation[contract.target.column]
    found: dict[str, Any] = {"columns": [column.name for column in protected]}
    for name, used in (("without", contract), ("with", opened)):
        scores = fitted(used, matrix_of(used, train))(matrix_of(used, validation))
        chosen = np.argsort(-scores, kind="stable")[: round(share * len(scores))]
        recall = float(labels[chosen].sum() / labels.sum())
        found[name] = {"roc_auc": round(roc_auc(labels, scores), 5), "recall": round(recall, 5)}
    return found


def _cuts(labels: np.ndarray, scores: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At no more than `points` thresholds: how many rows are flagged and how many of them are
    positive.
    """
    from sklearn.metrics import confusion_matrix_at_thresholds

    _, false, _, true, _ = confusion_matrix_at_thresholds(labels, scores)
    flagged, rows = false + true, len(labels)
    wanted = np.linspace(min(_FEWEST, rows), rows, min(points, max(2, rows // _FEWEST)))
    places = np.unique(np.minimum(np.searchsorted(flagged, wanted), len(flagged) - 1))
    return flagged[places], true[places]


def _calibration(labels: np.ndarray, scores: np.ndarray, bins: int) -> list[dict[str, Any]]:
    """Bins of equal width over the scores: the mean score, the share of positives with its 95 %
    interval, the rows.
    """
    place = np.minimum((scores * bins).astype(int), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        rows = int(inside.sum())
        if rows >= _FEWEST:
            positives = int(labels[inside].sum())
            found.append(
                {
                    "score": round(float(scores[inside].mean()), 5),
                    "share": round(positives / rows, 5),
                    "rows": rows,
                    "interval": [round(limit, 5) for limit in wilson(positives, rows)],
                }
            )
    return found


def _histogram(labels: np.ndarray, scores: np.ndarray, bins: int = 40) -> dict[str, Any]:
    edges = np.linspace(0, 1, bins + 1)
    positive, negative = (
        np.histogram(scores[labels == label], edges)[0].tolist() for label in (1, 0)
    )
    return {"edges": _rounded(edges), "positive": positive, "negative": negative}


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
