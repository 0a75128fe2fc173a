"""Parts that are away in the middle of a canary: it is neither taken back nor promoted for that. No
pipeline runs in any scene: from the commit on, none is needed.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.cluster.candidates import Workshop
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.loop import Loop, playing
from support.cluster.story import Story
from support.cluster.traffic import Traffic
from support.cluster.waiting import until
from support.cluster.watch import Watched

SHIPPED = 300  # seconds without progress, in the manifests: longer than any part is away
CLOSER = "sluice reconcile"
STEPS = [5, 25, 50, 100]
LONG = 120.0  # seconds


@dataclass(frozen=True)
class Outage:
    """From which weight on a part is away, for how long, and whether the canary stands still."""

    weight: int
    part: str
    seconds: float
    holds: bool


# Without `consecutiveErrorLimit`, 42 seconds without Prometheus take a good canary back.
OUTAGES = (
    Outage(5, "prometheus", 60, True),
    Outage(25, "argo-rollouts", 30, True),
    Outage(50, "node", 20, False),
    Outage(50, "argocd-application-controller", 30, False),
    Outage(100, "argocd-repo-server", 10, False),
)
# One canary stands all of a line; the loop closer is away for the whole of it. Pods of a node are
# given up after 40 seconds.
LONG_OUTAGES = (
    (
        Outage(5, "prometheus", LONG, True),
        Outage(25, "argo-rollouts", LONG, True),
        Outage(50, "argocd-application-controller", LONG, False),
    ),
    (Outage(5, "node", 20, False), Outage(25, "argocd-repo-server", LONG, False)),
)


@pytest.fixture(scope="module")
def loop(cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """A first release, with the deadline that is shipped."""
    folder = tmp_path_factory.mktemp("story")
    with playing(cluster, first, folder, deadline=SHIPPED) as played:
        yield played


def test_what_is_away_for_a_while_neither_aborts_nor_promotes(
    workshop: Workshop, loop: Loop, story: Story, traffic: Traffic, watched: Watched
) -> None:
    good = workshop.build("patient0")
    began = time.monotonic()
    loop.release(good, "patient0")
    with away(loop, CLOSER):
        for outage in OUTAGES:
            until(lambda weight=outage.weight: story.weight() == weight, 180, story.told)
            stand(loop, watched, outage, good)
        until(lambda: story.healthy_with(good), 300, story.told)
        assert not loop.recorded(good)
    until(lambda: loop.recorded(good) == "healthy", 60, loop.closer.log.read_text, every=1.0)
    assert traffic.failed(began) == {}


@pytest.mark.drill
@pytest.mark.repeated(3)
@pytest.mark.parametrize("outages", LONG_OUTAGES, ids=lambda many: many[0].part)
def test_what_is_away_for_two_minutes_neither_aborts_nor_promotes(
    repetition: int,
    outages: tuple[Outage, ...],
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    tag = f"{outages[0].part.removeprefix('argocd-')[:7]}{repetition}"
    good = workshop.build(tag)
    began = time.monotonic()
    loop.release(good, tag)
    with away(loop, CLOSER):
        gone = time.monotonic()
        for outage in outages:
            until(lambda weight=outage.weight: story.weight() >= weight, 300, story.told)
            stand(loop, watched, outage, good)
        until(lambda: story.healthy_with(good), 420, story.told)
        assert not loop.recorded(good)
        assert time.monotonic() - gone > LONG
    until(lambda: loop.recorded(good) == "healthy", 60, loop.closer.log.read_text, every=1.0)
    assert traffic.failed(began) == {}
    assert [weight for weight, _ in watched.weights()] == [0, *STEPS, 0]
    figures("seconds", round(time.monotonic() - began))


def stand(loop: Loop, watched: Watched, outage: Outage, good: str) -> None:
    """Watch it through an outage."""
    story = loop.story
    if outage.part == "prometheus":
        until(story.measured, 60, story.told)
    with away(loop, outage.part):
        end = time.monotonic() + outage.seconds
        while time.monotonic() < end:
            assert not watched.aborted(good), story.told()
            assert not outage.holds or story.weight() == outage.weight, story.told()
            time.sleep(1)


@contextlib.contextmanager
def away(loop: Loop, part: str) -> Iterator[None]:
    """A part is not there while the block runs."""
    if part == CLOSER:
        loop.closer.kill()
    else:
        loop.cluster.stop(part)
    try:
        yield
    finally:
        if part == CLOSER:
            loop.closer.begin()
        else:
            loop.cluster.start(part)
