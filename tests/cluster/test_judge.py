"""What the judge cannot see stops nothing and promotes nothing: `sluice judge` behind the shipped
component, and `sluice reconcile`, beside the controllers.
"""

import time
from collections.abc import Iterator

import pytest
from support.cluster.beside import Beside
from support.cluster.candidates import MODEL, Workshop
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.judging import ANALYSIS
from support.cluster.loop import Loop, playing
from support.cluster.story import Story
from support.cluster.traffic import Traffic, asking, records_of
from support.cluster.waiting import until
from support.cluster.watch import Watched

SHORTCUT = "shortcut.example.com"


@pytest.fixture(scope="module")
def loop(
    cluster: Cluster, first: str, judge: Beside, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    """A first release whose candidates are judged by what they say."""
    assert judge.running
    with playing(cluster, first, tmp_path_factory.mktemp("story"), ANALYSIS) as played:
        yield played


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
