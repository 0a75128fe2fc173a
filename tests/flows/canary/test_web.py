"""The judge over HTTP: whatever happens, the answer is 200, and it says so."""

import json
import threading
from collections.abc import Iterator

import httpx2
import pytest

from flows.adapters.server import free_port
from flows.canary import web
from flows.canary.question import Reply


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A judge whose Prometheus is away."""
    server = web.server("127.0.0.1", 0, f"http://127.0.0.1:{free_port()}", lambda: 1_790_000_040.0)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


ASKED = json.dumps({"namespace": "a", "canary": "c", "stable": "s", "weight": "5"}).encode()


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (web.PATH, ASKED, "does not answer"),
        (web.PATH, b"{", "cannot be read"),
        (web.PATH, b"x" * 70_000, "at most 65536 bytes"),
        ("/elsewhere", ASKED, "asked at /judge"),
    ],
)
def test_every_question_is_answered_with_200(
    url: str, path: str, body: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = httpx2.post(url + path, content=body, trust_env=False)
    assert answer.status_code == 200
    found = answer.json()["answer"]
    assert found["verdict"] == "inconclusive"
    assert words in found["sentence"]
    assert found["more_requests"] is None
    assert capsys.readouterr().out.startswith("inconclusive: ")


def test_it_tells_prometheus_that_it_answers(url: str) -> None:
    httpx2.post(url + web.PATH, content=ASKED, trust_env=False)
    text = httpx2.get(url + web.METRICS, trust_env=False).text
    assert "sluice_judge_last_answer_timestamp_seconds 1.79000004e+09" in text
    assert 'sluice_judge_answers_total{verdict="fail"} 0.0' in text
    [said] = [line for line in text.splitlines() if 'total{verdict="inconclusive"}' in line]
    assert float(said.split()[1]) >= 1


def test_a_fault_of_the_judge_is_inconclusive_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Reply:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(web, "answer", broken)
    answer = httpx2.post(url + web.PATH, content=ASKED, trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["answer"]["verdict"] == "inconclusive"
    assert "ZeroDivisionError" in answer.json()["answer"]["sentence"]


def test_it_says_that_it_lives(url: str) -> None:
    assert httpx2.get(url + web.ALIVE, trust_env=False).status_code == 200
    assert httpx2.get(url + "/", trust_env=False).status_code == 404
