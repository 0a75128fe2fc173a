"""Look-ups that scikit-learn lacks, each with its conversion to ONNX: a map from number to number.

Each takes and gives a float array of shape (rows, 1).
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class RareToOther(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The places of values, in which those of too few rows become the place of `other`."""

    def __init__(self, minimum_count: int, other: int, values: int) -> None:
        self.minimum_count = minimum_count
        self.other = other
        self.values = values

    def fit(self, places: np.ndarray, _: object = None) -> "RareToOther":
        """Count the rows of each value."""
        counts = np.bincount(np.asarray(places).ravel().astype(np.int64), minlength=self.values)
        self.frequent_ = np.flatnonzero(counts >= self.minimum_count).astype(np.float32)
        return self

    def transform(self, places: np.ndarray) -> np.ndarray:
        """The places, rare and unknown ones replaced."""
        frequent = np.isin(np.asarray(places), self.frequent_)
        return np.where(frequent, places, np.float32(self.other)).astype(np.float32)


class Frequency(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The share of the rows that a value has; 0 for one that no row has."""

    def fit(self, places: np.ndarray, _: object = None) -> "Frequency":
        """Count the rows of each value."""
        known, counts = np.unique(np.asarray(places), return_counts=True)
        self.places_ = known.astype(np.float32)
        self.shares_ = (counts / counts.sum()).astype(np.float32)
        return self

    def transform(self, places: np.ndarray) -> np.ndarray:
        """The share of each value."""
        given = np.asarray(places)
        at = np.minimum(np.searchsorted(self.places_, given), len(self.places_) - 1)
        return np.where(self.places_[at] == given, self.shares_[at], np.float32(0.0))


class Single(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`width` columns of numbers in single precision, as the ONNX graph holds them: thresholds lie
    between these. A step behind it learns from skl2onnx how many columns there are.
    """

    def __init__(self, width: int = 1) -> None:
        self.width = width

    def fit(self, _: np.ndarray, __: object = None) -> "Single":
        """Learn nothing."""
        self.fitted_ = True
        return self

    def transform(self, numbers: np.ndarray) -> np.ndarray:
        """The same numbers as float32."""
        return np.asarray(numbers, dtype=np.float32)


def register() -> None:
    """Tell skl2onnx how these are converted; doing so again changes nothing."""
    from skl2onnx import update_registered_converter

    known = (
        (RareToOther, _rare, None),
        (Frequency, _frequency, None),
        (Single, _same, _of_known_width),
    )
    for kind, convert, parser in known:
        name = f"Sluice{kind.__name__}"
        update_registered_converter(kind, name, _shape, convert, overwrite=True, parser=parser)


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, getattr(operator.raw_operator, "width", 1)])


def _of_known_width(
    scope: Any,
    single: Single,
    inputs: list[Any],
    custom_parsers: object = None,  # noqa: ARG001
) -> list[Any]:
    """What skl2onnx knows of the output before it converts anything."""
    from skl2onnx import get_model_alias
    from skl2onnx.common.data_types import FloatTensorType

    operator = scope.declare_local_operator(get_model_alias(type(single)), single)
    operator.inputs = inputs
    kind = FloatTensorType([None, single.width])
    operator.outputs.append(scope.declare_local_variable("single", kind))
    return list(operator.outputs)


def _rare(scope: Any, operator: Any, container: Any) -> None:  # noqa: ARG001
    fitted = operator.raw_operator
    _map(operator, container, fitted.frequent_, fitted.frequent_, float(fitted.other))


def _frequency(scope: Any, operator: Any, container: Any) -> None:  # noqa: ARG001
    fitted = operator.raw_operator
    _map(operator, container, fitted.places_, fitted.shares_, 0.0)


def _same(scope: Any, operator: Any, container: Any) -> None:  # noqa: ARG001
    names = operator.inputs[0].full_name, operator.outputs[0].full_name
    container.add_node("Identity", *names, name=names[1])


def _map(
    operator: Any, container: Any, keys: np.ndarray, values: np.ndarray, default: float
) -> None:
    """One LabelEncoder; of no keys it makes the default of everything."""
    if not len(keys):
        keys = np.array([-1.0], dtype=np.float32)
        values = np.array([default], dtype=np.float32)
    name = operator.outputs[0].full_name
    container.add_node(
        "LabelEncoder",
        operator.inputs[0].full_name,
        name,
        op_domain="ai.onnx.ml",
        op_version=2,
        name=f"{name}_map",
        keys_floats=keys,
        values_floats=values,
        default_float=default,
    )
