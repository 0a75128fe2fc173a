"""The one door through which bytes of a client become JSON values.

A parser has many ways to fail: on what is not JSON, on bytes that are not UTF-8, on a number too
long, on what is nested too deeply. Whoever listed them by name forgot one, and a client got a 500.
"""

from typing import Protocol, TypeVar

_Value = TypeVar("_Value", covariant=True)

# What parsing foreign bytes raises. Every error of msgspec, `json` and UTF-8 is a ValueError.
UNREADABLE = (ValueError, RecursionError)


class Decoder(Protocol[_Value]):
    """What makes values of one kind from bytes; a decoder of msgspec is one."""

    def decode(self, buf: bytes, /) -> _Value:
        """The value that these bytes stand for."""
        ...


def decoded(decoder: Decoder[_Value], body: bytes) -> _Value | None:
    """What the decoder makes of a body; None where it makes nothing of it, for whatever cause."""
    try:
        return decoder.decode(body)
    except UNREADABLE:
        return None


def as_text(body: bytes) -> tuple[str, str]:
    """The text of a body and an empty fault; or no text, and the first byte that is not UTF-8."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError as error:
        byte = body[error.start]
        return "", f"byte 0x{byte:02x} at offset {error.start} is not UTF-8"
