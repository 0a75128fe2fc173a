"""The check of an ONNX model's bytes before anything runs it.

Only arithmetic over data in the file itself passes: no tensor in another file, no operator but
those that our own conversion and drills write, no graph within a graph (so no loop), no functions,
no training parts, and no field that is not known here. A tensor is no larger than its bytes, no
operator makes one from a number, and what is joined again and again is counted.
Written against the wire format of protocol buffers, because the service does not carry the onnx
package.
"""

import math
from collections.abc import Iterator, Mapping

from sluice.errors import Refused

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
# What skl2onnx makes of the families of sluice/model/fit/training.py, by domain.
_CONVERTED = "Add ArgMax Cast Concat Gather Identity Less Mul Reshape"
_CONVERTED_ML = (
    "ArrayFeatureExtractor LinearClassifier Normalizer OneHotEncoder TreeEnsembleClassifier"
)
# What it makes of the same families where the target is a number, and what
# sluice/model/fit/conversion.py puts behind them to keep answers in their range.
_OF_NUMBERS = "Clip"
_OF_NUMBERS_ML = "LinearRegressor TreeEnsembleRegressor"
# What it makes of look-ups and missing numbers (sluice/model/fit/coding.py).
_CODED = "Imputer LabelEncoder"
# What a fleet has besides (sluice/fleet/graph.py).
_FLEET = "Sigmoid"
# What the drills of the gate put behind such a model, to make faulty ones.
_DRILLED = "Div MatMul Sin Sub Sum"
OPERATORS = frozenset(
    [("", name) for name in f"{_CONVERTED} {_OF_NUMBERS} {_FLEET} {_DRILLED}".split()]
    + [("ai.onnx.ml", name) for name in f"{_CONVERTED_ML} {_OF_NUMBERS_ML} {_CODED}".split()]
)
LARGEST = 64 << 20  # bytes of a file; the largest of our own have some megabytes
MOST_NODES = 20_000  # one feature needs about ten
MOST_NUMBERS = 50_000_000  # that a node may join for one row, counted from above

# Message -> field number -> the message it holds
# (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# Message -> the other fields that may be there: names, texts, types, numbers.
_PLAIN: dict[str, frozenset[int]] = {
    "model": frozenset({1, 2, 3, 4, 5, 6, 14}),
    "graph": frozenset({2, 10, 11, 12, 13}),
    "node": frozenset({1, 2, 3, 4, 6, 7, 8}),
    "attribute": frozenset({1, 2, 3, 4, 7, 8, 9, 13, 20}),
    "tensor": frozenset({1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14}),
    "opset": frozenset({1, 2}),
    "sparse": frozenset({3}),
}
# Fields of a node, and those of a graph that hold nodes and tensors.
_INPUT, _OUTPUT, _OPERATOR, _DOMAIN = 1, 2, 4, 7
_NODE, _INITIALIZER = 1, 5
_DOMAIN_FIELD = {"node": 7, "opset": 1}
_REFUSED = {
    ("tensor", 13): "keeps tensor data in another file",
    ("tensor", 14): "keeps tensor data in another file",
    ("model", 20): "carries training parts",
    ("model", 25): "defines functions of its own",
    ("node", 8): "calls an overloaded function",
}
# What is refused whatever it holds, after a look into it, which may find something worse.
_NEVER = {
    ("graph", 15): "keeps a sparse tensor",
    ("attribute", 6): "runs a graph within its graph",
    ("attribute", 11): "runs a graph within its graph",
    ("attribute", 22): "keeps a sparse tensor",
    ("attribute", 23): "keeps a sparse tensor",
}
_ALONE = "Only models that stand alone are loaded."
_DEEPEST = 20  # messages within messages
_VARINT_BITS = 70  # of ten bytes with seven bits each, the longest that protocol buffers have


def check(model: bytes) -> None:
    """Raise Refused unless the model is arithmetic over its own data."""
    if not model:
        raise Refused("the model is an empty file", "Build the model artifact anew.")
    if len(model) > LARGEST:
        what = f"the model has {len(model):,} bytes; at most {LARGEST:,} are loaded"
        raise Refused(what, "Train a smaller model.")
    try:
        graphs = _check("model", memoryview(model), 0)
        _check_growth(graphs)
    except (IndexError, ValueError) as error:
        raise Refused(
            f"the model is not an ONNX file ({error})", "Build the model artifact anew."
        ) from None


def _check(message: str, data: memoryview, depth: int) -> list[memoryview]:
    """Check a message and those within it; return the graphs right below it.

    Raise as `check` does, and as `_fields` does.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    graphs: list[memoryview] = []
    for field, value in _fields(data):
        fault = _REFUSED.get((message, field))
        if fault and not _is_default(message, value):
            raise Refused(f"the model {fault}", _ALONE)
        inner = _NESTED.get(message, {}).get(field)
        if not inner and field not in _PLAIN[message]:
            raise ValueError(f"field {field} of a {message} is not known")
        if inner and isinstance(value, int):
            raise ValueError(f"field {field} of a {message} is a number")
        if isinstance(value, int):
            continue
        if _DOMAIN_FIELD.get(message) == field:
            _check_domain(value)
        if inner:
            _check(inner, value, depth + 1)
        if inner == "graph":
            graphs.append(value)
        never = _NEVER.get((message, field))
        if never:
            raise Refused(f"the model {never}", _ALONE)
    if message == "node":
        _check_operator(data)
    if message == "tensor":
        _check_size(data)
    return graphs


def _check_operator(node: memoryview) -> None:
    """Raise Refused for an operator that is none of ours."""
    texts = {field: value for field, value in _fields(node) if not isinstance(value, int)}
    name = bytes(texts.get(_OPERATOR, b"")).decode()
    domain = bytes(texts.get(_DOMAIN, b"")).decode()
    if domain == "ai.onnx":
        domain = ""  # another name of the same one
    if (domain, name) not in OPERATORS:
        raise Refused(
            f"the model uses the operator {name[:60]!r}", "Train it with `sluice release`."
        )


def _check_size(tensor: memoryview) -> None:
    """Raise ValueError where a tensor says that it is larger than the bytes that hold it."""
    # Of the narrowest numbers there are two in a byte.
    if math.prod(_sizes(tensor)) > 2 * len(tensor):
        raise ValueError("a tensor is larger than its data")


def _sizes(tensor: memoryview) -> list[int]:
    """The sizes of a tensor; a negative one is far too large, as it is written."""
    sizes: list[int] = []
    for field, value in _fields(tensor):
        if field == 1:
            sizes += [value] if isinstance(value, int) else _varints(value)
    return sizes


def _check_growth(graphs: list[memoryview]) -> None:
    """Raise where there is no node, there are too many, or they join the same again and again."""
    nodes: list[memoryview] = []
    numbers: dict[bytes, int] = {}  # how many there are at most in each tensor, for one row
    for graph in graphs:
        for field, value in _fields(graph):
            if field == _NODE and not isinstance(value, int):
                nodes.append(value)
            if field == _INITIALIZER and not isinstance(value, int):
                numbers |= _named_size(value)
    if not nodes:
        raise ValueError("it has no graph with a node")
    if len(nodes) > MOST_NODES:
        what = f"the model has {len(nodes):,} nodes; at most {MOST_NODES:,} are loaded"
        raise Refused(what, "Train a smaller model.")
    for node in nodes:
        numbers |= _outputs(node, numbers)


def _outputs(node: memoryview, numbers: Mapping[bytes, int]) -> dict[bytes, int]:
    """How many numbers each output of a node has at most: all of its inputs, side by side.

    An encoder makes as many of each as it has categories, which are in the bytes of its node.
    """
    total = 0
    outputs: list[bytes] = []
    encodes = False
    for field, value in _fields(node):
        if isinstance(value, int):
            continue
        if field == _INPUT:
            total += numbers.get(bytes(value), 1)
        if field == _OUTPUT:
            outputs.append(bytes(value))
        encodes |= field == _OPERATOR and bytes(value) == b"OneHotEncoder"
    if encodes:
        total *= len(node)
    if total > MOST_NUMBERS:
        raise Refused("the model joins the same data again and again", _ALONE)
    return dict.fromkeys(outputs, max(1, total))


def _named_size(tensor: memoryview) -> dict[bytes, int]:
    """The name of a tensor, and how many numbers it has."""
    names = [
        bytes(value)
        for field, value in _fields(tensor)
        if field == 8 and not isinstance(value, int)
    ]
    return dict.fromkeys(names, math.prod(_sizes(tensor)))


def _varints(data: memoryview) -> list[int]:
    """The numbers that are packed in a field."""
    numbers: list[int] = []
    place = 0
    while place < len(data):
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def _is_default(message: str, value: int | memoryview) -> bool:
    """Whether a field that is written has the value of one that is not: nothing is meant by it."""
    if isinstance(value, int):
        return value == 0
    return message == "node" and len(value) == 0


def _check_domain(value: memoryview) -> None:
    """Raise Refused for operators of another domain than those of ONNX itself."""
    if bytes(value).decode() not in DOMAINS:
        domain = bytes(value).decode(errors="replace")[:60]
        raise Refused(
            f"the model uses operators of {domain!r}",
            f"Allowed are those of {', '.join(DOMAINS[1:])}.",
        )


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and a whole number or bytes.

    Raise ValueError or IndexError where the bytes are no message.
    """
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        # A parser that keeps 32 bits would read another field here than is checked.
        if tag >= 1 << 32:
            raise ValueError("a field number is too long")
        field = tag >> 3
        wire = tag & 7  # how the value is written
        if wire == 0:
            number, place = _varint(data, place)
            yield field, number
            continue
        if wire == 2:
            size, place = _varint(data, place)
        else:
            size = {1: 8, 5: 4}.get(wire, -1)
        if size < 0 or place + size > len(data):
            raise ValueError(f"field {field} runs over the end")
        yield field, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    number = shift = 0
    while shift < _VARINT_BITS:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
    raise ValueError("a number does not end")
