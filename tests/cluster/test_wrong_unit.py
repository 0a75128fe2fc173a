"""A candidate that was trained on months, where years are served: it answers 200, and is wrong."""

import statistics
import time
from collections.abc import Iterator

import pytest
from support.cluster.beside import Beside
from support.cluster.candidates import QUARTER_OF_YEARS, Workshop
from support.cluster.fixtures import Figures
from support.cluster.judging import ANALYSIS, MOST, wrong_and_taken_back
from support.cluster.loop import Loop, playing
from support.cluster.traffic import Traffic
from support.cluster.watch import Watched
from support.cluster.whole import Cluster

YEARS, MONTHS = 1, 12  # what a year is written as


@pytest.fixture(scope="module")
def loop(
    cluster: Cluster,
    first: str,
    judge: Beside,
    workshop: Workshop,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Loop]:
    """A first release that was trained on years; `first` is what people ask about."""
    assert first
    assert judge.running
    years = workshop.build("years000", threshold=QUARTER_OF_YEARS, a_year=YEARS)
    with playing(cluster, years, tmp_path_factory.mktemp("story"), ANALYSIS) as played:
        yield played


@pytest.fixture(scope="module")
def asked() -> list[int]:
    """How many requests each wrong candidate answered."""
    return []


@pytest.mark.repeated(10)
def test_a_candidate_trained_on_months_is_taken_back_with_nobody_touching_anything(
    repetition: int,
    asked: list[int],
    workshop: Workshop,
    loop: Loop,
    traffic: Traffic,
    watched: Watched,
    judge: Beside,
    figures: Figures,
) -> None:
    tag = f"month{repetition:03}"
    months = workshop.build(tag, threshold=QUARTER_OF_YEARS, a_year=MONTHS)
    back = wrong_and_taken_back(loop, watched, judge, months, tag)
    asked.append(traffic.share(months, back.began, time.monotonic())[0])
    assert 0 < statistics.median(asked) <= MOST, asked
    assert traffic.failed(back.began) == {}
    figures("seconds", round(time.monotonic() - back.began))
    figures("abort to commit", back.seconds)
    figures("requests of the canary", asked[-1])
