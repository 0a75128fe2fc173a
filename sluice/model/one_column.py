"""The best that a single column can do: a bar for the model to clear, and the mark of one that
leaks the answer.
"""

import numpy as np

from sluice.model.statistics import roc_auc
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns, positions

_BINS = 20


def best(
    contract: Contract, train: Columns, labels: np.ndarray, holdout: Columns
) -> tuple[str, np.ndarray]:
    """Name and holdout scores (rows,) of the feature whose rates of positives, learnt on `train`,
    rank `train` best.
    """
    ranked = []
    for column in contract.features:
        fitted, scores = _rates(column, train[column.key], labels, holdout[column.key])
        ranked.append((roc_auc(labels, fitted), column.name, scores))
    _, name, scores = max(ranked, key=lambda entry: (entry[0], entry[1]))
    return name, scores


def _rates(
    column: Column, values: np.ndarray, labels: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The share of positives of each row's value (of its quantile bin, for a quantity), for both
    sets of rows.
    """
    edges = (
        np.unique(np.nanquantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        if column.numeric
        else None
    )
    codes = [_codes(column, rows, edges) for rows in (values, others)]
    groups = int(max(code.max() for code in codes)) + 1
    rows = np.bincount(codes[0], minlength=groups)
    found = np.bincount(codes[0], weights=labels, minlength=groups)
    # one row of prior: a value never seen says nothing
    rates = (found + labels.mean()) / (rows + 1.0)
    return rates[codes[0]], rates[codes[1]]


def _codes(column: Column, values: np.ndarray, edges: np.ndarray | None) -> np.ndarray:
    if edges is not None:
        bins = np.searchsorted(edges, values, side="right")
        return np.where(np.isnan(values), len(edges) + 1, bins)
    places = positions(column)
    return np.array([places.get(value, len(places)) for value in values], dtype=np.int64)
