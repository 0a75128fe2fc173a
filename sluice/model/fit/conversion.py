"""From scikit-learn to ONNX, and the refusal of models that are more than arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.model.fit.single_limits import settle_limits
from sluice.served.scoring import open_session, score_matrix

if TYPE_CHECKING:
    from onnx import NodeProto

    from sluice.model.fit.training import Estimator

TOLERANCE = 1e-6  # how far scores of one model may lie apart anywhere (float32 against float64)
_PIECE = 50_000  # rows that are scored at once
_OPSET = {"": 17, "ai.onnx.ml": 3}


def convert(estimator: "Estimator", columns: int) -> bytes:
    """The bytes of an ONNX model; equal estimators give equal bytes.

    It takes `features`, float32 of shape (rows, columns), and gives `probabilities`.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    from sluice.model.fit.lookups import register

    register()
    _make_dense(estimator)
    settle_limits(estimator)
    with _whole_numbers():
        model = to_onnx(
            estimator,
            initial_types=[("features", FloatTensorType([None, columns]))],
            options={id(estimator): {"zipmap": False}},
            target_opset=_OPSET,
        )
    model.producer_version = ""
    # skl2onnx takes them from a set, whose order may be another one in another process.
    opsets = sorted(model.opset_import, key=lambda opset: (opset.domain, opset.version))
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _whole_numbers() -> Iterator[None]:
    """Let skl2onnx write 0 and 1 for truth values, as long as this lasts.

    skl2onnx 1.20 hands booleans to onnx 1.23, which takes integers only.
    """
    from skl2onnx.common import _container

    make_node = _container.make_node

    def make_node_of_integers(*arguments: object, **attributes: object) -> "NodeProto":
        values = {name: _without_booleans(value) for name, value in attributes.items()}
        return make_node(*arguments, **values)

    _container.make_node = make_node_of_integers
    try:
        yield
    finally:
        _container.make_node = make_node


def _make_dense(estimator: "Estimator") -> None:
    """Let one-hot steps give dense arrays from here on.

    Fitting is quicker on sparse ones, but ONNX has none.
    """
    if not hasattr(estimator, "named_steps"):
        return
    if "look_up" in estimator.named_steps:
        _make_dense(estimator.named_steps["model"])
        return
    prepare = estimator.named_steps["prepare"]
    bins = prepare.named_transformers_.get("bins")
    if bins:
        bins.encode = "onehot-dense"
        bins._encoder.sparse_output = False
    levels = prepare.named_transformers_.get("levels")
    if levels:
        levels.sparse_output = False
    prepare.sparse_output_ = False


def _without_booleans(value: object) -> object:
    """A list with truth values as whole numbers; anything else as it is."""
    if isinstance(value, list) and any(isinstance(item, bool | np.bool_) for item in value):
        return [int(item) for item in value]
    return value


def scores_of(model: bytes, features: np.ndarray) -> np.ndarray:
    """The scores that an ONNX model gives these rows, a piece at a time; float64, shape (rows,),
    or (rows, classes) where there are several.
    """
    session = open_session(model)
    starts = range(0, len(features), _PIECE)
    scores = [score_matrix(session, features[start : start + _PIECE]) for start in starts]
    return np.concatenate(scores)


def _scores(estimator: "Estimator", features: np.ndarray) -> np.ndarray:
    """The scores that a fitted estimator gives rows, as `score_matrix` has them."""
    probabilities = estimator.predict_proba(features)
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def check_agreement(estimator: "Estimator", model: bytes, features: np.ndarray) -> float:
    """The largest difference between the scores of both, on features of shape (rows, columns).

    A piece at a time, because scikit-learn makes a copy in double precision, and one-hot bins are
    many times as wide. Raises SluiceError beyond TOLERANCE.
    """
    starts = range(0, len(features), _PIECE)
    expected = [_scores(estimator, features[start : start + _PIECE]) for start in starts]
    worst = float(np.abs(scores_of(model, features) - np.concatenate(expected)).max())
    if not worst <= TOLERANCE:
        raise SluiceError(
            f"the ONNX model and the trained model differ by {worst:.2g} in a score (at most"
            f" {TOLERANCE:g} is allowed)",
            "The conversion is at fault, not the data: please report it with the versions in"
            " uv.lock.",
        )
    return worst
