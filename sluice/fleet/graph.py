"""The graph of a fleet: one ONNX model that looks the weights of a row up by its key.

It takes and gives what the graph of every other model does, so service, smoke run and monitor know
nothing of fleets. It computes in double precision: a row is scored alike alone and among others.
"""

from dataclasses import dataclass

import numpy as np

from sluice.errors import Refused

_OPSETS = {"": 17, "ai.onnx.ml": 3}
_IR = 8
_WEIGHTS, _INTERCEPTS = "weights", "intercepts"


@dataclass(frozen=True)
class Weights:
    """What the models of a fleet learnt, in the order of the values of the key column: `weights`
    has the shape (models, columns of the matrix), `intercepts` (models,).
    """

    weights: np.ndarray
    intercepts: np.ndarray


def graph_of(fleet: Weights, key: int, *, missing: bool) -> bytes:
    """The bytes of the ONNX model; `key` is the column of the matrix with the place of the key, and
    `missing` says that numbers may be missing. Equal weights give equal bytes.
    """
    from onnx import TensorProto, helper, numpy_helper

    columns = fleet.weights.shape[1]
    weights = fleet.weights.astype(np.float64).copy()
    weights[:, key] = 0.0  # the place of a key is no quantity
    constants = {
        _WEIGHTS: weights,
        _INTERCEPTS: fleet.intercepts.astype(np.float64).reshape(-1, 1),
        "key": np.array(key, dtype=np.int64),
        "ones": np.ones((columns, 1)),
        "one": np.ones((1, 1)),
    }
    known = "known" if missing else "features"
    nodes = [
        helper.make_node("Gather", ["features", "key"], ["places"], axis=1),
        helper.make_node("Cast", ["places"], ["models"], to=TensorProto.INT64),
        helper.make_node("Gather", [_WEIGHTS, "models"], ["own_weights"], axis=0),
        helper.make_node("Gather", [_INTERCEPTS, "models"], ["own_intercepts"], axis=0),
        helper.make_node("Cast", [known], ["exact"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["exact", "own_weights"], ["weighed"]),
        helper.make_node("MatMul", ["weighed", "ones"], ["sums"]),
        helper.make_node("Add", ["sums", "own_intercepts"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["positive"]),
        helper.make_node("Sub", ["one", "positive"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["both"], axis=1),
        helper.make_node("Cast", ["both"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    if missing:
        filled = helper.make_node(
            "Imputer",
            ["features"],
            ["known"],
            domain="ai.onnx.ml",
            imputed_value_floats=[0.0] * columns,
            replaced_value_float=float("nan"),
        )
        nodes.insert(0, filled)
    graph = helper.make_graph(
        nodes,
        "fleet",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="sluice")
    return bytes(model.SerializeToString(deterministic=True))


def weights_of(model: bytes) -> Weights:
    """The weights in the graph of a fleet. Raises Refused for another model."""
    from google.protobuf.message import DecodeError
    from onnx import load_from_string, numpy_helper

    try:
        found = {one.name: one for one in load_from_string(model).graph.initializer}
        weights = numpy_helper.to_array(found[_WEIGHTS])
        intercepts = numpy_helper.to_array(found[_INTERCEPTS])[:, 0]
    except (KeyError, IndexError, DecodeError):
        raise Refused(
            "the champion's graph is none of a fleet",
            "Release the fleet as a model of its own: a folder below models/.",
        ) from None
    return Weights(weights, intercepts)
