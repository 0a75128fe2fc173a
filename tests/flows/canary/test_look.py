"""A look at a canary where there is nothing to look at; tests/e2e/test_judge_on_prometheus.py has
those at a real Prometheus.
"""

import json
from typing import Any

import pytest

from flows.adapters.server import free_port
from flows.canary.look import answer

START = 1_790_000_040.0  # a full minute
CANARY, STABLE = "5f7c", "9b2d"
QUESTION: dict[str, Any] = {
    "namespace": "attrition",
    "canary": CANARY,
    "stable": STABLE,
    "weight": "20",  # as the arguments of an analysis are
    "scrape_seconds": "15",
    "policy": {"level": "0.05"},
}


def test_without_prometheus_the_answer_is_inconclusive() -> None:
    found = answer(json.dumps(QUESTION).encode(), f"http://127.0.0.1:{free_port()}", START)
    assert found.answer.verdict == "inconclusive"
    assert "does not answer" in found.answer.sentence


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff{}", "cannot be read"),
        (json.dumps(QUESTION | {"other": 1}).encode(), "cannot be read"),
        (json.dumps(QUESTION | {"weight": "0"}).encode(), "above 0 and at most 100 is required"),
        (json.dumps(QUESTION | {"canary": 'a"} or up{'}).encode(), "no name of Kubernetes"),
        (json.dumps(QUESTION | {"canary": STABLE}).encode(), "two are required"),
        (json.dumps(QUESTION | {"policy": {"lavel": 1}}).encode(), "no limit of a canary"),
        (json.dumps(QUESTION | {"policy": {"tolerance": 0.2}}).encode(), "alarming is 0.15"),
        (
            json.dumps(QUESTION | {"look_seconds": 5}).encode(),
            "1 to look_seconds and at most 3600 are required",
        ),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(body: bytes, words: str) -> None:
    found = answer(body, "http://127.0.0.1:1", START)
    assert found.answer.verdict == "inconclusive"
    assert words in found.answer.sentence
