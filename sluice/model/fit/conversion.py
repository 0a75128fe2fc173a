"""From scikit-learn to ONNX, and the refusal of models that are more than arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.model.fit.single_limits import settle_limits
from sluice.served.quantity import Quantity
from sluice.served.scoring import PROBABILITIES, QUANTITY, open_session, score_matrix

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from sluice.model.fit.training import Estimator

TOLERANCE = 1e-6  # how far scores of one model may lie apart anywhere (float32 against float64)
_PIECE = 50_000  # rows that are scored at once
_OPSET = {"": 17, "ai.onnx.ml": 3}


def convert(estimator: "Estimator", columns: int, quantity: Quantity | None = None) -> bytes:
    """The bytes of an ONNX model; equal estimators give equal bytes.

    It takes `features`, float32 of shape (rows, columns), and gives `probabilities`; of a number,
    which the estimator has as a share of the range, it gives `quantity`, in its unit and within the
    range, float32 of shape (rows, 1).
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
            options=None if quantity else {id(estimator): {"zipmap": False}},
            target_opset=_OPSET,
        )
    if quantity:
        _in_unit(model, quantity)
    model.producer_version = ""
    # skl2onnx takes them from a set, whose order may be another one in another process.
    opsets = sorted(model.opset_import, key=lambda opset: (opset.domain, opset.version))
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


def _in_unit(model: "ModelProto", quantity: Quantity) -> None:
    """Put behind a model of shares what makes answers of them: within 0 and 1, times the width of
    the range, from its lower limit on.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    share = graph.output[0].name
    numbers = {"least": 0.0, "most": 1.0, "spread": quantity.spread, "low": quantity.low}
    graph.initializer.extend(
        helper.make_tensor(f"quantity_{name}", TensorProto.FLOAT, [], [value])
        for name, value in numbers.items()
    )
    graph.node.extend(
        [
            helper.make_node("Clip", [share, "quantity_least", "quantity_most"], ["within"]),
            helper.make_node("Mul", ["within", "quantity_spread"], ["above_low"]),
            helper.make_node("Add", ["above_low", "quantity_low"], [QUANTITY]),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(QUANTITY, TensorProto.FLOAT, [None, 1]))


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


def scores_of(model: bytes, features: np.ndarray, quantity: Quantity | None = None) -> np.ndarray:
    """The scores that an ONNX model gives these rows, a piece at a time; float64, shape (rows,),
    or (rows, classes) where there are several. Of a number they are the answers.
    """
    session = open_session(model)
    output = QUANTITY if quantity else PROBABILITIES
    starts = range(0, len(features), _PIECE)
    scores = [score_matrix(session, features[start : start + _PIECE], output) for start in starts]
    return np.concatenate(scores)


def _scores(estimator: "Estimator", features: np.ndarray, quantity: Quantity | None) -> np.ndarray:
    """The scores that a fitted estimator gives rows, as `score_matrix` has them."""
    if quantity:
        shares = np.asarray(estimator.predict(features), dtype=np.float64)
        return quantity.low + quantity.spread * np.clip(shares, 0.0, 1.0)
    probabilities = estimator.predict_proba(features)
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def check_agreement(
    estimator: "Estimator",
    model: bytes,
    features: np.ndarray,
    quantity: Quantity | None = None,
) -> float:
    """The largest difference between the scores of both, on features of shape (rows, columns).

    A piece at a time, because scikit-learn makes a copy in double precision, and one-hot bins are
    many times as wide. Raises SluiceError beyond TOLERANCE, or of a number beyond its own.
    """
    starts = range(0, len(features), _PIECE)
    expected = [_scores(estimator, features[start : start + _PIECE], quantity) for start in starts]
    found = scores_of(model, features, quantity)
    worst = float(np.abs(found - np.concatenate(expected)).max())
    allowed = quantity.tolerance if quantity else TOLERANCE
    if not worst <= allowed:
        raise SluiceError(
            f"the ONNX model and the trained model differ by {worst:.2g} in a score (at most"
            f" {allowed:g} is allowed)",
            "The conversion is at fault, not the data: please report it with the versions in"
            " uv.lock.",
        )
    return worst
