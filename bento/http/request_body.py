"""Bodies of requests: only JSON, in time, and of a limited size."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

# A message of ASGI: its values are of the types that its specification names for each key.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_SHOWN = 80  # characters of a header that an answer quotes
# What clients call UTF-8 or a part of it; empty where none is named.
_UTF8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
_BOM = b"\xef\xbb\xbf"  # a mark that editors and .NET write before UTF-8
_LENGTH_DIGITS = 18  # of a content length; Python refuses to parse digits without end


class Refusal(Exception):
    """A request that is not served.

    Holds the status, a short name of the kind for the metrics, and the body of the reply: the
    sentence `error` with `more` beside it.
    """

    def __init__(self, status: int, kind: str, error: str, **more: object) -> None:
        super().__init__(error)
        self.status = status
        self.kind = kind
        self.body: dict[str, object] = {"error": error, **more}


class Gone(Exception):
    """The client went away before its body was here."""


@dataclass(frozen=True)
class Call:
    """A request: its headers in lower case, the query, and the id that its log lines carry."""

    id: str
    headers: Mapping[bytes, bytes]
    query: bytes
    receive: Receive = field(repr=False)


async def read_body(call: Call, most: int, seconds: float) -> bytes:
    """The body of a request: JSON, at most `most` bytes, within `seconds`.

    A byte order mark before it is left out.

    Raise Refusal (408 too slow, 413 too large, 415 not JSON), and Gone where the client left.
    """
    require_json(call.headers)
    length = call.headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > _LENGTH_DIGITS or int(length) > most:
        raise too_large(most)
    return (await read(call.receive, most, seconds)).removeprefix(_BOM)


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal for any other content type or encoding, above all for pickles."""
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _is_json(content_type.decode("latin-1")):
        raise Refusal(
            415,
            "content_type",
            "only application/json in UTF-8 is read",
            value=content_type.decode("latin-1")[:_SHOWN],
            allowed="application/json",
        )
    coding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if coding != "identity":
        raise Refusal(
            415,
            "content_type",
            "a packed body is not read",
            value=coding[:_SHOWN],
            allowed="identity",
        )


def _is_json(content_type: str) -> bool:
    """Whether it is JSON in UTF-8, in any spelling of the header."""
    kind, *parameters = content_type.lower().split(";")
    charsets = [_charset(parameter) for parameter in parameters]
    return kind.strip() == "application/json" and all(name in _UTF8 for name in charsets)


def _charset(parameter: str) -> str:
    """The charset that a parameter of a content type names; empty where it is another one."""
    name, _, value = parameter.partition("=")
    return value.strip(' \t"') if name.strip() == "charset" else ""


def too_large(most: int) -> Refusal:
    """The refusal of a body with more than `most` bytes."""
    return Refusal(413, "too_large", "the body is too large", allowed=f"at most {most} bytes")


async def read(receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body. Raise Refusal and Gone as `read_body` does."""
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                if len(message.get("body", b"")) > most:
                    raise too_large(most)
                return bytes(message.get("body", b""))
            parts: list[bytes] = []
            size = 0
            while message["type"] == "http.request":
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise too_large(most)
                if not message.get("more_body"):
                    return b"".join(parts)
                message = await receive()
    except TimeoutError:
        raise Refusal(408, "too_slow", f"the body was not here after {seconds:g} seconds") from None
    raise Gone
