"""Who answers `sluice predict`: how many rows at once, who is named, and what a person reads where
nobody answers.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import MODEL

from flows.predict import answers
from flows.predict.answers import Service
from flows.project.settings import Settings
from flows.views.predictions import Json
from sluice.errors import Refused, Retryable, SluiceError, UsageError
from sluice.served.contract import load_contract
from sluice.served.uploaded_table import Row, Sheet

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))


@given(st.integers(0, 3500))
@settings(deadline=None)
def test_every_row_is_answered_once_in_its_order_by_at_most_a_thousand(count: int) -> None:
    asked: list[int] = []

    def answer(rows: Sequence[Row], reasons: bool) -> list[Json]:
        assert not reasons
        asked.append(len(rows))
        return [{"line": row.line} for row in rows]

    sheet = Sheet(tuple(Row(line, "", {}) for line in range(count)), (), ())
    answered = answers.score(sheet, Service(CONTRACT, answer))
    assert [one["line"] for one in answered] == list(range(count))
    assert max(asked, default=0) <= 1000
    assert len(asked) == -(-count // 1000)


@pytest.mark.parametrize("url", ["", "127.0.0.1:3000", "ftp://a", "HTTP://a", "file:///etc"])
def test_what_is_no_address_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        answers.remote(Settings(), "attrition", url)
    assert raised.value.what == f"--url is {url!r}"
    assert raised.value.fix == "Write it with its scheme, like http://127.0.0.1:3000."


def test_a_model_that_nobody_wrote_is_named_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match=re.escape("there is no model 'churn'")):
        answers.remote(Settings(), "churn", "http://127.0.0.1:1")


def test_without_a_bento_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        answers.local(Settings(home=tmp_path), "attrition")
    assert raised.value.what == "there is no Bento of 'attrition' on this machine yet"
    assert raised.value.fix == "Run: sluice release attrition"


@contextmanager
def service(status: int, answer: bytes, seen: list[tuple[str, object]]) -> Iterator[str]:
    """A service that gives one answer to everybody, and notes what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """The test says itself what it needs."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ROWS = [Row(2, "7", {"age": 40}), Row(3, "", {"age": 41}), Row(4, "E-7", {"age": 42})]


@pytest.mark.parametrize("slashes", ["", "/", "//"])
@pytest.mark.parametrize("reasons", [True, False])
def test_a_record_names_its_person_where_the_contract_allows_the_id(
    slashes: str, reasons: bool
) -> None:
    seen: list[tuple[str, object]] = []
    with service(200, b'[{"a": 1}, {"a": 2}, {"a": 3}]', seen) as url:
        asked = answers.remote(Settings(), "attrition", url + slashes)
        assert asked.answer(ROWS, reasons) == [{"a": 1}, {"a": 2}, {"a": 3}]
    records = [{"age": 40, "employee_id": 7}, {"age": 41}, {"age": 42}]
    assert seen == [(f"/predict_batch?reasons={int(reasons)}", records)]


@pytest.mark.parametrize("status", [400, 422])
def test_records_that_a_service_refuses_are_refused_in_its_words(status: int) -> None:
    with service(status, b"x" * 600, []) as url, pytest.raises(Refused) as raised:
        answers.remote(Settings(), "attrition", url).answer(ROWS, False)
    assert raised.value.what == (f"{url}/predict_batch?reasons=0 refuses the records: {'x' * 500}")
    assert raised.value.fix == "Its model may have another contract."


@pytest.mark.parametrize("status", [204, 404, 500, 503])
def test_another_status_is_a_failure_with_its_number(status: int) -> None:
    text = b"" if status == 204 else b"overloaded"
    with service(status, text, []) as url, pytest.raises(SluiceError) as raised:
        answers.remote(Settings(), "attrition", url).answer(ROWS, False)
    assert raised.value.exit_code == 1
    assert raised.value.what == (f"{url}/predict_batch?reasons=0 answers {status}: {text.decode()}")


def test_where_nobody_listens_it_may_be_tried_again() -> None:
    with pytest.raises(Retryable) as raised:
        answers.remote(Settings(), "attrition", "http://127.0.0.1:9").answer(ROWS, False)
    assert "127.0.0.1:9/predict_batch?reasons=0 does not answer (ConnectError)" in raised.value.what
    assert raised.value.fix == "Start it with `sluice serve`, or leave out --url."
