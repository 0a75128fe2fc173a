"""Columns that give the answer away, found before anything is trained."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sluice.draft.afterwards import adding_up, named_afterwards
from sluice.model.number.skill import skill_of
from sluice.model.quality.one_column import rates_of
from sluice.model.quality.statistics import roc_auc
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import Columns

CEILING = 0.95  # the ROC-AUC of one column from which it is proposed as a leak
CEILING_OF_SKILL = 0.9  # the skill of one column from which it is
_ROWS = 20  # with one value, before its purity says something
_PURE = 0.995  # of them in one class
_USUAL = 0.6  # a class with more of all rows than this is pure in honest values too
_CHANCE = 1e-6  # how unlikely that may be by chance, at the share that the class has in all
_MISSING = "nothing in it"
_NEARLY = 0.9  # of the rows beside a pure value, where a column leads up to it
_FEW = 20  # different numbers of a column whose values are looked at one by one


@dataclass(frozen=True)
class Look:
    """What one column says alone: the ROC-AUC of its values' shares of positives, and `leak`, why
    it is proposed as a leak; empty where it is not. Of a number it is a skill.
    """

    name: str
    roc_auc: float
    leak: str = ""


def look(contract: Contract, columns: Columns, labels: np.ndarray) -> tuple[Look, ...]:
    """Look at each feature alone; columns and `labels` are those of rows outside of the holdout.

    Of several classes each is looked at against the rest; the ROC-AUC is the mean of all of them.
    Of a number it is the skill of the mean of each value, and nothing is pure. A column may also be
    named like one that is known afterwards, or make the answer with another one.
    """
    found = _alone(contract, columns, labels)
    makes: dict[str, str] = {}
    if contract.target.quantity:
        numbers = {c.name: columns[c.key] for c in contract.features if c.numeric}
        makes = adding_up(numbers, labels)
    keys = {column.key for column in contract.columns}
    target = contract.target.column
    afterwards = {
        column.name
        for column in contract.features
        if named_afterwards(column.key, target, keys - {target})
    }
    measure = "skill" if contract.target.quantity else "ROC-AUC"
    return tuple(_told(one, makes, afterwards, measure) for one in found)


def _told(look: Look, makes: Mapping[str, str], afterwards: Collection[str], measure: str) -> Look:
    """A look whose column gives nothing away alone, with what its name or another column says."""
    if look.leak:
        return look
    if look.name in makes:
        return replace(look, leak=makes[look.name])
    if look.name in afterwards:
        named = "named like what is known afterwards"
        return replace(look, leak=f"{named}; alone it has a {measure} of {look.roc_auc:.3f}")
    return look


def _alone(contract: Contract, columns: Columns, labels: np.ndarray) -> tuple[Look, ...]:
    """What each feature says alone."""
    target = contract.target
    if target.quantity:
        return tuple(
            _of_number(column, columns[column.key], labels) for column in contract.features
        )
    if not target.several:
        names = target.positive, target.negative
        return tuple(
            _look(names, column, columns[column.key], labels) for column in contract.features
        )
    return tuple(
        _of_classes(target.classes, column, columns[column.key], labels)
        for column in contract.features
    )


def _of_classes(
    classes: tuple[str, ...], column: Column, values: np.ndarray, labels: np.ndarray
) -> Look:
    looks = [
        _look((name, ""), column, values, (labels == place).astype(np.int8))
        for place, name in enumerate(classes)
    ]
    leak = next((look.leak for look in looks if look.leak), "")
    return Look(column.name, float(np.mean([look.roc_auc for look in looks])), leak)


def _of_number(column: Column, values: np.ndarray, labels: np.ndarray) -> Look:
    skill = skill_of(labels, rates_of(column, values, labels), float(np.median(labels)))
    leak = f"alone it has a skill of {skill:.3f}: does it say the answer?"
    return Look(column.name, skill, leak if skill >= CEILING_OF_SKILL else "")


def _look(names: tuple[str, str], column: Column, values: np.ndarray, labels: np.ndarray) -> Look:
    area = roc_auc(labels, rates_of(column, values, labels))
    leak = _pure(names, column, values, labels)
    if not leak and area >= CEILING:
        leak = f"alone it has a ROC-AUC of {area:.3f}: does it say the answer?"
    return Look(column.name, area, leak)


def _pure(names: tuple[str, str], column: Column, values: np.ndarray, labels: np.ndarray) -> str:
    """The value whose rows are nearly all of one class, in words; empty where none is. `names` are
    those of the positive and the negative; what has no name is not told.
    """
    known = values[~np.isnan(values)] if column.numeric else values[values != None]  # noqa: E711
    different = np.unique(known.astype(str)) if not column.numeric else np.unique(known)
    if column.numeric and len(different) > _FEW:
        different = different[:0]
    gone = np.isnan(values) if column.numeric else values == None  # noqa: E711
    for value in [*different, _MISSING]:
        chosen = labels[gone if value is _MISSING else values == value]
        rows, positives = len(chosen), int(chosen.sum())
        for count, base, word, label in (
            (positives, float(labels.mean()), names[0], 1),
            (rows - positives, 1 - float(labels.mean()), names[1], 0),
        ):
            pure = rows >= _ROWS and count >= _PURE * rows
            if not (word and pure and base <= _USUAL and base**rows < _CHANCE):
                continue
            of_class = labels == label
            trend = column.numeric and value is not _MISSING
            if not (trend and _is_trend(different, value, values, of_class)):
                shown = _shown(column, value)
                return f'{count:,} of {rows:,} rows with "{shown}" are "{word}": known afterwards?'
    return ""


def _shown(column: Column, value: object) -> str:
    """A value as a sentence has it."""
    if value is _MISSING or not column.numeric:
        return str(value)
    number = float(str(value))
    return written(number) if column.kind == "date" else f"{number:g}"


def _is_trend(
    different: np.ndarray, value: float, values: np.ndarray, of_class: np.ndarray
) -> bool:
    """Whether the numbers on both sides of a pure one are nearly pure: an honest column that says
    much is pure at its end. A leak jumps.
    """
    place = int(np.flatnonzero(different == value)[0])
    beside = [*different[max(place - 1, 0) : place], *different[place + 1 : place + 2]]
    return all(of_class[values == one].mean() >= _NEARLY for one in beside)
