"""Heads and bodies that break the rules of HTTP, or can be read in two ways: 400 with the reason,
one answer to each request, and none of the service's fault.
"""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.heads import Wire, answers, connect, in_pieces, serving

from bento.http.bounded_head import Bounds
from bento.http.http_rules import ONCE, broken_rule
from bento.http.request_parameters import OLD_ROW_ID, ROW_ID

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
CHUNKED = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
GOOD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx"
NO_HTTP = "this is no request of HTTP"
NO_BODY = "the body does not follow the rules of HTTP"

BROKEN = {
    "two hosts": (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "host stands more than once"),
    "one host twice": (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "host stands more"),
    "two hosts in 1.0": (b"GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", "host stands more"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "host is missing"),
    "no name of a host": (b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", "no name of a host"),
    "two names in one host": (b"GET / HTTP/1.1\r\nhost: a, b c\r\n\r\n", "no name of a host"),
    "another version": (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", "HTTP/2.0 is not read here"),
    "a version of old": (b"GET / HTTP/0.9\r\n\r\n", "HTTP/0.9 is not read here"),
    "no size of a chunk": (CHUNKED + b"zz\r\nx\r\n0\r\n\r\n", NO_BODY),
    "a chunk longer than its size": (CHUNKED + b"1\r\nxxx\r\n0\r\n\r\n", NO_BODY),
    "a size with a sign": (CHUNKED + b"-1\r\nx\r\n0\r\n\r\n", NO_BODY),
    "a size without end": (CHUNKED + b"f" * 40 + b"\r\n", NO_BODY),
    "another coding": (
        CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
        "transfer-encoding is not chunked",
    ),
    "a coding alone": (
        CHUNKED.replace(b"chunked", b"gzip") + b"0\r\n\r\n",
        "transfer-encoding is not chunked",
    ),
    "chunked twice": (
        CHUNKED.replace(b"chunked\r\n", b"chunked\r\nTransfer-Encoding: chunked\r\n"),
        NO_HTTP,
    ),
    "chunked in 1.0": (
        CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n",
        "transfer-encoding is of HTTP/1.1",
    ),
    "two lengths": (GOOD.replace(b"\r\n\r\n", b"\r\ncontent-length: 2\r\n\r\n"), NO_HTTP),
    "length and chunks": (
        CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n") + b"0\r\n\r\n",
        NO_HTTP,
    ),
}
# Of HTTP itself, which the table above has.
_FRAMING = {b"host", b"content-length", b"transfer-encoding"}


async def _asked(sent: bytes) -> bytes:
    async with serving(Bounds(seconds=5)) as port:
        return await answers(port, sent)


def reasons(answer: bytes) -> list[str]:
    """The sentences of the refusals in an answer."""
    found = re.findall(rb'\{"error":"[^"]*"\}', answer)
    return [json.loads(body)["error"] for body in found]


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(answer)]


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_answered_with_400_and_its_reason(name: str) -> None:
    sent, reason = BROKEN[name]
    answer = asyncio.run(_asked(sent))
    assert statuses(answer) == [400]
    assert reason in reasons(answer)[0]
    assert b"connection: close" in answer


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("before", [1, 2, 5])
def test_and_those_before_it_on_a_connection_are_answered_first(name: str, before: int) -> None:
    sent, reason = BROKEN[name]
    answer = asyncio.run(_asked(GOOD * before + sent))
    assert statuses(answer) == [200] * before + [400]
    assert reason in reasons(answer)[-1]


@pytest.mark.parametrize("header", sorted(ONCE - _FRAMING))
def test_what_is_read_once_may_stand_once(header: bytes) -> None:
    line = b"\r\n%s: 1" % header
    for sent, refused in ((line, False), (line * 2, True), (line + line.upper(), True)):
        answer = asyncio.run(
            _asked(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close%s\r\n\r\n" % sent)
        )
        assert statuses(answer) == [400 if refused else 200]
        assert refused == (f"{header.decode()} stands more than once" in str(reasons(answer)))


def test_every_header_that_the_service_reads_is_one_of_those() -> None:
    """Read from the code: a header that is read in a new place has to be listed."""
    from pathlib import Path

    import bento

    read: set[bytes] = {ROW_ID.encode(), OLD_ROW_ID.encode()}
    for path in Path(bento.__path__[0]).rglob("*.py"):
        found = re.findall(r'headers\.get\(b?"([a-z-]+)"', path.read_text())
        read |= {name.encode() for name in found}
    assert len(read) > 6
    assert read <= ONCE


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /readyz HTTP/1.0\r\n\r\n",  # what haproxy asks where it is told no more
        b"GET /readyz HTTP/1.0\r\nhost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: [::1]:3000\r\nconnection: close\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\naccept: b\r\naccept: c\r\n\r\n",
        CHUNKED.replace(b"chunked", b"Chunked\r\nconnection: close") + b"1\r\nx\r\n0\r\n\r\n",
    ],
)
def test_what_keeps_the_rules_is_served(sent: bytes) -> None:
    assert statuses(asyncio.run(_asked(sent))) == [200]


NAMES = st.sampled_from(sorted(ONCE)) | st.sampled_from([b"accept", b"cookie", b"via"])


@given(headers=st.lists(st.tuples(NAMES, st.binary(max_size=6)), max_size=6))
def test_a_head_is_refused_by_whatever_stands_twice_and_may_not(
    headers: list[tuple[bytes, bytes]],
) -> None:
    names = [name for name, _ in headers if name in ONCE]
    sentence = broken_rule("1.1", headers)
    assert ("more than once" in sentence) == (len(set(names)) < len(names))
    assert sentence.isascii()
    assert '"' not in sentence
    if not sentence:
        assert names.count(b"host") == 1


REQUESTS = [GOOD, CHUNKED + b"1\r\nx\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"]
REQUESTS += [b"GET / HTTP/1.0\r\n\r\n"]
PIECES = [bytes([byte]) for byte in b"\x00\x7f\x80\xff \t:;,\r\n0123456789abcdefxGPH/."]
PIECES += [b"\r\n", b"\r\n\r\n", b"\r\nhost: b", b"\r\ncontent-length: 2", b"HTTP/1.0", b"gzip, "]
PIECES += [b"\r\ntransfer-encoding: chunked", b"\r\n x", b"expect: 100-continue\r\n"]
PIECES += [b"connection: close\r\n", b"connection: upgrade\r\nupgrade: h2c\r\n", b"0\r\n\r\n"]
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from(PIECES) | st.binary(max_size=4)),
    max_size=4,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def _fed(parts: Iterator[bytes]) -> Wire:
    """What a connection answers to these bytes, given as much time as its requests need."""
    protocol, wire = connect(asyncio.get_running_loop(), bounds=Bounds(seconds=600))
    for part in parts:
        if not wire.closed:
            protocol.data_received(part)
            await asyncio.sleep(0)
    for _ in range(60):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    if protocol.tasks:
        await asyncio.wait(set(protocol.tasks), timeout=5)
    return wire


@settings(deadline=None, max_examples=600)
@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4),
    changes=CHANGES,
    sizes=st.lists(st.integers(1, 60), max_size=8),
)
def test_whatever_bytes_come_no_answer_is_the_fault_of_the_service(
    runner: asyncio.Runner,
    requests: list[bytes],
    changes: list[tuple[float, bool, bytes]],
    sizes: list[int],
) -> None:
    data = b"".join(requests)
    for share, over, piece in changes:
        at = int(share * len(data))
        data = data[:at] + piece + data[at + len(piece) * over :]
    wire = runner.run(_fed(in_pieces(data, sizes)))
    told = statuses(wire.written)
    assert set(told) <= {100, 200, 400, 403, 431}
    final = [status for status in told if status != 100]
    # A refusal is the last word on a connection.
    assert all(status == 200 for status in final[:-1])
    assert not final or final[-1] == 200 or wire.closed
    if not changes and requests[:-1].count(REQUESTS[-1]) == 0:
        assert final == [200] * len(requests)
