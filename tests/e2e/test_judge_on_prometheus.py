"""A look at a canary, by a real Prometheus: what it has is counted, judged, and judged the same
again.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.gate_cases import small
from support.prometheus import PROGRAM, History, remembering, scraping

from bento.ops.metrics import Measures
from flows.canary.look import answer
from flows.canary.question import Reply
from sluice.canary.verdict import Change, Expectation
from sluice.errors import Retryable

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs prometheus (apt-get install prometheus)")
START = 1_790_000_040.0  # a full minute
CANARY, STABLE = "5f7c", "9b2d"
IMAGES = {CANARY: f"sha256:{'c' * 64}", STABLE: f"sha256:{'5' * 64}"}
QUESTION: dict[str, Any] = {
    "namespace": "attrition",
    "canary": CANARY,
    "stable": STABLE,
    "weight": "20",  # as the arguments of an analysis are
    "scrape_seconds": "15",
    "policy": {"level": "0.05"},
}


def asked(url: str, now: float, **given: Any) -> Reply:
    return answer(json.dumps(QUESTION | given).encode(), url, now)


def lived(
    history: History,
    version: str,
    pod: str,
    seconds: range,
    flagged: tuple[float, float],
    *,
    without: range = range(0),
    again: int | None = None,
) -> None:
    """The counters of a pod that answers ten requests between scrapes, flags a share of them until
    ten minutes are over, and then another; it was not scraped in the seconds `without`, and its
    process began anew after so many.
    """
    where = {"namespace": "attrition", "rollouts_pod_template_hash": version, "pod": pod}
    rows = np.zeros(2)
    began = START - 1000.0
    for second in seconds:
        if again == second:
            rows, began = np.zeros(2), START + second
        share = flagged[second > 600]
        rows = rows + 10.0 * np.array([1.0 - share, share])
        if second in without:
            continue
        moment = START + second
        history.add("sluice_start_time_seconds", where, moment, began)
        image = {"image": IMAGES[version], "service_name": "attrition"}
        history.add("sluice_build_info", where | image, moment, 1)
        for prediction, tier, least in ((0, "low", "0.20"), (1, "high", "0.70")):
            labels = where | {"prediction": str(prediction), "tier": tier, "bin": least}
            history.add("sluice_judged_rows_total", labels, moment, round(rows[prediction]))
        answered = where | {"endpoint": "/predict", "http_response_code": "200"}
        history.add("bentoml_service_request_total", answered, moment, round(rows.sum()))
        for limit in ("0.005", "0.01", "+Inf"):
            name = "bentoml_service_request_duration_seconds_bucket"
            count = round(rows.sum()) if limit != "0.005" else 0
            history.add(name, answered | {"le": limit}, moment, count)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Forty minutes: the canary says the same for ten, then flags twice as many; one of four pods
    of stable is not scraped for two minutes, and the canary begins anew once. The same version was
    a canary before.
    """
    history = History()
    lived(history, CANARY, "c0", range(-3600, -2400, 15), (0.9, 0.9))
    lived(history, CANARY, "c1", range(5, 2400, 15), (0.3, 0.6), again=305)
    for place in range(4):
        hole = range(420, 525) if place == 0 else range(0)
        name = f"s{place}"
        lived(history, STABLE, name, range(-7000 + place, 2400, 15), (0.3, 0.3), without=hole)
    with remembering(history, tmp_path_factory.mktemp("prometheus")) as found:
        yield found


def test_the_start_is_found_and_the_earlier_rollout_is_no_part_of_this(url: str) -> None:
    found = asked(url, START + 615.0)
    assert found.whole.start.startswith("2026-09-21T")
    given = asked(url, START + 615.0, start=START)
    assert found == given
    assert found.answer.verdict == "pass", found
    flagged = found.whole.measures[0]
    assert flagged.canary == pytest.approx(0.3, abs=0.02)
    assert flagged.stable == pytest.approx(0.3, abs=0.02)


def test_what_says_the_same_passes_and_what_turns_fails_and_stays_so(url: str) -> None:
    words = [asked(url, START + seconds).answer.verdict for seconds in range(30, 2400, 150)]
    assert words[0] == "inconclusive"
    first = words.index("fail")
    assert "pass" in words[:first]
    assert set(words[first:]) == {"fail"}
    assert 600 < 30 + 150 * first < 1200  # it turns after ten minutes
    assert asked(url, START + 2390.0) == asked(url, START + 2390.0)


def test_a_gap_drops_its_blocks_for_both_and_a_restart_counts_from_zero(url: str) -> None:
    found = asked(url, START + 600.0).whole
    assert (found.looks, found.dropped) == (9, 3)
    # Six blocks of four scrapes each; the first scrape of the canary counts nothing.
    assert found.canary_rows == pytest.approx(10 * (6 * 4 - 1), abs=12)
    assert found.stable_rows == pytest.approx(10 * 4 * 6 * 4, abs=40)
    [restarts] = [one for one in found.measures if one.name == "restarts"]
    assert restarts.canary == 1.0


def test_a_split_off_its_weight_and_a_version_that_nobody_saw(url: str) -> None:
    off = asked(url, START + 615.0, weight="50")
    assert off.answer.verdict == "inconclusive"
    assert "50.0 % is required" in off.answer.sentence
    unseen = asked(url, START + 600.0, canary="0000")
    assert unseen.answer.verdict == "inconclusive"
    assert "No pod of the canary was scraped" in unseen.answer.sentence


def test_what_was_foretold_of_both_images_is_expected(url: str) -> None:
    """It flags twice as many after ten minutes, as the replay said."""
    body = json.dumps(QUESTION).encode()

    def foretold(model: str, canary: str, stable: str) -> Expectation:
        assert (model, canary, stable) == ("attrition", IMAGES[CANARY], IMAGES[STABLE])
        return Expectation(
            Change(0.15, 0.16),
            {"high": Change(0.15, 0.16), "low": Change(-0.15, 0.16)},
            (Change(0.0, 1.0),) * 19,
        )

    assert answer(body, url, START + 1200.0).answer.verdict == "fail"
    found = answer(body, url, START + 1200.0, foretold)
    assert found.answer.verdict != "fail"
    assert "(+15.0 % were foretold)" in found.answer.sentence

    def away(_model: str, _canary: str, _stable: str) -> Expectation:
        raise Retryable("the registry does not answer", "Look whether it runs.")

    later = answer(body, url, START + 1200.0, away)
    assert later.answer.verdict == "inconclusive"
    assert "The registry does not answer" in later.answer.sentence


def test_after_its_last_scrape_nothing_is_promoted(url: str) -> None:
    """Prometheus runs and scrapes no more, as after an outage of its own."""
    words = {asked(url, START + 2400.0 + late, start=START).answer.verdict for late in (60, 900)}
    assert words == {"fail"}
    same = answer(
        json.dumps(QUESTION | {"start": START - 5000.0, "canary": "s", "stable": CANARY}).encode(),
        url,
        START,
    )
    assert same.answer.verdict == "inconclusive"


@contextmanager
def exposed(measures: Measures) -> Iterator[int]:
    """The port at which the numbers of a service are scraped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            measures.settle()
            text = measures.text()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def labelled(version: str) -> dict[str, str]:
    return {"namespace": "attrition", "rollouts_pod_template_hash": version, "pod": version}


def _settled(url: str, canary: Measures, stable: Measures) -> Reply:
    """What the judge says as soon as it says fail, while both versions answer; or after two
    minutes.
    """
    began = time.time()
    quick = {"scrape_seconds": 1, "look_seconds": 2, "start": began}
    found = asked(url, began, **quick)
    while found.answer.verdict != "fail" and time.time() < began + 120:
        for _ in range(20):
            for measures, many in ((canary, 2), (stable, 8)):
                for number in range(many):
                    measures.request("/predict", 200, 0.004)
                    measures.judged(0.7 if measures is canary or number % 4 == 0 else 0.2)
            time.sleep(0.05)
        found = asked(url, time.time(), **quick)
    return found


def test_the_counters_of_the_service_are_what_the_judge_reads(tmp_path: Path) -> None:
    """From the service's own numbers, over scrapes as they are made, to the verdict."""
    labels = {"service_name": "sluice", "service_version": "1", "runner_name": "sluice"}
    canary, stable = (Measures(small(), {}, 0.5, labels) for _ in range(2))
    with exposed(canary) as one, exposed(stable) as other:
        targets = [(one, labelled(CANARY)), (other, labelled(STABLE))]
        with scraping(targets, tmp_path) as url:
            found = _settled(url, canary, stable)
    assert found.answer.verdict == "fail", found
    flagged = found.whole.measures[0]
    assert flagged.canary == 1.0
    assert flagged.stable == pytest.approx(0.25, abs=0.05)
    assert found.whole.canary_rows > 50
