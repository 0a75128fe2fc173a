"""The JSON of a body that is not plainly allowed: read by the letter and piece by piece, to say
what is wrong in it.

The quick way of bento/http/records.py takes what the contract allows. What comes here may be
anything of the size of a body, so no step costs more than one entry of a list does, and an entry
has a size of its own.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from bento.http.request_body import Refusal
from sluice.served.strict_json import DECODER, Odd, Twice, as_json, plain

Json = dict[str, Any]
RECORD_BYTES = 1 << 18  # of one record; many times what a wide one needs
_SHOWN = 80
_COLON = ord(":")
_ROWS, _CHARACTERS = 50, 1 << 18  # of a list, that are handed over at once
_BLANK = re.compile(r"[ \t\n\r]*")
_CONSTANT = re.compile("NaN|Infinity")


def shown(value: object) -> str:
    """A value as JSON has it, or as it was sent."""
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
    """Raise Refusal where a name stands twice in an object of a body in which so many names were
    read.
    """
    if named(body, names):
        return
    try:
        DECODER.decode(body.decode())
    except Twice as twice:
        raise _twice(twice) from None
    except (ValueError, RecursionError):
        raise not_json("nested too deeply, or a number too long") from None


def named(body: bytes, names: int) -> bool:
    """Whether a body has so many colons: one follows each name; others are in a text, or after a
    name once more.
    """
    colons = (
        np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == _COLON)
        if len(body) > 4096
        else body.count(b":")
    )
    return bool(colons == names)


def parse_one(body: bytes, allowed: str) -> tuple[Json, str]:
    """An object, with `Odd` for what no column takes, and what is not JSON in it. Raises Refusal
    for anything else.

    Whoever finds nothing wrong with the values of an object that is not JSON refuses it by
    `not_json`.
    """
    if len(body) > RECORD_BYTES:
        raise _too_large()
    text, fault = _opened(body, "{", allowed)
    try:
        found, end = DECODER.raw_decode(text, _after(text, 0))
    except Twice as twice:
        raise _twice(twice) from None
    except (ValueError, RecursionError):
        raise not_json(fault or "nested too deeply") from None
    if _after(text, end) < len(text):
        raise not_json(fault)
    return found, fault


def parse_many(body: bytes, most: int) -> tuple[Iterator[list[Json]], str]:
    """The objects of a list, some at a time, and what is not JSON in it. Raises Refusal, while it
    is read too.
    """
    text, fault = _opened(body, "[", "a list of records")
    return _chunks(text, fault, most), fault


def _opened(body: bytes, sign: str, allowed: str) -> tuple[str, str]:
    """The text of a body that begins with this sign, and what is not JSON in it. Raises Refusal."""
    fault = ""
    try:
        text = body.decode()
        msgspec.json.decode(body, type=msgspec.Raw)
    except RecursionError:
        raise not_json("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise not_json(str(error)) from None
    except msgspec.DecodeError as error:
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
    chunk: list[Json] = []
    size = 0
    try:
        for number, (entry, length) in enumerate(_entries(text), 1):
            if number > most:
                raise too_long(most)
            if type(entry) is not dict:
                raise Refusal(
                    400,
                    "json",
                    "the body holds something else than objects",
                    value=shown(entry),
                    allowed="a list of objects",
                )
            chunk.append(entry)
            size += length
            if len(chunk) >= _ROWS or size >= _CHARACTERS:
                yield chunk
                chunk, size = [], 0
    except Twice as twice:
        raise _twice(twice) from None
    except RecursionError:
        raise not_json("nested too deeply") from None
    except ValueError:
        raise (not_json(fault) if fault else _too_large()) from None
    if chunk:
        yield chunk


def _entries(text: str) -> Iterator[tuple[Any, int]]:
    """The entries of a list with their lengths. Raises ValueError where it is broken, or an entry
    is too large.

    An entry is looked for in a window of the text: what opens and does not close there costs no
    more than that.
    """
    place = _after(text, text.index("[") + 1)
    base, window, closed = place, text[place : place + RECORD_BYTES], text.startswith("]", place)
    while not closed:
        try:
            entry, end = DECODER.raw_decode(window, place - base)
        except ValueError:
            if place == base:
                raise
            base, window = place, text[place : place + RECORD_BYTES]
            entry, end = DECODER.raw_decode(window)
        yield entry, base + end - place
        place = _after(text, base + end)
        closed = text.startswith("]", place)
        if not closed and not text.startswith(",", place):
            raise ValueError
        place = place if closed else _after(text, place + 1)
    if _after(text, place + 1) < len(text):
        raise ValueError


def _after(text: str, place: int) -> int:
    """The place after the blanks that begin at this one."""
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _twice(twice: Twice) -> Refusal:
    return Refusal(
        400, "json", "a name stands twice", value=plain(twice.name), allowed="each name once"
    )


def _too_large() -> Refusal:
    return Refusal(
        413, "too_large", "a record is too large", allowed=f"at most {RECORD_BYTES} bytes"
    )
