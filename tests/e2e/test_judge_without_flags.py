"""A look at a canary that flags nothing, by a real Prometheus that has what services tell: numbers,
and several classes.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import deliveries, parcels
from support.prometheus import PROGRAM, History, remembering

from bento.ops.metrics import Measures
from flows.canary.look import answer
from flows.canary.question import Reply

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs prometheus (apt-get install prometheus)")
START = 1_790_000_040.0  # a full minute
CANARY, STABLE = "5f7c", "9b2d"
SECONDS = range(5, 1200, 15)
PER_SCRAPE = {CANARY: 10, STABLE: 40}
LABELS = {"service_name": "it", "service_version": "1", "runner_name": "sluice"}
Draw = Callable[[np.random.Generator, int], np.ndarray]


def lived(history: History, version: str, measures: Measures, draw: Draw) -> None:
    """What a pod tells at each scrape, between which it answers requests with what is drawn."""
    chance = np.random.default_rng(len(version) + PER_SCRAPE[version])
    where = {"namespace": "it", "rollouts_pod_template_hash": version, "pod": version}
    for second in SECONDS:
        for score in draw(chance, PER_SCRAPE[version]).tolist():
            measures.judged(score)
            measures.request("/predict", 200, 0.004)
        measures.settle()
        for family in text_string_to_metric_families(measures.text().decode()):
            for sample in family.samples:
                history.add(sample.name, where | sample.labels, START + second, sample.value)


@contextmanager
def prometheus(
    folder: Path, made: Callable[[], Measures], canary: Draw, stable: Draw
) -> Iterator[str]:
    """The address of a Prometheus that scraped both versions for twenty minutes."""
    history = History()
    lived(history, CANARY, made(), canary)
    lived(history, STABLE, made(), stable)
    with remembering(history, folder) as url:
        yield url


def asked(url: str, seconds: float) -> Reply:
    question = {"namespace": "it", "canary": CANARY, "stable": STABLE, "weight": "20"}
    return answer(json.dumps({**question, "start": START}).encode(), url, START + seconds)


def of_numbers() -> Measures:
    return Measures(deliveries.contract(), {}, float("nan"), LABELS, (), (30.0, 60.0))


def of_classes() -> Measures:
    return Measures(parcels.contract(), {}, float("nan"), LABELS, parcels.WEIGHTS)


def numbers(middle: float) -> Draw:
    return lambda chance, rows: np.clip(chance.normal(middle, 15.0, rows), 0.0, 240.0)


def classes(*shares: float) -> Draw:
    def draw(chance: np.random.Generator, rows: int) -> np.ndarray:
        found = np.full((rows, 3), 0.02)
        found[np.arange(rows), chance.choice(3, rows, p=shares)] = 0.96
        return found

    return draw


@pytest.mark.parametrize(
    ("made", "same", "other", "rows"),
    [
        (of_numbers, numbers(50), numbers(65), "answered with at most"),
        (of_classes, classes(0.1, 0.3, 0.6), classes(0.1, 0.6, 0.3), "answered with “on time”"),
    ],
    ids=["numbers", "classes"],
)
def test_what_says_the_same_passes_in_time_and_another_model_is_taken_back(
    made: Callable[[], Measures], same: Draw, other: Draw, rows: str, tmp_path: Path
) -> None:
    for name, canary, last in (("same", same, "pass"), ("other", other, "fail")):
        folder = tmp_path / name
        folder.mkdir()
        with prometheus(folder, made, canary, same) as url:
            words = [asked(url, seconds).answer.verdict for seconds in (45, 200, 1190)]
            found = asked(url, 1190)
        assert words[0] == "inconclusive"  # a few rows pass no step
        assert words[-1] == last, found
        watched = found.answer.measures[0]
        assert watched.name == "flagged"
        assert watched.rows.startswith(rows)
        assert watched.stable == pytest.approx(0.5 if made is of_numbers else 0.6, abs=0.08)
