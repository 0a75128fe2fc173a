"""Whatever bytes a client sends, and whenever it leaves: no fault of the service, none counted."""

import ast
import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import PROJECT, small_artifact

from bento import process
from bento.answers import load_served
from bento.app import App
from bento.http.request_body import Message
from bento.ops.settings import Settings

FORM = b"application/x-www-form-urlencoded"
UPLOAD = b"multipart/form-data; boundary=line"
# Bytes that are no UTF-8, or that mean something to a parser.
PIECES = [bytes([byte]) for byte in b'\x00\x80\x92\xc3\xff"\\{}[]:,-.e0%&=;\r\n']
PIECES += [b"\xed\xa0\x80", b"\xf0\x9f", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"1e999", b"null"]
PIECES += [b"--line", b"\r\n\r\n", b"[" * 300, b"{" * 50, b"9" * 500]


class Asked:
    """The application, and what it answers to bytes: the status, None where it answered nothing."""

    def __init__(
        self, app: App, bodies: Mapping[str, tuple[bytes, bytes]], runner: asyncio.Runner
    ) -> None:
        self.app = app
        self.bodies = bodies
        self._runner = runner
        self._described = json.loads(self.ask("/docs.json", b"", [], method="GET")[1])["paths"]

    def documented(self, path: str) -> set[int]:
        return {int(status) for status in self._described[path]["post"]["responses"]}

    def ask(
        self,
        path: str,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        *,
        method: str = "POST",
        gone: bool = False,
    ) -> tuple[int | None, bytes]:
        return self._runner.run(_asked(self.app, path, body, headers, method, gone))

    def counted(self) -> dict[tuple[str, str], float]:
        """How many requests were counted, by endpoint and status."""
        text = self.ask("/metrics", b"", [], method="GET")[1].decode()
        found = re.findall(
            r'^bentoml_service_request_total\{endpoint="([^"]*)",.*?code="(\d+)".*\} (\S+)$',
            text,
            re.MULTILINE,
        )
        return {(endpoint, status): float(number) for endpoint, status, number in found}


async def _asked(
    app: App, path: str, body: bytes, headers: list[tuple[bytes, bytes]], method: str, gone: bool
) -> tuple[int | None, bytes]:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "server": ("service", 80),
        "client": ("client", 1),
    }
    sent: list[Message] = [{"type": "http.request", "body": body, "more_body": gone}]
    answered: list[Message] = []

    async def receive() -> Message:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    await app(scope, receive, send)
    statuses = [message["status"] for message in answered if "status" in message]
    content = b"".join(message.get("body", b"") for message in answered)
    return (statuses[0] if statuses else None), content


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = small_artifact(tmp_path_factory.mktemp("artifact") / "model")
    served = load_served(folder, "attrition:local", "")
    log = tmp_path_factory.mktemp("log")
    app, ends = process.start(served, Settings(drain_seconds=0, prediction_log=str(log)))
    record = json.loads((folder / "golden.json").read_text())["records"][0]
    names = ",".join(record)
    cells = ",".join("" if value is None else str(value) for value in record.values())
    opinion = json.dumps({"id": "a-1", "agrees": True, "why": "no"}).encode()
    json_kind = b"application/json"
    table = f"{names}\r\n{cells}\r\n".encode()
    upload = (
        b'--line\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + table + b"\r\n--line--\r\n"
    )
    form = "&".join(f"{key}={value}" for key, value in record.items()).replace(" ", "+")
    bodies = {
        "/predict": (json.dumps(record).encode(), json_kind),
        "/predict_batch": (json.dumps([record, record]).encode(), json_kind),
        "/feedback": (opinion, json_kind),
        "/": (form.encode("ascii", "replace"), FORM),
        "/rows": (upload, UPLOAD),
        "/opinion": (b"id=a-1&agrees=yes&why=no", FORM),
    }
    with asyncio.Runner() as runner:
        yield Asked(app, bodies, runner)
    for end in ends:
        end()


PATHS = ["/predict", "/predict_batch", "/feedback", "/", "/rows", "/opinion"]
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(["put in", "put over", "cut", "twice"]),
        st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)


def mutated(body: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    for share, how, piece in changes:
        at = int(share * len(body))
        if how == "put in":
            body = body[:at] + piece + body[at:]
        elif how == "put over":
            body = body[:at] + piece + body[at + len(piece) :]
        elif how == "cut":
            body = body[:at]
        else:
            body += body[at:]
    return body


def test_the_bodies_that_are_changed_are_good_ones(asked: Asked) -> None:
    for path, (body, kind) in asked.bodies.items():
        status, said = asked.ask(path, body, [(b"content-type", kind)])
        assert status == 200, (path, said)


# Starlette forgets a part of a form that never ends; it is in memory, and goes with the request.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
@settings(deadline=None, max_examples=2000)
@given(path=st.sampled_from(PATHS), changes=CHANGES)
def test_changed_bytes_are_answered_or_refused_as_documented(
    asked: Asked, path: str, changes: list[tuple[float, str, bytes]]
) -> None:
    good, kind = asked.bodies[path]
    status, said = asked.ask(path, mutated(good, changes), [(b"content-type", kind)])
    assert status in asked.documented(path) and status < 500, (status, said)


@settings(deadline=None, max_examples=300)
@given(
    path=st.sampled_from(PATHS),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"content-type",
                    b"content-length",
                    b"content-encoding",
                    b"x-row-id",
                    b"x-request-id",
                    b"origin",
                    b"host",
                    b"sec-fetch-site",
                    b"authorization",
                ]
            ),
            st.binary(max_size=12) | st.sampled_from([UPLOAD, FORM, b"multipart/form-data"]),
        ),
        max_size=4,
    ),
)
def test_any_bytes_in_headers_are_answered_or_refused_as_documented(
    asked: Asked, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    good, kind = asked.bodies[path]
    status, said = asked.ask(path, good, [(b"content-type", kind), *headers])
    assert status in asked.documented(path) and status < 500, (status, said)


@pytest.mark.parametrize(
    "wrong",
    [b"\xff", b"Bachelor\x92s Degree", b"\xed\xa0\x80", b"\xc3", b"\x80abc", b"\xf5\x80\x80\x80"],
)
@pytest.mark.parametrize("place", ["value", "name", "list"])
def test_the_byte_that_is_no_utf8_is_named(asked: Asked, place: str, wrong: bytes) -> None:
    record = asked.bodies["/predict"][0]
    bodies = {
        "value": record.replace(b'"Yes"', b'"%s"' % wrong, 1),
        "name": record[:-1] + b', "%s": 1}' % wrong,
        "list": b"[%s, %s]" % (record, record[:-1] + b', "%s": 1}' % wrong),
    }
    body = bodies[place]
    with pytest.raises(UnicodeDecodeError) as caught:
        body.decode()
    at = caught.value.start
    for path in ("/predict", "/predict_batch", "/feedback"):
        status, said = asked.ask(path, body, [(b"content-type", b"application/json")])
        assert status == 400
        named = f"byte 0x{body[at]:02x} at offset {at} is not UTF-8"
        assert json.loads(said)["error"] == f"the body is not JSON: {named}"


def test_a_mark_before_the_json_is_passed_over(asked: Asked) -> None:
    for path in ("/predict", "/predict_batch", "/feedback"):
        body, kind = asked.bodies[path]
        assert asked.ask(path, b"\xef\xbb\xbf" + body, [(b"content-type", kind)])[0] == 200
        twice = b"\xef\xbb\xbf" * 2 + body
        assert asked.ask(path, twice, [(b"content-type", kind)])[0] == 400


@pytest.mark.parametrize("path", PATHS)
def test_who_leaves_within_a_body_is_counted_as_gone(
    asked: Asked, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not as a fault of the service, and without a traceback."""
    body, kind = asked.bodies[path]
    before = asked.counted()
    asked.ask(path, body[: len(body) // 2], [(b"content-type", kind)], gone=True)
    endpoint = path if path in ("/predict", "/predict_batch", "/feedback") else "page"
    now = asked.counted()
    changed = {key for key, number in now.items() if number != before.get(key, 0)}
    assert changed - {("/metrics", "200")} == {(endpoint, "499")}
    assert "Traceback" not in capfd.readouterr().err


def test_a_websocket_is_closed_at_once(asked: Asked) -> None:
    async def ask(path: str) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await asked.app({"type": "websocket", "path": path}, receive, send)
        return sent

    for path in (*PATHS, "/livez", "/nothing"):
        [closed] = asyncio.run(ask(path))
        assert closed["type"] == "websocket.close"


PARSERS = {"DecodeError", "MsgspecError", "JSONDecodeError"}


def _listed(file: Path, wanted: set[str]) -> list[str]:
    """Where a module lists errors of a parser by name, instead of all that it may raise."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            continue
        names = {part.attr for part in ast.walk(node.type) if isinstance(part, ast.Attribute)}
        if names & wanted:
            found.append(f"{file.name}:{node.lineno}")
    return found


def test_no_reader_of_foreign_bytes_lists_the_errors_of_a_parser() -> None:
    files = [*(PROJECT / "bento").rglob("*.py"), *(PROJECT / "flows/gitops").rglob("*.py")]
    assert len(files) > 20
    assert [place for file in files for place in _listed(file, PARSERS | {"ValidationError"})] == []
    # msgspec raises UnicodeDecodeError beside its own errors.
    files = [
        file for room in ("bento", "flows", "sluice") for file in (PROJECT / room).rglob("*.py")
    ]
    assert len(files) > 300
    assert [place for file in files for place in _listed(file, PARSERS)] == []


def test_a_timer_that_ends_a_request_counts_against_the_service(asked: Asked) -> None:
    """BentoML's timer answers 504 where the service is too slow: that is no client's doing."""

    async def ask() -> Any:
        async def receive() -> Message:
            return await asyncio.get_running_loop().create_future()

        async def send(_: Message) -> None: ...

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        task = asyncio.ensure_future(asked.app(scope, receive, send))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert asked.counted()["/predict", "504"] == 1
