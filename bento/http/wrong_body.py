"""The JSON of a body that is not plainly allowed, read strictly and piece by piece.

The quick way of bento/http/records.py takes what the contract allows. What comes here may be
anything of the size of a body, so no step costs more than one entry of a list does, and the size of
an entry is limited.
"""

import re
from collections.abc import Iterator

import msgspec
import numpy as np

from bento.http.json_door import UNREADABLE, as_text
from bento.http.request_body import Refusal
from sluice.served.strict_json import DECODER, Odd, Twice, as_json, plain

Json = dict[str, object]
RECORD_BYTES = 1 << 18  # of one record; many times what a wide one needs
_SHOWN = 80  # characters of a value that an answer quotes
_COLON = ord(":")
# A chunk of a list ends at so many records, or at so many characters of them.
_CHUNK_ROWS = 50
_CHUNK_CHARACTERS = 1 << 18
_LARGE = 4096  # bytes from which on numpy counts quicker than Python, its start included
_BLANK = re.compile(r"[ \t\n\r]*")
_CONSTANT = re.compile("NaN|Infinity")


def shown(value: object) -> str:
    """The beginning of a value as JSON writes it, or as it was sent where no column takes it."""
    return plain(value.text) if isinstance(value, Odd) else as_json(value)


def not_json(fault: str) -> Refusal:
    """The refusal of a body with this fault."""
    return Refusal(400, "json", f"the body is not JSON: {fault[:_SHOWN]}")


def too_long(most: int) -> Refusal:
    """The refusal of a list with more than `most` records."""
    return Refusal(
        400,
        "too_large",
        "the list is too long",
        value=f"more than {most} records",
        allowed=f"at most {most}",
    )


def names_once(body: bytes, names: int) -> None:
    """Raise Refusal where an object of this body has a name twice; `names` were read from it."""
    if named(body, names):
        return
    try:
        DECODER.decode(body.decode())
    except Twice as twice:
        raise _twice(twice) from None
    except UNREADABLE:
        raise not_json("nested too deeply, or a number too long") from None


def named(body: bytes, names: int) -> bool:
    """Whether a body has as many colons as names were read from it.

    A colon follows each name. More of them are in a text, or follow a name that is there twice.
    """
    if len(body) > _LARGE:
        return bool(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == _COLON) == names)
    return body.count(b":") == names


def parse_one(body: bytes, allowed: str) -> tuple[Json, str]:
    """The object of a body, and what in it is not JSON, empty for nothing.

    Values that no column takes, like NaN, are `Odd`: the caller names them, and refuses the body by
    `not_json` where it finds nothing to name. Raise Refusal for anything but an object.
    """
    if len(body) > RECORD_BYTES:
        raise _too_large()
    text, fault = _opened(body, "{", allowed)
    try:
        value, end = DECODER.raw_decode(text, _after(text, 0))
    except Twice as twice:
        raise _twice(twice) from None
    except UNREADABLE:
        raise not_json(fault or "nested too deeply") from None
    if _after(text, end) < len(text):
        raise not_json(fault)
    return value, fault


def parse_many(body: bytes, most: int) -> tuple[Iterator[list[Json]], str]:
    """The objects of a list, in chunks, and what in the body is not JSON, as `parse_one` has it.

    Raise Refusal, also while the chunks are read.
    """
    text, fault = _opened(body, "[", "a list of records")
    return _chunks(text, fault, most), fault


def _opened(body: bytes, sign: str, allowed: str) -> tuple[str, str]:
    """The text of a body that begins with this sign, and what in it is not JSON. Raise Refusal."""
    text, unreadable = as_text(body)
    if unreadable:
        raise not_json(unreadable)
    fault = ""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except RecursionError:
        raise not_json("nested too deeply") from None
    except ValueError as error:
        fault = str(error)
    start = _after(text, 0)
    if fault and not (_CONSTANT.search(text) and text.startswith(sign, start)):
        raise not_json(fault)
    if not text.startswith(sign, start):
        raise Refusal(
            400,
            "json",
            f"the body is not {allowed}",
            value=plain(text[start : start + _SHOWN]),
            allowed=allowed,
        )
    return text, fault


def _chunks(text: str, fault: str, most: int) -> Iterator[list[Json]]:
    """The objects of a list in chunks. Raise Refusal where it is too long or broken."""
    chunk: list[Json] = []
    size = 0
    try:
        for number, (entry, length) in enumerate(_entries(text), 1):
            if number > most:
                raise too_long(most)
            chunk.append(_object(entry))
            size += length
            if len(chunk) >= _CHUNK_ROWS or size >= _CHUNK_CHARACTERS:
                yield chunk
                chunk = []
                size = 0
    except Twice as twice:
        raise _twice(twice) from None
    except RecursionError:
        raise not_json("nested too deeply") from None
    except ValueError:
        if fault:
            raise not_json(fault) from None
        raise _too_large() from None
    if chunk:
        yield chunk


def _object(entry: object) -> Json:
    """The entry itself, if it is an object. Raise Refusal."""
    if isinstance(entry, dict):
        return entry
    raise Refusal(
        400,
        "json",
        "the body holds something else than objects",
        value=shown(entry),
        allowed="a list of objects",
    )


def _entries(text: str) -> Iterator[tuple[object, int]]:
    """The entries of a list with their lengths in characters.

    An entry is parsed in a window of the text: one that opens and does not close costs no more than
    the window. Raise ValueError where the list is broken, or an entry longer than the window.
    """
    place = _after(text, text.index("[") + 1)
    base = place  # where in the text the window begins
    window = text[base : base + RECORD_BYTES]
    closed = text.startswith("]", place)
    while not closed:
        try:
            entry, end = DECODER.raw_decode(window, place - base)
        except ValueError:
            if place == base:
                raise
            # It may be cut off by the end of the window: try again with one that begins here.
            base = place
            window = text[base : base + RECORD_BYTES]
            entry, end = DECODER.raw_decode(window)
        yield entry, base + end - place
        place = _after(text, base + end)
        closed = text.startswith("]", place)
        if not closed:
            if not text.startswith(",", place):
                raise ValueError("neither a comma nor the end of the list")
            place = _after(text, place + 1)
    if _after(text, place + 1) < len(text):
        raise ValueError("text after the list")


def _after(text: str, place: int) -> int:
    """The place of the first character from this one on that is not blank."""
    blank = _BLANK.match(text, place)
    return blank.end() if blank else place


def _twice(twice: Twice) -> Refusal:
    return Refusal(
        400, "json", "a name stands twice", value=plain(twice.name), allowed="each name once"
    )


def _too_large() -> Refusal:
    return Refusal(
        413, "too_large", "a record is too large", allowed=f"at most {RECORD_BYTES} bytes"
    )
