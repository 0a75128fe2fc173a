"""The best that a single column can do.

It is a bar for the model to clear; a column that does too well leaks the answer.
"""

import numpy as np

from sluice.model.quality.statistics import roc_auc
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns, positions

_BINS = 20


def best(
    contract: Contract, train: Columns, labels: np.ndarray, holdout: Columns
) -> tuple[str, np.ndarray]:
    """Published name and holdout scores, shape (rows,), of the best feature.

    The scores of a feature are the shares of positives of its values, learnt on `train`; the best
    one ranks the rows of `train` best. `labels` are those of `train`.
    """
    ranked = []
    for column in contract.features:
        rates, scores = rates_beside(column, train[column.key], labels, holdout[column.key])
        ranked.append((roc_auc(labels, rates), column.name, scores))
    _, name, scores = max(ranked, key=lambda entry: (entry[0], entry[1]))
    return name, scores


def rates_of(column: Column, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of positives of each row's value, or of its bin; shape (rows,)."""
    rates, _ = rates_beside(column, values, labels, values)
    return rates


def rates_beside(
    column: Column, values: np.ndarray, labels: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The share of positives of each row's value, for both sets of rows.

    A quantity is cut into quantile bins first. The shares are those of `values` and `labels`.
    """
    edges = edges_of(values) if column.numeric else None
    return rates_by_code(_codes(column, values, edges), _codes(column, others, edges), labels)


def edges_of(values: np.ndarray) -> np.ndarray:
    """The edges of the bins of a quantity, shape (edges,); they are its quantiles."""
    return np.unique(np.nanquantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))


def rates_by_code(
    learnt: np.ndarray, judged: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same for whole numbers from 0 that stand for values or bins, in both sets of rows."""
    groups = int(max(learnt.max(), judged.max())) + 1
    rows = np.bincount(learnt, minlength=groups)
    positives = np.bincount(learnt, weights=labels, minlength=groups)
    # One row with the mean of all is added to each: a value never seen says nothing.
    rates = (positives + labels.mean()) / (rows + 1.0)
    return rates[learnt], rates[judged]


def _codes(column: Column, values: np.ndarray, edges: np.ndarray | None) -> np.ndarray:
    """A whole number for the bin or the value of each row; missing and unknown ones have their
    own.
    """
    if edges is not None:
        return bins_of(edges, values)
    places = positions(column)
    return np.array([places.get(value, len(places)) for value in values], dtype=np.int64)


def bins_of(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The bin of each number, a whole number from 0; missing ones have their own."""
    bins = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, bins)
