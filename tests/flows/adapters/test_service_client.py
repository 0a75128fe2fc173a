"""The client of the running service: scores in order, and what is no answer refused in words."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest

from flows.adapters.service_client import ask
from sluice.errors import SluiceError

RECORDS = [{"age": 30}, {"age": 40}]


class Service(http.server.BaseHTTPRequestHandler):
    """Answers each address with what `answers` says, and notes what it was asked."""

    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}
    asked: ClassVar[dict[str, object]] = {}

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.asked[self.path] = json.loads(self.rfile.read(size))
        status, body = self.answers[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Service.asked = {}
    Service.answers = {
        "/predict": (200, b'{"id": "x", "probability": 0.25}'),
        "/predict_batch": (200, b'[{"probability": 0.25}, {"probability": 1}]'),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scores_come_in_the_order_of_the_records(url: str) -> None:
    scores = ask(url, RECORDS)
    assert scores.dtype == np.float64
    assert scores.tolist() == [0.25, 1.0]
    assert Service.asked == {"/predict": RECORDS[0], "/predict_batch": RECORDS}


def test_numbers_are_read_as_probabilities_are(url: str) -> None:
    Service.answers = {
        "/predict": (200, b'{"id": "x", "value": 125000.01, "unit": "EUR"}'),
        "/predict_batch": (200, b'[{"value": 125000}, {"value": -3.5}]'),
    }
    assert ask(url, RECORDS).tolist() == [125000.0, -3.5]  # as near as 32-bit floats tell apart
    Service.answers["/predict"] = (200, b'{"value": 125001}')
    with pytest.raises(SluiceError, match="different scores for one record"):
        ask(url, RECORDS)


def test_an_answer_with_neither_probability_nor_value_is_none(url: str) -> None:
    Service.answers["/predict_batch"] = (200, b'[{"probability": 0.25}, {"id": "x"}]')
    with pytest.raises(SluiceError, match="neither `probability` nor `value`"):
        ask(url, RECORDS)


def test_a_record_that_is_scored_differently_alone_is_refused(url: str) -> None:
    Service.answers["/predict"] = (200, b'{"probability": 0.26}')
    with pytest.raises(SluiceError, match="different scores for one record"):
        ask(url, RECORDS)


def test_a_refusal_of_the_service_is_passed_on(url: str) -> None:
    Service.answers["/predict_batch"] = (400, b'{"error": "fields"}')
    with pytest.raises(SluiceError, match="/predict_batch answered 400"):
        ask(url, RECORDS)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"probability": "high"}', b'{"score": 0.2}'])
def test_what_is_no_answer_is_refused(body: bytes, url: str) -> None:
    Service.answers["/predict"] = (200, body)
    with pytest.raises(SluiceError, match="/predict answered no scores"):
        ask(url, RECORDS)
