"""Candidates that answer 200, judged by what they say: `sluice judge` behind the shipped component,
and `sluice reconcile`, beside the controllers.
"""

import statistics
import time
from collections.abc import Iterator

import pytest
from support.cluster.beside import Beside
from support.cluster.candidates import FIFTEEN_MORE, MODEL, Workshop
from support.cluster.fixtures import Figures
from support.cluster.judging import ANALYSIS, MOST, wrong_and_taken_back
from support.cluster.loop import Loop, playing
from support.cluster.story import Story, until
from support.cluster.traffic import RATE, Traffic, asking, records_of
from support.cluster.watch import Watched
from support.cluster.whole import Cluster

SHORTCUT = "shortcut.example.com"


@pytest.fixture(scope="module")
def loop(
    cluster: Cluster, first: str, judge: Beside, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    """A first release whose candidates are judged by what they say."""
    assert judge.running
    with playing(cluster, first, tmp_path_factory.mktemp("story"), ANALYSIS) as played:
        yield played


@pytest.fixture(scope="module")
def asked() -> list[int]:
    """How many requests each wrong candidate answered."""
    return []


@pytest.fixture
def crowd(cluster: Cluster, story: Story, workshop: Workshop) -> Iterator[Traffic]:
    """Twice as many people as elsewhere: in the shortened step the canary answers as many as are
    needed to tell 15 in 100 from the 5 that are tolerated, about 200.
    """
    assert story
    with asking(cluster.gateway, records_of(workshop), 2 * RATE) as seen:
        time.sleep(2)
        assert seen.seen
        assert not seen.failed()
        yield seen


@pytest.mark.repeated(10)
def test_a_candidate_that_answers_200_and_is_wrong_is_taken_back_with_nobody_touching_anything(
    repetition: int,
    asked: list[int],
    workshop: Workshop,
    loop: Loop,
    story: Story,
    crowd: Traffic,
    watched: Watched,
    judge: Beside,
    figures: Figures,
) -> None:
    # It flags 15 rows in 100 more than the first one, which flags a quarter.
    wrong = workshop.build(f"wrong{repetition:03}", threshold=FIFTEEN_MORE)
    back = wrong_and_taken_back(loop, watched, judge, wrong, f"wrong{repetition:03}")
    asked.append(crowd.share(wrong, back.began, time.monotonic())[0])
    assert 0 < statistics.median(asked) <= MOST, asked
    assert crowd.failed(back.began) == {}
    figures("seconds", round(time.monotonic() - back.began))
    figures("abort to commit", back.seconds)
    figures("requests of the canary", asked[-1])


def test_a_split_off_its_weight_is_named_and_goes_no_further(
    cluster: Cluster,
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    crowded = workshop.build("crowded0")
    before, began = loop.champion(), time.monotonic()
    loop.release(crowded, "crowded0")
    until(lambda: story.weight() == 5, 120, story.told)
    # Clients that stay with the canary, whatever the route says.
    with (
        story.shortcut(SHORTCUT),
        asking(cluster.gateway, records_of(workshop), 6, SHORTCUT) as staying,
    ):
        until(story.inconclusive, 180, story.told)
    [looked] = story.runs(watched.version(crowded))
    [metric] = looked["status"]["metricResults"]
    said = [one["value"] for one in metric["measurements"][1:]]  # the first one may be too early
    assert all("5.0 % is required" in one for one in said), said
    assert {weight for weight, _ in watched.weights()} == {0, 5}
    assert "5.0 % is required" in loop.typed("canary", MODEL).stdout
    typed = loop.typed("reconcile", MODEL, "--patience", "0")
    assert typed.returncode == 0, typed.stderr
    assert loop.champion().digest == before.digest
    assert crowded in loop.barred("parked")
    until(lambda: story.healthy_with(before.digest), 90, story.told)
    # For a new route the gateway of the tests begins anew, which fails a request or two.
    mine, _ = staying.share(crowded, 0, time.monotonic())
    assert mine > 0.9 * len(staying.seen), staying.failed()
    figures("seconds", round(time.monotonic() - began))


@pytest.mark.repeated(3)
def test_a_judge_that_is_away_neither_aborts_nor_promotes(
    repetition: int,
    drill: bool,
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    judge: Beside,
    figures: Figures,
) -> None:
    tag = f"unheard{repetition}"
    unheard = workshop.build(tag)
    before, began = loop.champion(), time.monotonic()
    loop.release(unheard, tag)
    until(lambda: story.weight() == 5, 120, story.told)
    until(lambda: story.measured(), 60, story.told)
    judge.kill()
    end = time.monotonic() + (120 if drill else 60)
    while time.monotonic() < end:
        assert not watched.aborted(unheard), story.told()
        assert story.weight() == 5
        time.sleep(1)
    judge.begin()
    until(lambda: story.weight() == 25, 180, story.told)
    assert {one["status"]["phase"] for one in story.runs(watched.version(unheard))[:1]} == {
        "Successful"
    }
    # Enough was seen: a person ends it, and everybody is served as before at once.
    typed = loop.typed("rollback", MODEL, "--reason", "enough was seen", "--no-boot")
    assert typed.returncode == 0, typed.stderr
    story.refresh()
    until(lambda: story.healthy_with(before.digest), 90, story.told)
    assert traffic.failed(began) == {}
    figures("seconds", round(time.monotonic() - began))
