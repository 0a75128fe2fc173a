"""What comes before a body is bounded: counted at the protocol, and asked of a real server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.heads import SMALL, Wire, answers, connect, in_pieces, serving

from bento.http.bounded_head import BoundedProtocol, Bounds, bounds_of_process

SLICE = 16 << 10  # what the protocol feeds the parser at once


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that does not run: what is tested here is done when the bytes are fed."""
    loop = asyncio.new_event_loop()
    yield loop
    begun = asyncio.all_tasks(loop)
    for task in begun:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*begun, return_exceptions=True))
    loop.close()


def feed(protocol: BoundedProtocol, wire: Wire, parts: Iterator[bytes]) -> int:
    """Send parts until the connection is closed; return how many bytes were taken."""
    taken = 0
    for part in parts:
        if wire.closed:
            break
        protocol.data_received(part)
        taken += len(part)
    return taken


@settings(deadline=None, max_examples=200)
@given(
    length=st.integers(0, 4000),
    where=st.sampled_from(["address", "name", "value"]),
    sizes=st.lists(st.integers(1, 900), max_size=12),
)
def test_a_head_is_taken_or_refused_by_its_size_in_whatever_pieces_it_comes(
    loop: asyncio.AbstractEventLoop, length: int, where: str, sizes: list[int]
) -> None:
    filler = b"x" * length
    heads = {
        "address": b"GET /%s HTTP/1.1\r\nhost: a\r\n\r\n" % filler,
        "name": b"GET / HTTP/1.1\r\nhost: a\r\nn%s: 1\r\n\r\n" % filler,
        "value": b"GET / HTTP/1.1\r\nhost: a\r\nn: %s\r\n\r\n" % filler,
    }
    # What is counted: the address and, of each header, name and value with four signs.
    counted = length + {"address": 1 + 9, "name": 1 + 9 + 1 + 1 + 4, "value": 1 + 9 + 1 + 4}[where]
    protocol, wire = connect(loop)
    feed(protocol, wire, in_pieces(heads[where], sizes))
    refused = wire.written.startswith(b"HTTP/1.1 431 ")
    assert refused == wire.closed == (counted > SMALL.size)


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(1, 5000),
    begun=st.sampled_from(
        [
            b"",
            b"\r\n",
            b"GET /",
            b"GET / HTTP/1.1\r\n",
            b"GET / HTTP/1.1\r\nx: ",
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;",
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        ]
    ),
)
def test_no_more_bytes_are_taken_than_show_that_it_is_too_much(
    loop: asyncio.AbstractEventLoop, begun: bytes, size: int
) -> None:
    """Where a head, the size of a chunk or what follows a body has no end."""

    def endless() -> Iterator[bytes]:
        yield begun
        while True:
            yield b"x" * size if begun.strip() else b"\r\n" * size

    protocol, wire = connect(loop)
    assert feed(protocol, wire, endless()) <= SMALL.size + SLICE + len(begun) + 2 * size
    assert wire.closed


def test_one_piece_however_large_is_not_fed_to_its_end(loop: asyncio.AbstractEventLoop) -> None:
    protocol, wire = connect(loop)
    protocol.data_received(b"GET / HTTP/1.1\r\nx: " + b"x" * 2**20)
    assert protocol._unread <= 2 * SLICE
    assert wire.written.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b'{"error":"the head is too large; at most 2000 bytes are read"}' in wire.written


@pytest.mark.parametrize(("number", "refused"), [(10, False), (11, True), (400, True)])
def test_headers_are_counted(loop: asyncio.AbstractEventLoop, number: int, refused: bool) -> None:
    protocol, wire = connect(loop)
    more = b"a: b\r\n" * (number - 1)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n" + more + b"\r\n")
    assert wire.written.startswith(b"HTTP/1.1 431 ") == refused
    assert (b"at most 10 are read" in wire.written) == refused


def test_large_bodies_are_no_heads(loop: asyncio.AbstractEventLoop) -> None:
    protocol, wire = connect(loop)
    protocol.data_received(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n")
    for _ in range(30):
        protocol.data_received(b"x" * 10_000)
    assert not wire.closed
    chunked, wire = connect(loop)
    chunked.data_received(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(3000):
        chunked.data_received(b"1\r\nx\r\n")
    assert not wire.closed


def test_whoever_waits_longest_makes_room(loop: asyncio.AbstractEventLoop) -> None:
    waiting: Any = {}
    wires = [connect(loop, waiting)[1] for _ in range(9)]
    assert [wire.closed for wire in wires] == [True] * 5 + [False] * 4
    assert not any(wire.written for wire in wires)
    assert len(waiting) == SMALL.waiting


def test_a_head_that_is_complete_waits_no_longer(loop: asyncio.AbstractEventLoop) -> None:
    waiting: Any = {}
    done, wire = connect(loop, waiting)
    done.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert waiting == {}
    lost, _ = connect(loop, waiting)
    lost.connection_lost(None)
    assert waiting == {}
    for _ in range(9):
        connect(loop, waiting)
    assert not wire.closed


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"OPTIONS"])
@pytest.mark.parametrize("spelled", [b"websocket", b"WebSocket"])
@pytest.mark.parametrize("length", [0, 7])
def test_a_websocket_is_refused_at_once(
    loop: asyncio.AbstractEventLoop, method: bytes, spelled: bytes, length: int
) -> None:
    protocol, wire = connect(loop)
    head = b"%s / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: %s\r\n"
    head += b"content-length: %d\r\n\r\n"
    protocol.data_received(head % (method, spelled, length) + b"x" * length)
    assert wire.written.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert wire.closed


@pytest.mark.parametrize(("length", "status"), [(0, b"200 OK"), (7, b"400 Bad Request")])
def test_another_protocol_is_answered_in_this_one(length: int, status: bytes) -> None:
    async def ask() -> bytes:
        async with serving(SMALL) as port:
            head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n"
            head += b"upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-length: %d\r\n\r\n"
            return await answers(port, head % length + b"x" * length)

    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 %s\r\n" % status)
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nx: ", b"HTTP/1.1 408 Request Timeout"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HT", b"HTTP/1.1 408 Request Timeout"),
        (b"no request\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 8_000_000, b"HTTP/1.1 431 Request Header Fields"),
    ],
)
def test_the_server_ends_what_is_no_head(sent: bytes, answer: bytes) -> None:
    async def ask() -> bytes:
        async with serving(Bounds(seconds=0.2)) as port:
            try:
                return await answers(port, sent)
            except ConnectionError:  # the answer to what was not read to its end may be lost
                return answer

    assert answer in asyncio.run(ask())


def test_others_are_served_while_many_send_nothing() -> None:
    async def ask() -> tuple[int, bytes]:
        async with serving(SMALL) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
            request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
            answer = await answers(port, request)
            ended = [reader.read() for reader, _ in silent[: 50 - SMALL.waiting]]
            number = sum(part == b"" for part in await asyncio.gather(*ended))
            for _, writer in silent:
                writer.close()
            return number, answer

    ended, answer = asyncio.run(ask())
    assert ended == 46
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_half_of_the_files_are_left_to_requests() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for files, waiting in ((40, 32), (200, 100), (4096, 2048)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            assert bounds_of_process().waiting == waiting
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
