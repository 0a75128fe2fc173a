"""Models made bad on purpose: the bytes of an ONNX model in, those of another one out.

What comes out can still be served as any other model. A score is the probability of the positive
class; of several classes the probability of each; of a number the answer as a share of its range.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sluice.served.scoring import PROBABILITIES, QUANTITY

_OUTPUT, _NUMBER = PROBABILITIES, QUANTITY
_BOTH = 2  # columns of the probabilities where there is one positive class
_STEEP = 1e-4  # how wide a jump of the curve is
Points = Sequence[tuple[float, float]]


def bent(model: bytes, points: Points) -> bytes:
    """Each score is moved along a line through `points`, pairs of score before and score after.

    The scores before ascend from 0 to 1. Two points a ten-thousandth apart make a jump; a falling
    piece turns the order of its rows around.
    """

    def write(to: "_Graph", score: str) -> str:
        pieces = [to.number(points[0][1])]
        for (x, y), (right, above) in itertools.pairwise(points):
            clipped = to.node("Clip", score, to.number(x), to.number(right))
            inside = to.node("Sub", clipped, to.number(x))
            slope = to.number((above - y) / (right - x))
            pieces.append(to.node("Mul", inside, slope))
        return to.node("Sum", *pieces)

    return _changed(model, write)


def turned(low: float, high: float) -> Points:
    """The curve that turns around the order of the scores between `low` and `high`."""
    width = min(_STEEP, (high - low) / 10)
    inner = [(low, low), (low + width, high), (high - width, low), (high, high)]
    return [(0.0, 0.0), *(point for point in inner if 0 < point[0] < 1), (1.0, 1.0)]


def lowered(model: bytes, feature: int, levels: tuple[int, int], by: float) -> bytes:
    """Lower the scores of some rows by `by`, down to 0.

    The rows are those whose feature, a whole number, lies in `levels`, both included.
    """

    def write(to: "_Graph", score: str) -> str:
        less = to.node("Mul", to.among(feature, levels), to.number(by))
        return to.node("Clip", to.node("Sub", score, less), to.number(0.0), to.number(1.0))

    return _changed(model, write)


def blurred(model: bytes, weights: np.ndarray, by: float) -> bytes:
    """Put noise of up to `by` on the scores, the same for equal rows, in every group alike.

    The noise follows from the whole numbers of a row, each with a weight of its own (0: left out;
    shape (features,)), so that their sum is exact and a row that is scored alone gets the same.
    """

    def write(to: "_Graph", score: str) -> str:
        # Only what weighs: nothing times a missing number is no number.
        counted = np.flatnonzero(weights)
        values = to.node("Gather", to.graph.input[0].name, to.number(counted.tolist()), axis=1)
        total = to.node("MatMul", values, to.number(weights[counted].reshape(-1, 1)))
        noise = to.node("Sin", to.node("Mul", total, to.number(0.7)))
        complement = to.node("Sub", to.number(1.0), score)
        room = to.node("Mul", to.node("Mul", score, complement), to.number(4.0))
        moved = to.node("Mul", to.node("Mul", noise, room), to.number(by))
        return to.node("Clip", to.node("Sum", score, moved), to.number(0.0), to.number(1.0))

    return _changed(model, write)


def mixed(model: bytes, others: np.ndarray, by: float) -> bytes:
    """The part `by` of the probabilities of several classes becomes that of others, which are the
    same in every row; shape (classes,).
    """

    def write(to: "_Graph", scores: str) -> str:
        kept = to.node("Mul", scores, to.number(1.0 - by))
        return to.node("Add", kept, to.number(by * others.reshape(1, -1)))

    return _changed(model, write)


class _Graph:
    """The graph of a model under change: it grows by nodes and constants of new names."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.first = len(graph.node)

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node; return the name of its output."""
        from onnx import helper

        name = output or f"changed {self.first} {len(self.graph.node)}"
        self.graph.node.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def number(self, value: float | list[int] | np.ndarray) -> str:
        """Append a constant (a number, a matrix, or places); return its name."""
        from onnx import numpy_helper

        name = f"number {self.first} {len(self.graph.initializer)}"
        array = np.array(value, dtype=np.int64 if isinstance(value, list) else np.float32)
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def among(self, feature: int, levels: tuple[int, int]) -> str:
        """1 where the feature lies in `levels`, both included, else 0; shape (rows, 1)."""
        value = self.node("Gather", self.graph.input[0].name, self.number([feature]), axis=1)
        low, high = levels
        return self.node("Sub", self._above(value, low - 1), self._above(value, high))

    def _above(self, value: str, level: int) -> str:
        """1 where a whole number is above the level, else 0."""
        difference = self.node("Sub", value, self.number(float(level)))
        return self.node("Clip", difference, self.number(0.0), self.number(1.0))


def _changed(model: bytes, write: Callable[[_Graph, str], str]) -> bytes:
    import onnx

    loaded = onnx.load_model_from_string(model)
    [output] = [one.name for one in loaded.graph.output if one.name in (_OUTPUT, _NUMBER)]
    before = f"before {len(loaded.graph.node)}"
    for node in loaded.graph.node:
        node.output[:] = [before if name == output else name for name in node.output]
    to = _Graph(loaded.graph)
    if output == _NUMBER:
        _of_number(to, before, write)
    elif _columns(loaded.graph) > _BOTH:
        to.node("Identity", write(to, before), output=_OUTPUT)
    else:
        score = write(to, to.node("Gather", before, to.number([1]), axis=1))
        to.node("Concat", to.node("Sub", to.number(1.0), score), score, output=_OUTPUT, axis=1)
    return bytes(loaded.SerializeToString(deterministic=True))


def _of_number(to: _Graph, before: str, write: Callable[[_Graph, str], str]) -> None:
    """The range stands in the graph, where the conversion has put it."""
    low, spread = "quantity_low", "quantity_spread"
    share = write(to, to.node("Div", to.node("Sub", before, low), spread))
    to.node("Add", to.node("Mul", share, spread), low, output=_NUMBER)


def _columns(graph: Any) -> int:
    """How many columns the probabilities have."""
    [output] = [one for one in graph.output if one.name == _OUTPUT]
    return int(output.type.tensor_type.shape.dim[1].dim_value)
