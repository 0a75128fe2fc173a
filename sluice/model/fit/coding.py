"""What a matrix needs before a family can learn from it: places of values to be looked up, and
numbers that may be missing.

The look-ups are fitted with the model, on the rows that it learns from and on no others, and they
are part of its ONNX graph: serving cannot have another one. A contract that has nothing of it needs
none of it, and its models are what they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sluice.served.contract import Contract
from sluice.served.encoding import feature_names, positions

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

_Value = TypeVar("_Value")
_FOLDS = 5  # in which the target encoding of the rows learnt from is made, each without itself


@dataclass(frozen=True)
class Code:
    """A column of the matrix that holds places of values: `place` is its own, `values` how many
    there are. Values in fewer than `minimum_count` rows count as the one at `other`. `encoding` is
    that of the contract.
    """

    place: int
    values: int
    encoding: str
    minimum_count: int
    other: int


@dataclass(frozen=True)
class Coding:
    """The columns of a matrix of `width` that need more than a copy: `codes`, and those that may be
    missing.
    """

    width: int = 0
    codes: tuple[Code, ...] = ()
    missing: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.codes or self.missing)


PLAIN = Coding()


def coding_of(contract: Contract) -> Coding:
    """What the matrix of a contract needs, as `encode` makes it."""
    names = feature_names(contract)
    codes = []
    for column in contract.features:
        if column.coded:
            other = int(positions(column)[column.other]) if column.other else -1
            place = names.index(column.key)
            size = len(column.values)
            codes.append(Code(place, size, column.encoding, column.minimum_count, other))
    kept = {column.key for column in contract.features if column.kept}
    missing = [names.index(c.key) for c in contract.features if c.kept and c.kind != "date"]
    first = len(names) - len(contract.derived)
    for place, derived in enumerate(contract.derived, first):
        if kept & (set(derived.expression.keys) - set(derived.expression.asked)):
            missing.append(place)
    return Coding(len(names), tuple(codes), tuple(missing))


def behind(
    coding: Coding, values: Sequence[_Value], *, filled: bool, number: _Value, flag: _Value
) -> tuple[_Value, ...]:
    """What holds of each column that `look_up` gives: `values` are what holds of the columns of the
    matrix, `number` of those that a place is looked up for, `flag` of those of single values.
    """
    numbers = [number for code in coding.codes if code.encoding]
    copied = [values[place] for place in _order(coding, filled=filled)]
    flags = [flag for code in coding.codes if not code.encoding for _ in range(code.values)]
    return (*numbers, *copied, *flags)


def look_up(coding: Coding, *, filled: bool) -> "ColumnTransformer":
    """The step before a family: numbers in place of codes, then the columns that are copied, then
    those of categories with a column for each value.

    `filled` says that missing numbers become the median, for families that take none: another
    column says that they are missing.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer

    steps = [
        (f"code {code.place}", _numbers(code), [code.place])
        for code in coding.codes
        if code.encoding
    ]
    if filled and coding.missing:
        fill = SimpleImputer(strategy="median", keep_empty_features=True)
        steps.append(("filled", fill, list(coding.missing)))
    copied = _copied(coding, filled=filled)
    if copied:
        steps.append(("copied", "passthrough", copied))
    steps += [
        (f"code {code.place}", _flags(code), [code.place])
        for code in coding.codes
        if not code.encoding
    ]
    return ColumnTransformer(steps, sparse_threshold=0.0)


def _copied(coding: Coding, *, filled: bool) -> list[int]:
    """The columns that are taken over as they are."""
    apart = {code.place for code in coding.codes} | set(coding.missing if filled else ())
    return [place for place in range(coding.width) if place not in apart]


def _order(coding: Coding, *, filled: bool) -> list[int]:
    """The columns that are filled, then those that are copied."""
    return [*(coding.missing if filled else ()), *_copied(coding, filled=filled)]


def _numbers(code: Code) -> object:
    """From the place of a value to a number: how many of its rows are positive, or how many there
    are. Both are shares, as 32-bit floats, which is what the ONNX graph holds.
    """
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder

    from sluice.model.fit.lookups import Frequency, RareToOther, Single

    steps: list[tuple[str, object]] = []
    if code.minimum_count:
        steps.append(("rare", RareToOther(code.minimum_count, code.other, code.values)))
    if code.encoding == "frequency":
        return Pipeline([*steps, ("frequency", Frequency())])
    # The number of a row that is learnt from comes from other rows (scikit-learn does so in
    # `fit_transform`, which a pipeline calls): its own label is not in it.
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    target = TargetEncoder(target_type="binary", cv=folds)
    return Pipeline([*steps, ("target", target), ("single", Single())])


def _flags(code: Code) -> object:
    """A column for each value; those of rare ones are never set."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    from sluice.model.fit.lookups import RareToOther

    places = np.arange(code.values, dtype=np.float32)
    flags = OneHotEncoder(categories=[places], handle_unknown="ignore", sparse_output=False)
    rare = RareToOther(code.minimum_count, code.other, code.values)
    return Pipeline([("rare", rare), ("flags", flags)])
