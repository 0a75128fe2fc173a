"""Bodies of requests: what does not say that it is JSON, is not in time, or not of a sane size is
refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_SHOWN = 80


class Refusal(Exception):
    """A request that is not served: its status, a short name of the kind, the sentence, and what
    goes with it.
    """

    def __init__(self, status: int, kind: str, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status, self.kind = status, kind
        self.said = {"error": error, **more}


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
    """The body, which says that it is JSON. Raises Refusal: 408 too slow, 413 too large, 415
    another kind.
    """
    require_json(call.headers)
    length = call.headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 18 or int(length) > most:
        raise too_large(most)
    return await read(call.receive, most, seconds)


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal for every other content type or encoding: above all those that are code when
    they are opened.
    """
    given = headers.get(b"content-type", b"")
    if given != b"application/json":
        kind, _, parameters = given.decode("latin-1").lower().partition(";")
        named = parameters.strip().replace('"', "")
        if kind.strip() != "application/json" or named not in ("", "charset=utf-8"):
            raise Refusal(
                415,
                "content_type",
                "only application/json is read",
                value=given.decode("latin-1")[:_SHOWN],
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


def too_large(most: int) -> Refusal:
    """The refusal of a body with more than `most` bytes."""
    return Refusal(413, "too_large", "the body is too large", allowed=f"at most {most} bytes")


async def read(receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body, at most so many bytes within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                if len(message.get("body", b"")) > most:
                    raise too_large(most)
                return bytes(message.get("body", b""))
            parts, size = [], 0
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
