"""The other ways by which a release takes the place of the one before: by pods alone, without a
router, and all requests at once.
"""

import time
from collections.abc import Iterator

import pytest
from scipy.stats import binomtest
from support.cluster.candidates import MODEL, Workshop, failing
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.loop import Loop, playing, taken_back
from support.cluster.traffic import RATE, Traffic, asking, people, records_of
from support.cluster.waiting import until
from support.cluster.watch import watching

REPLICAS = "components/replicas"
AFTER_SWITCH = "components/blue-green/analysis.yaml"
ANALYSIS = 2  # the number of the step, from zero, in which a quarter of the pods is looked at
INGRESS = "everywhere.example.com"
AT_ONCE = 5.0  # seconds: the gateway hears a moment late of other endpoints


@pytest.fixture
def divided(
    cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    """A first release whose candidates get the share of their pods."""
    folder = tmp_path_factory.mktemp("story")
    with playing(cluster, first, folder, more=REPLICAS) as played:
        yield played


@pytest.fixture
def switched(
    cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    """A first release whose candidates get all requests at once."""
    with playing(cluster, first, tmp_path_factory.mktemp("story"), AFTER_SWITCH) as played:
        yield played


def test_without_a_router_a_candidate_gets_the_share_of_its_pods(
    cluster: Cluster, workshop: Workshop, divided: Loop, figures: Figures
) -> None:
    good, story = workshop.build("divided0"), divided.story
    # Whoever has no router has an Ingress to the Service of all pods.
    with (
        story.shortcut(INGRESS, MODEL),
        asking(cluster.gateway, records_of(workshop), RATE, INGRESS) as traffic,
    ):
        until(lambda: traffic.seen and traffic.seen[-1].status == 200, 30)
        began = time.monotonic()
        assert divided.release(good, "divided0").outcome == "committed"
        until(lambda: story.step() == ANALYSIS, 120, story.told)
        analysed = time.monotonic()
        until(lambda: story.step() > ANALYSIS, 120, story.told)
        mine, asked = traffic.share(good, analysed, time.monotonic() - 1)
        until(lambda: story.healthy_with(good), 300, story.told)
        until(lambda: divided.recorded(good) == "healthy", 60, story.told, every=1.0)
    interval = binomtest(mine, asked).proportion_ci(0.999, method="exact")
    assert interval.low <= 0.25 <= interval.high, (mine, asked)
    assert traffic.failed(began) == {}
    figures("first step", f"{mine} of {asked}")
    figures("seconds", round(time.monotonic() - began))


def test_all_requests_go_over_at_once_and_back_where_the_candidate_fails(
    cluster: Cluster, workshop: Workshop, switched: Loop, figures: Figures
) -> None:
    good, bad = workshop.build("blue0000"), workshop.build("green000", change=failing)
    story = switched.story
    with people(cluster, workshop) as traffic, watching(story) as watched:
        until(lambda: traffic.seen and traffic.seen[-1].status == 200, 30)
        began = time.monotonic()
        assert switched.release(good, "blue0000").outcome == "committed"
        until(lambda: story.healthy_with(good), 300, story.told)
        until(lambda: switched.recorded(good) == "healthy", 60, story.told, every=1.0)
        healthy = time.monotonic()
        # Nobody was failed, and the two were heard in turn for a moment alone.
        assert traffic.failed(began) == {}
        assert both(traffic, good, began) < AT_ONCE
        figures("both were heard for", round(both(traffic, good, began), 2))
        before = switched.champion()
        assert switched.release(bad, "green000").outcome == "committed"
        back = taken_back(switched, watched, bad, 240)
        assert back.live.digest == before.digest
        assert bad in switched.barred("quarantine")
        [judged] = story.runs(back.version)
        assert judged["status"]["phase"] == "Failed"
    assert traffic.failed(healthy)
    figures("abort to commit", back.seconds)
    figures("seconds", round(time.monotonic() - began))


def both(traffic: Traffic, new: str, began: float) -> float:
    """How long answers of the new image and of the one before came in turn, in seconds."""
    seen = [one for one in traffic.since(began) if one.status == 200]
    first = min(one.sent for one in seen if one.image == new)
    return max(0.0, max(one.sent for one in seen if one.image != new) - first)
