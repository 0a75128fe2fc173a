"""Models that are arithmetic to the look into their bytes, and take too much where they are run."""

import itertools

import numpy as np
import onnx
from onnx import TensorProto, helper

from sluice.served.contract import load_contract
from sluice.served.encoding import feature_names
from support.model_artifacts import MODEL

WIDTH = len(feature_names(load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))))


def floats(name: str, *sizes: int) -> TensorProto:
    data = bytes(4 * int(np.prod(sizes)))
    return helper.make_tensor(name, TensorProto.FLOAT, sizes, data, raw=True)


def model(
    *nodes: onnx.NodeProto,
    parts: tuple[TensorProto, ...] = (),
    width: int | None = WIDTH,
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of these nodes, from `features` to `probabilities`, and its tensors."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("probabilities", kind, None)],
        initializer=list(parts),
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def node(
    operator: str, inputs: str, output: str = "probabilities", **more: object
) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], **more)


def columns(*numbers: int) -> TensorProto:
    return helper.make_tensor("columns", TensorProto.INT64, [len(numbers)], list(numbers))


def multiplied(times: int) -> onnx.ModelProto:
    """A large matrix, which is made of small ones and multiplied with itself again and again."""
    names = ["w", *(f"n{number}" for number in range(times))]
    chain = [node("MatMul", f"{old} w", new) for old, new in itertools.pairwise(names)]
    return model(
        node("MatMul", "high wide", "w"),
        *chain,
        node("Gather", f"{names[-1]} columns", "probabilities", axis=1),
        parts=(floats("high", 1500, 1), floats("wide", 1, 1500), columns(0, 1)),
    )


def outer(size: int, operator: str = "MatMul") -> onnx.ModelProto:
    """Two lists of which each number of the one meets each of the other."""
    return model(
        node(operator, "high wide", "w"),
        node("Gather", "w columns", axis=1),
        parts=(floats("high", size, 1), floats("wide", 1, size), columns(0, 1)),
    )


def for_each_row(size: int) -> onnx.ModelProto:
    """Nothing large is in it: it grows where a row is scored."""
    return model(
        node("Gather", "features columns", "one", axis=1),
        node("MatMul", "one wide", "w"),
        node("Reshape", "w high_shape", "high"),
        node("MatMul", "high w"),
        parts=(
            floats("wide", 1, size),
            columns(0),
            helper.make_tensor("high_shape", TensorProto.INT64, [2], [-1, 1]),
        ),
    )


def doubled(times: int) -> onnx.ModelProto:
    """A tensor whose sizes come from a small list of numbers: each step makes two of one."""
    names = ["features", *(f"n{number}" for number in range(times))]
    chain = [
        node("Gather", f"{old} columns", new, axis=1) for old, new in itertools.pairwise(names)
    ]
    twice = columns(*([0] * 30_000))
    return model(*chain, node("Sum", f"{names[-1]} high"), parts=(twice, floats("high", 30_000, 1)))
