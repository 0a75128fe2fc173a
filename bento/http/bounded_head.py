"""The server's side of a connection, with bounds for what comes before a body.

The parser of uvicorn joins the pieces of a header as they come, however many there are: one header
of 128 MB costs half a minute of processor. So the bytes are counted before it sees them. The same
count bounds what stands between the pieces of a body and behind it. A head must be complete in
time, also the first one, and only so many connections may be without one: where there are more, the
one that has waited longest is closed, and nobody else pays for it.

What is no HTTP, or may be read in two ways, is answered with 400 and its reason, behind the answers
that are still on their way: see `http_rules`.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server, ServerState

from bento.http.http_rules import broken_rule

_NO_HTTP = "this is no request of HTTP"
_NO_BODY = "the body does not follow the rules of HTTP"
_WITH_BODY = (b"content-length", b"transfer-encoding")
_SLICE = 16 << 10  # bytes that the parser is fed at once
_FEWEST = 32  # connections without a head that are always let in
_MOST = 4096  # the same, however many files the process may open


@dataclass(frozen=True)
class Bounds:
    """What a connection may cost before there is a request.

    `size` is in bytes, of the address and all headers; `headers` is their number; `seconds` are
    those until a head is complete; `waiting` is the number of connections without a complete head.
    """

    size: int = 32 << 10
    headers: int = 100
    seconds: float = 10.0
    waiting: int = _MOST


def bounds_of_process() -> Bounds:
    """The bounds where half of the files that this process may open are left to requests."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Bounds()
    return Bounds(waiting=min(_MOST, max(_FEWEST, soft // 2)))


def bound(server: Server, bounds: Bounds) -> None:
    """Have a server that has read its configuration keep these bounds, and speak HTTP alone.

    It asks its configuration anew for each connection. A request to become a WebSocket is refused.
    """
    waiting: Waiting = {}

    def connection(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        return BoundedProtocol(config, server_state, app_state, _loop, bounds, waiting)

    server.config.ws_protocol_class = None
    server.config.http_protocol_class = connection  # type: ignore[assignment]


class _Refused(Exception):
    """A request that is not read to its end; raised within the parser, and answered behind it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class BoundedProtocol(HttpToolsProtocol):
    """A connection of uvicorn within bounds."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
        bounds: Bounds,
        waiting: "Waiting",
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self._bounds = bounds
        self._waiting = waiting
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False  # nothing more is read from here
        self._in_head = True
        self._begun = False
        self._head = 0  # bytes of the head that the parser has handed over
        self._unread = 0  # bytes fed to the parser since it handed over something
        self._unanswered = 0  # requests that were begun, and whose answers are not complete
        self._held: _Refused | None = None  # what is said behind them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser piece by piece, and no further than the bounds allow."""
        self._unset_keepalive_if_required()
        for start in range(0, len(data), _SLICE):
            if self._ended or self.transport.is_closing():
                return
            self._feed(data[start : start + _SLICE])
        if self._timer is None and self._has_begun and not self._ended:
            self._wait()

    @property
    def _has_begun(self) -> bool:
        """Whether something of a head is here, and not all of it; blank lines before it count."""
        return self._in_head and (self._begun or self._unread > 0)

    def _feed(self, piece: bytes) -> None:
        self._unread += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._ended = True  # nothing is read behind a request for another protocol
        except httptools.HttpParserError as error:
            # What is raised within the parser comes as the cause of its own error.
            stopped = error.__context__
            what = _NO_HTTP if self._in_head else _NO_BODY
            self._refuse(stopped if isinstance(stopped, _Refused) else _Refused(400, what))
        else:
            if self._unread > self._bounds.size:
                self._refuse(_too_large(self._bounds.size))

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._begun = True
        self._head = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind a body is counted, and left out."""
        self._count(len(name) + len(value) + 4)
        if not self._in_head:
            return
        if len(self.headers) >= self._bounds.headers:
            most = self._bounds.headers
            raise _Refused(431, f"more than {most} headers; at most {most} are read")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, unless it breaks a rule or asks for a WebSocket."""
        self._wait_no_longer()
        broken = broken_rule(self.parser.get_http_version(), self.headers)
        if broken:
            raise _Refused(400, broken)
        if self._get_upgrade() == b"websocket":
            raise _Refused(403, "there is no WebSocket here")
        upgrade = self.parser.should_upgrade()
        if upgrade and any(name in _WITH_BODY and value != b"0" for name, value in self.headers):
            raise _Refused(400, "a body behind a request to upgrade is not read")
        super().on_headers_complete()
        if upgrade:
            # Answered in HTTP, as a server may; the parser reads nothing behind such a head.
            self.cycle.keep_alive = False
        self._in_head = False
        self._begun = False
        self._unread = 0
        self._unanswered += 1

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; what comes next is another head."""
        self._unread = 0
        self._head = 0
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """End an answer; behind the last one stands what was held."""
        self._unanswered -= 1
        super().on_response_complete()
        if self._held is not None and not self._unanswered:
            self._answer(self._held)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self._bounds.size:
            raise _too_large(self._bounds.size)

    def _refuse(self, refused: _Refused) -> None:
        """Read no further, and answer once: in the place of the request whose body this is, or
        behind those that are still answered; then close.
        """
        self._ended = True
        if not self._in_head:
            if self.cycle.response_started:
                self.cycle.keep_alive = False
                if self.cycle.response_complete:
                    self.transport.close()
                return
            self._take_back()
        if self._unanswered:
            self._held = refused
        else:
            self._answer(refused)

    def _take_back(self) -> None:
        """Have the request whose body is coming answered by nobody else."""
        self._unanswered -= 1
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()  # it was not begun
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _answer(self, refused: _Refused) -> None:
        """Write the answer, unless the last one closed the connection already, and close."""
        if not self.transport.is_closing():
            self.transport.write(_reply(refused))
            self.transport.close()

    def _wait(self) -> None:
        """Give the client its time to send a head, and close whoever has waited longest."""
        self._timer = self.loop.call_later(self._bounds.seconds, self._late)
        self._waiting[self] = self._late
        if len(self._waiting) > self._bounds.waiting:
            next(iter(self._waiting.values()))()

    def _wait_no_longer(self) -> None:
        self._waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        """End a connection whose head is not here: with an answer where it has begun."""
        self._wait_no_longer()
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        elif self._has_begun:
            seconds = self._bounds.seconds
            self._refuse(_Refused(408, f"the head was not here after {seconds:g} seconds"))
        else:
            self.transport.close()


# Connections without a complete head, the one that has waited longest first, with what ends each.
Waiting = dict[BoundedProtocol, Callable[[], None]]


def _too_large(most: int) -> _Refused:
    return _Refused(431, f"the head is too large; at most {most} bytes are read")


_REASONS = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
}


def _reply(refused: _Refused) -> bytes:
    """The whole answer, in the form of every refusal of the service."""
    body = b'{"error":"%s"}' % refused.sentence.encode("ascii")
    lines = [
        b"HTTP/1.1 %d %s" % (refused.status, _REASONS[refused.status]),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", body])
