"""How many pods there are: an autoscaler, a person, and Argo CD, which fights neither."""

import time
from collections.abc import Iterator

import pytest
from support.cluster import loop
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.story import DEADLINE, Story, beginning, follow
from support.cluster.waiting import until
from support.cluster.watch import Watched

FEWEST = 3  # of the shipped autoscaler
AWHILE = 50  # seconds: two looks of Argo CD, three of the autoscaler


@pytest.fixture(name="story", scope="module")
def scaled(
    cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """A first release whose number of pods is an autoscaler's. Here nothing tells it of load, so
    Argo CD calls it Degraded; its least and most it keeps.
    """
    folder, more = tmp_path_factory.mktemp("story"), "components/autoscaling"
    with beginning(cluster, folder, "base/analysis.yaml", more, DEADLINE) as told:
        loop.begin(cluster, told, folder).write(first, "first000", 1, None)
        follow(told)
        # The Rollout names no number, which is one; the autoscaler makes it the fewest.
        until(lambda: told.ready() == FEWEST, 400, told.told)
        until(lambda: told.application()[0] == "Synced", 30, told.told)
        yield told


def test_who_scales_by_hand_is_not_fought(story: Story, watched: Watched, figures: Figures) -> None:
    began = time.monotonic()
    story.scale(FEWEST + 1)
    until(lambda: story.ready() == FEWEST + 1, 90, story.told)
    took, end = time.monotonic() - began, time.monotonic() + AWHILE
    while time.monotonic() < end:
        assert story.rollout()["spec"]["replicas"] == FEWEST + 1
        time.sleep(1)
    # Fewer than the fewest is what the autoscaler does not let be, and Argo CD has no say in it.
    story.scale(1)
    until(lambda: story.rollout()["spec"]["replicas"] == FEWEST, 60, story.told)
    until(lambda: story.ready() == FEWEST, 90, story.told)
    assert watched.moments
    assert {one.sync for one in watched.moments} == {"Synced"}
    figures("a fourth pod after", round(took))
