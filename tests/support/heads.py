"""A server of uvicorn within bounds, by a real connection or in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from uvicorn.config import Config
from uvicorn.server import Server

from bento.http.bounded_head import BoundedProtocol, Bounds, bound
from bento.http.request_body import Message, Receive, Send

SMALL = Bounds(size=2000, headers=10, seconds=600.0, waiting=4)


async def app(_: Message, receive: Receive, send: Send) -> None:
    """Read the body, and answer with its length."""
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = bool(message.get("more_body"))
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(bounds: Bounds) -> AsyncIterator[int]:
    """A server of uvicorn within these bounds; yields its port."""
    config = Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    bound(server, bounds)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    for listener in server.servers:
        listener.close()


class Wire(asyncio.Transport):
    """The other end of a connection, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connect(
    loop: asyncio.AbstractEventLoop, waiting: Any = None, bounds: Bounds = SMALL
) -> tuple[BoundedProtocol, Wire]:
    config = Config(app, lifespan="off", log_config=None)
    config.load()
    server = Server(config)
    waiting = {} if waiting is None else waiting
    protocol = BoundedProtocol(config, server.server_state, {}, loop, bounds, waiting)
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire


def in_pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    yield data[start:]


async def answers(port: int, sent: bytes) -> bytes:
    """Everything that a server answers to these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await reader.read()
    finally:
        writer.close()
