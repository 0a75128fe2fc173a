"""Who answers `sluice predict`: how many rows at once, who is named, and what a person reads where
nobody answers.
"""

import hashlib
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
from pydantic import SecretStr
from support.model_artifacts import MODEL

from bento.http.request_body import Refusal
from bento.ops.api_keys import require_key
from flows.predict import answers
from flows.predict.answers import Service
from flows.project.settings import Settings
from flows.views.serving.predictions import Json
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


class Silent(BaseHTTPRequestHandler):
    """A handler that logs nothing: the test says itself what it needs."""

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server with this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def service(status: int, answer: bytes, seen: list[tuple[str, object]]) -> Iterator[str]:
    """A service that gives one answer to everybody, and notes what it was asked."""

    class Handler(Silent):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, json.loads(body)))
            self.answer(status, answer)

    with listening(Handler) as url:
        yield url


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
    assert (
        "127.0.0.1:9/predict_batch?reasons=0 does not answer (Connection refused)"
        in raised.value.what
    )
    assert raised.value.fix == "Start it with `sluice serve`, or leave out --url."


KEY = "k" * 32


@contextmanager
def keyed(key: str, seen: list[str]) -> Iterator[str]:
    """A service that answers whoever sends this key, by the check that the real one makes."""
    hashed = (hashlib.sha256(key.encode()).digest(),)

    class Handler(Silent):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            given = self.headers.get("authorization", "")
            seen.append(given)
            try:
                require_key(hashed, {b"authorization": given.encode()})
                status, body = 200, b'[{"a": 1}, {"a": 2}, {"a": 3}]'
            except Refusal as refused:
                status, body = refused.status, b"{}"
            self.answer(status, body)

    with listening(Handler) as url:
        yield url


@pytest.mark.parametrize("way", ["environment", "file"])
def test_a_key_is_sent_from_the_environment_or_a_file(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    if way == "file":
        monkeypatch.setenv("SLUICE_API_KEY_FILE", str(file))
    else:
        monkeypatch.setenv("SLUICE_API_KEY", f"{KEY}\n")
    seen: list[str] = []
    with keyed(KEY, seen) as url:
        answered = answers.remote(Settings(), "attrition", url).answer(ROWS, False)
    assert len(answered) == 3
    assert seen == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "asks for a key; none was sent"),
        ("another-key-of-the-service", "does not know the key that was sent"),
    ],
)
def test_who_is_not_known_reads_how_a_key_is_given(given: str, sentence: str) -> None:
    with keyed(KEY, []) as url, pytest.raises(UsageError) as raised:
        answers.remote(Settings(api_key=SecretStr(given)), "attrition", url).answer(ROWS, False)
    assert raised.value.what.endswith(sentence)
    assert "SLUICE_API_KEY" in raised.value.fix
    assert not given or given not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://risk.example",
        "http://10.0.0.7:3000",
        "http://127.0.0.1@risk.example",
        "http://127.0.0.1.risk.example",
        "http://localhost.risk.example:80/",
        "http://[2001:db8::1]:3000",
        "http://0.0.0.0:3000",
        "http://user:127.0.0.1@10.0.0.7",
        "http://risk.example#@127.0.0.1",
        "http://risk.example?127.0.0.1",
    ],
)
def test_a_key_crosses_no_network_as_plain_text(url: str) -> None:
    with pytest.raises(UsageError, match="https is required"):
        answers.remote(Settings(api_key=SecretStr(KEY)), "attrition", url)
    answers.remote(Settings(), "attrition", url)


@pytest.mark.parametrize(
    "url",
    ["https://risk.example", "http://localhost:3000", "http://127.0.0.9", "http://[::1]:3000"],
)
def test_a_key_is_sent_by_https_and_to_this_machine(url: str) -> None:
    answers.remote(Settings(api_key=SecretStr(KEY)), "attrition", url)


@pytest.mark.parametrize("content", [b"", b" \n", b"two keys", b"one\ntwo", b"\xff", b"a\x00b"])
def test_a_file_that_holds_no_key_is_refused_without_its_text(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        answers.read_key(Settings(api_key_file=str(file)))
    assert "SLUICE_API_KEY_FILE" in raised.value.what
    text = content.decode("latin-1").strip()
    assert not text or text not in str(raised.value)


def test_of_two_keys_none_is_chosen(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are both set"):
        answers.read_key(Settings(api_key=SecretStr(KEY), api_key_file=str(tmp_path / "key")))
