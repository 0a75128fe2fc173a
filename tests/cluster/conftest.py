"""Real controllers, real pods, real traffic: what the tests on Kubernetes share."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import story as stories
from support.cluster import whole
from support.cluster.__main__ import FOLDER
from support.cluster.candidates import MODEL, Workshop
from support.cluster.fixtures import api_server, programs
from support.cluster.story import HOST, KEY, Story, follow, until
from support.cluster.traffic import Traffic, asking
from support.cluster.whole import Cluster

from flows.adapters.registry.remote import Remote
from sluice.model.model_artifact import golden
from sluice.served.scoring import load_model

__all__ = ["api_server", "programs"]
# Requests a second: the canary's twentieth is twenty in a little more than ten seconds.
RATE = 30.0


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The one that `make cluster` brought up."""
    there = whole.found(FOLDER)
    assert there is not None, "no test cluster is up: `make cluster`"
    return there


@pytest.fixture(scope="session")
def workshop(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Builds images for it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    place = Remote(cluster.registry, MODEL)
    return Workshop(tmp_path_factory.mktemp("images"), cache, place)


@pytest.fixture(scope="session")
def first(workshop: Workshop) -> str:
    """The image that serves: its digest."""
    return workshop.build("first000")


@pytest.fixture(scope="module")
def story(
    cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Its first release, by Argo CD, from an empty namespace to three pods that serve."""
    told = stories.begin(cluster.kube(), tmp_path_factory.mktemp("story"))
    told.commit(first, "first000")
    follow(told)
    until(lambda: told.healthy_with(first), 240, told.told)
    yield told
    told.kube.close()


@pytest.fixture
def traffic(cluster: Cluster, story: Story, workshop: Workshop) -> Iterator[Traffic]:
    """People who ask all the time while a test runs, for records of no real person."""
    assert story.healthy_with(story.named()[0]), f"an earlier test left this: {story.told()}"
    model = load_model(workshop.folder / "first000" / "model")
    records = golden(model, count=200).records
    with asking(cluster.gateway, HOST, KEY, records, RATE) as seen:
        time.sleep(2)
        assert seen.seen and not seen.failed()
        yield seen
