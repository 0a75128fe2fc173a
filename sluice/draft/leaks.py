"""Columns that give the answer away, found before anything is trained."""

from dataclasses import dataclass

import numpy as np

from sluice.model.one_column import rates_of
from sluice.model.statistics import roc_auc
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Columns

CEILING = 0.95  # the ROC-AUC of one column from which it is proposed as a leak
_ROWS = 20  # with one value, before its purity says something
_PURE = 0.995  # of them in one class
_USUAL = 0.6  # a class with more of all rows than this is pure in honest values too
_CHANCE = 1e-6  # how unlikely that may be by chance, at the share that the class has in all
_NEARLY = 0.9  # of the rows beside a pure value, where a column leads up to it
_FEW = 20  # different numbers of a column whose values are looked at one by one


@dataclass(frozen=True)
class Look:
    """What one column says alone: the ROC-AUC of its values' shares of positives, and `leak`, why
    it is proposed as a leak; empty where it is not.
    """

    name: str
    roc_auc: float
    leak: str = ""


def look(contract: Contract, columns: Columns, labels: np.ndarray) -> tuple[Look, ...]:
    """Look at each feature alone; columns and `labels` are those of rows outside of the holdout."""
    return tuple(
        _look(contract, column, columns[column.key], labels) for column in contract.features
    )


def _look(contract: Contract, column: Column, values: np.ndarray, labels: np.ndarray) -> Look:
    area = roc_auc(labels, rates_of(column, values, labels))
    leak = _pure(contract, column, values, labels)
    if not leak and area >= CEILING:
        leak = f"alone it has a ROC-AUC of {area:.3f}: does it say the answer?"
    return Look(column.name, area, leak)


def _pure(contract: Contract, column: Column, values: np.ndarray, labels: np.ndarray) -> str:
    """The value whose rows are nearly all of one class, in words; empty where none is."""
    known = values[~np.isnan(values)] if column.numeric else values[values != None]  # noqa: E711
    different = np.unique(known.astype(str)) if not column.numeric else np.unique(known)
    if column.numeric and len(different) > _FEW:
        return ""
    for value in different:
        chosen = labels[values == value]
        rows, positives = len(chosen), int(chosen.sum())
        for count, base, word, label in (
            (positives, float(labels.mean()), contract.target.positive, 1),
            (rows - positives, 1 - float(labels.mean()), contract.target.negative, 0),
        ):
            pure = rows >= _ROWS and count >= _PURE * rows
            if pure and column.numeric and _is_trend(different, value, values, labels == label):
                continue
            if pure and base <= _USUAL and base**rows < _CHANCE:
                shown = f"{value:g}" if column.numeric else str(value)
                return f'{count:,} of {rows:,} rows with "{shown}" are "{word}": known afterwards?'
    return ""


def _is_trend(
    different: np.ndarray, value: float, values: np.ndarray, of_class: np.ndarray
) -> bool:
    """Whether the numbers on both sides of a pure one are nearly pure: an honest column that says
    much is pure at its end. A leak jumps.
    """
    place = int(np.flatnonzero(different == value)[0])
    beside = [*different[max(place - 1, 0) : place], *different[place + 1 : place + 2]]
    return all(of_class[values == one].mean() >= _NEARLY for one in beside)
