"""Bodies of requests: JSON alone, whole, and never more of it than is allowed."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.http.request_body import Call, Gone, Message, Receive, Refusal, read_body, require_json

JSON = {b"content-type": b"application/json"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GONE: Message = {"type": "http.disconnect"}


def messages(parts: Iterable[bytes]) -> list[Message]:
    """A body in these parts, as ASGI hands it over."""
    *first, last = [*parts] or [b""]
    sent: list[Message] = [
        {"type": "http.request", "body": part, "more_body": True} for part in first
    ]
    return [*sent, {"type": "http.request", "body": last}]


def receiver(sent: Iterable[Message]) -> Receive:
    """What hands over these messages, and then waits for ever."""
    waiting = iter(sent)

    async def receive() -> Message:
        for message in waiting:
            return message
        return await asyncio.get_running_loop().create_future()

    return receive


def body(
    sent: Iterable[Message],
    most: int = 100,
    headers: Mapping[bytes, bytes] = JSON,
    seconds: float = 5.0,
) -> bytes:
    return asyncio.run(read_body(Call("r1", headers, b"", receiver(sent)), most, seconds))


def refused(sent: Iterable[Message], **more: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        body(sent, **more)  # type: ignore[arg-type]
    return caught.value


@given(st.lists(st.just(BYTE_ORDER_MARK) | st.binary(max_size=20), max_size=10))
def test_a_body_is_the_same_in_whatever_parts_it_comes(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    read = whole.removeprefix(BYTE_ORDER_MARK)
    assert body(messages(parts), most=200) == read
    assert body(messages([whole]), most=len(whole)) == read


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=10))
def test_a_byte_more_than_is_allowed_is_refused_in_whatever_parts(parts: list[bytes]) -> None:
    most = len(b"".join(parts)) - 1
    refusal = refused(messages(parts), most=most)
    assert (refusal.status, refusal.kind) == (413, "too_large")
    assert refusal.body["allowed"] == f"at most {most} bytes"


def test_no_more_is_read_than_shows_that_it_is_too_much() -> None:
    read = 0

    def endless() -> Iterable[Message]:
        nonlocal read
        while True:
            read += 1
            yield {"type": "http.request", "body": b"x" * 60, "more_body": True}

    refused(endless())
    assert read == 2


@pytest.mark.parametrize("length", [b"101", b"-1", b"1e2", b"", b" 5", b"9" * 19, b"9" * 10_000])
def test_a_length_that_is_too_large_or_none_is_refused_before_anything_is_read(
    length: bytes,
) -> None:
    assert refused([], headers={**JSON, b"content-length": length}).status == 413


def test_a_length_that_lies_does_not_let_more_in() -> None:
    assert refused(messages([b"x" * 101]), headers={**JSON, b"content-length": b"5"}).status == 413


def test_a_client_that_goes_away_is_no_request() -> None:
    for sent in ([GONE], [*messages([b"[1", b""])[:1], GONE]):
        with pytest.raises(Gone):
            body(sent)


def test_a_body_that_does_not_come_is_refused_after_its_time() -> None:
    refusal = refused([], seconds=0.01)
    assert (refusal.status, refusal.kind) == (408, "too_slow")
    assert refusal.body == {"error": "the body was not here after 0.01 seconds"}


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
        b" application/json ;",
    ],
)
def test_json_in_every_spelling_of_its_header_is_taken(kind: bytes) -> None:
    require_json({b"content-type": kind})
    require_json({b"content-type": kind, b"content-encoding": b"Identity"})


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"text/plain",
        b"application/vnd.bentoml+pickle",
        b"application/json; charset=latin-1",
        b"application/jsonp",
        b"application/json, text/html",
        b"\xff\xfe" * 500,
    ],
)
def test_anything_else_is_not_read(kind: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        require_json({b"content-type": kind})
    assert caught.value.status == 415
    assert caught.value.body["allowed"] == "application/json"
    assert len(str(caught.value.body["value"])) <= 80


@pytest.mark.parametrize("coding", [b"gzip", b"identity, gzip", b""])
def test_a_packed_body_is_not_unpacked(coding: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        require_json({**JSON, b"content-encoding": coding})
    assert caught.value.body["error"] == "a packed body is not read"
