"""Candidates that answer 200 and are wrong, judged by what they say: `sluice judge` behind the
shipped component, and `sluice reconcile`, beside the controllers.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.cluster.beside import Beside
from support.cluster.candidates import FIFTEEN_MORE, QUARTER_OF_YEARS, Workshop
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.judging import ANALYSIS, wrong_and_taken_back
from support.cluster.loop import Loop, playing
from support.cluster.story import Story
from support.cluster.traffic import RATE, Traffic, asking, records_of
from support.cluster.watch import Watched

YEARS = 1  # what a year is written as
TIMES, MOST = 10, 250  # candidates of a drill, and requests of the canary in the median
LOOKS = 60  # ten seconds apart, in which the canary answers about 30 requests


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
    with playing(cluster, years, tmp_path_factory.mktemp("story"), ANALYSIS, looks=LOOKS) as played:
        yield played


@dataclass(frozen=True)
class Wrong:
    """A candidate: its threshold, and what a year was written as when it was trained."""

    name: str
    threshold: float
    a_year: int


MONTHS = Wrong("months", QUARTER_OF_YEARS, 12)
MORE = Wrong("fifteen", FIFTEEN_MORE, YEARS)


@pytest.fixture(scope="module")
def asked() -> Iterator[dict[str, list[int]]]:
    """How many requests of each wrong candidate the judge had seen, by its name; at the end of a
    drill, their median is looked at.
    """
    found: dict[str, list[int]] = {MONTHS.name: [], MORE.name: []}
    yield found
    for counts in found.values():
        assert len(counts) < TIMES or statistics.median(counts) <= MOST, found


@pytest.fixture
def crowd(cluster: Cluster, story: Story, workshop: Workshop) -> Iterator[Traffic]:
    """Twice as many people as elsewhere, of whom the canary answers about three a second."""
    assert story
    with asking(cluster.gateway, records_of(workshop), 2 * RATE) as seen:
        time.sleep(2)
        assert seen.seen
        assert not seen.failed()
        yield seen


@pytest.mark.repeated(TIMES)
@pytest.mark.parametrize("wrong", [MONTHS, MORE], ids=lambda one: one.name)
def test_a_candidate_that_answers_200_and_is_wrong_is_taken_back_with_nobody_touching_anything(
    repetition: int,
    wrong: Wrong,
    asked: dict[str, list[int]],
    workshop: Workshop,
    loop: Loop,
    crowd: Traffic,
    watched: Watched,
    judge: Beside,
    figures: Figures,
) -> None:
    tag = f"{wrong.name}{repetition}"
    digest = workshop.build(tag, threshold=wrong.threshold, a_year=wrong.a_year)
    back = wrong_and_taken_back(loop, watched, judge, digest, tag)
    asked[wrong.name].append(back.requests)
    assert back.requests > 0
    assert crowd.failed(back.began) == {}
    figures("seconds", round(time.monotonic() - back.began))
    figures("abort to commit", back.seconds)
    figures("requests of the canary", asked[wrong.name][-1])
