"""From scikit-learn to ONNX, and the refusal of models that are more than arithmetic."""

from typing import Any

import numpy as np

from sluice.errors import SluiceError
from sluice.served.scoring import open_session, score_matrix

TOLERANCE = 1e-6  # how far scores of one model may lie apart anywhere (float32 against float64)
_OPSET = {"": 17, "ai.onnx.ml": 3}


def convert(estimator: Any, columns: int) -> bytes:
    """The bytes of an ONNX model that takes `features` float32 (rows, columns) and gives
    `probabilities`.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common import _container
    from skl2onnx.common.data_types import FloatTensorType

    _make_dense(estimator)
    make_node = _container.make_node

    def integers(*args: Any, **attributes: Any) -> Any:
        # skl2onnx 1.20 hands booleans to onnx 1.23, which takes integers only.
        return make_node(
            *args, **{name: _without_booleans(value) for name, value in attributes.items()}
        )

    _container.make_node = integers
    try:
        model = to_onnx(
            estimator,
            initial_types=[("features", FloatTensorType([None, columns]))],
            options={id(estimator): {"zipmap": False}},
            target_opset=_OPSET,
        )
    finally:
        _container.make_node = make_node
    model.producer_version = ""
    # skl2onnx takes them from a set, and its order may be another one in another process: equal
    # models, equal bytes.
    opsets = sorted(model.opset_import, key=lambda opset: (opset.domain, opset.version))
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


def _make_dense(estimator: Any) -> None:
    """One-hot steps give dense arrays from here on: fitting is quicker on sparse ones, but ONNX has
    none.
    """
    if not hasattr(estimator, "named_steps"):
        return
    prepare = estimator.named_steps["prepare"]
    if bins := prepare.named_transformers_.get("bins"):
        bins.encode = "onehot-dense"
        bins._encoder.sparse_output = False
    if levels := prepare.named_transformers_.get("levels"):
        levels.sparse_output = False
    prepare.sparse_output_ = False


def _without_booleans(value: Any) -> Any:
    if isinstance(value, list) and any(isinstance(item, bool | np.bool_) for item in value):
        return [int(item) for item in value]
    return value


def check_agreement(estimator: Any, model: bytes, features: np.ndarray) -> float:
    """The largest difference between the scores of both; raises SluiceError beyond TOLERANCE."""
    expected = estimator.predict_proba(features)[:, 1]
    worst = float(np.abs(score_matrix(open_session(model), features) - expected).max())
    if not worst <= TOLERANCE:
        raise SluiceError(
            f"the ONNX model and the trained model differ by {worst:.2g} in a score (at most"
            f" {TOLERANCE:g} is allowed)",
            "The conversion is at fault, not the data: please report it with the versions in"
            " uv.lock.",
        )
    return worst
