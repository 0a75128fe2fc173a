"""The check of an ONNX model's bytes before anything runs it.

Only arithmetic over data in the file itself passes: no tensor in another file, no operator of a
foreign domain, no functions, no training parts. Written against the wire format of protocol
buffers, because the service does not carry the onnx package.
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
_DEEPEST = 20  # messages within messages
_VARINT_BITS = 70  # of ten bytes with seven bits each, the longest that protocol buffers have


def check(model: bytes) -> None:
    """Raise Refused unless the model is arithmetic over its own data."""
    try:
        _check("model", memoryview(model), 0)
    except (IndexError, ValueError) as error:
        raise Refused(
            f"the model is not an ONNX file ({error})", "Build the model artifact anew."
        ) from None


def _check(message: str, data: memoryview, depth: int) -> None:
    """Check a message and those within it. Raise as `check` does, and as `_fields` does."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    for field, value in _fields(data):
        fault = _REFUSED.get((message, field))
        if fault and not _is_default(message, value):
            raise Refused(f"the model {fault}", "Only models that stand alone are loaded.")
        if isinstance(value, int):
            continue
        if _DOMAIN_FIELD.get(message) == field:
            _check_domain(value)
        inner = _NESTED.get(message, {}).get(field)
        if inner:
            _check(inner, value, depth + 1)


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
