"""A Prefect server that the user has set and that does not answer is named."""

import contextlib
import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.adapters.server import free_port
from flows.engine.outcome import Outcome
from flows.orchestration import prefect_server, start
from flows.orchestration.prefect_server import require_configured
from sluice.errors import UsageError


@pytest.fixture(params=[200, 401, 403, 404, 500])
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says this status to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_one_that_answers_is_prefects_affair(answering: str) -> None:
    for url in (answering, f"{answering}/"):
        with temporary_settings({PREFECT_API_URL: url}):
            require_configured()


def test_where_none_is_set_none_is_asked() -> None:
    with temporary_settings({PREFECT_API_URL: None}):
        require_configured()


@pytest.mark.parametrize("path", ["/api", "/api/", ""])
def test_one_that_is_gone_is_named_without_its_login(path: str) -> None:
    url = f"http://me:s3cret@127.0.0.1:{free_port()}{path}"
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(UsageError, match="PREFECT_API_URL is 'http://127") as refused,
    ):
        require_configured()
    assert "s3cret" not in str(refused.value)
    assert "unset PREFECT_API_URL" in refused.value.fix


def _drip(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(100):
            time.sleep(0.05)
            connection.sendall(b"a")


def _junk(connection: socket.socket) -> None:
    connection.sendall(b"\x00\x1b[2Jno http\r\n\r\n")
    connection.close()


def _keep(connection: socket.socket) -> None:
    del connection


def _close(connection: socket.socket) -> None:
    connection.close()


def _endless(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X: a\r\n" * 1000)


@pytest.fixture(params=[_keep, _close, _drip, _junk, _endless], ids=lambda do: do.__name__)
def silent(request: pytest.FixtureRequest) -> Iterator[str]:
    """Something that takes every connection and never answers one."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listening.accept()[0])
                    threading.Thread(target=request.param, args=kept[-1:], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_server, "_PATIENCE", 0.4)
    monkeypatch.setattr(prefect_server, "_PATIENCE_LATER", 0.4)


@pytest.mark.usefixtures("impatient")
def test_a_release_goes_on_without_one_that_takes_connections_and_does_not_answer(
    silent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def plainly(model: str, data: str | None, cache: bool) -> Outcome:
        del data, cache
        return Outcome("hold", "plainly", model)

    def flow(*_: object, **__: object) -> Any:
        raise AssertionError

    note = tmp_path / "prefect" / "server.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"url": silent}))
    wanted = start.Wanted("attrition", None, cache=True, trains=False)
    began = time.monotonic()
    with temporary_settings({PREFECT_API_URL: f"{silent}/api"}):
        os.environ["PREFECT_API_URL"] = f"{silent}/api"
        outcome = start._with_prefect(tmp_path, lambda: start.Releases(flow, plainly), wanted)
        assert not prefect_server.answers()
    assert time.monotonic() - began < 5
    assert outcome.sentence == "plainly"
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("PREFECT_API_URL is")
    assert said.endswith("The release goes on without Prefect.")
    assert said.isprintable()
