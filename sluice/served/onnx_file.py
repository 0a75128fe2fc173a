"""A look into the bytes of an ONNX model before anything runs it.

Only arithmetic over data that lies in the file itself is let through: no tensor kept in another
file, no operator of a foreign domain, no functions, no training parts. Written against the wire
format of protocol buffers, because what serves a model does not carry the onnx package.
"""

from collections.abc import Iterator

from sluice.errors import Refused

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")

# Message -> field number -> the message it holds
# (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_DOMAIN_FIELD = {"node": 7, "opset": 1}
_REFUSED = {
    ("tensor", 13): "keeps tensor data in another file",
    ("tensor", 14): "keeps tensor data in another file",
    ("model", 20): "carries training parts",
    ("model", 25): "defines functions of its own",
    ("node", 8): "calls an overloaded function",
}
_DEEPEST = 20


def check(model: bytes) -> None:
    """Raise Refused unless the model is arithmetic over its own data."""
    try:
        _check("model", memoryview(model), 0)
    except (IndexError, ValueError) as error:
        raise Refused(
            f"the model is not an ONNX file ({error})", "Build the model artifact anew."
        ) from None


def _check(message: str, data: memoryview, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    for field, value in _fields(data):
        why = _REFUSED.get((message, field))
        # Said, and nothing meant by it.
        unset = value == 0 if isinstance(value, int) else message == "node" and not len(value)
        if why and not unset:
            raise Refused(f"the model {why}", "Only models that stand alone are loaded.")
        if isinstance(value, int):
            continue
        if _DOMAIN_FIELD.get(message) == field and bytes(value).decode() not in DOMAINS:
            domain = bytes(value).decode(errors="replace")[:60]
            raise Refused(
                f"the model uses operators of {domain!r}",
                f"Allowed are those of {', '.join(DOMAINS[1:])}.",
            )
        inner = _NESTED.get(message, {}).get(field)
        if inner:
            _check(inner, value, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        # a parser that keeps 32 bits would read another field here than is looked at
        if tag >= 1 << 32:
            raise ValueError("a field number is too long")
        field, wire = tag >> 3, tag & 7
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
    number = shift = 0
    while shift < 70:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
    raise ValueError("a number does not end")
