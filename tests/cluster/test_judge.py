"""A candidate that answers 200 and is wrong: taken back by `sluice judge`, behind the shipped
component.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import network
from support.cluster import story as stories
from support.cluster.candidates import HALF, Workshop
from support.cluster.story import Story, follow, until
from support.cluster.traffic import Traffic
from support.cluster.whole import Cluster

from flows.adapters import server

PROMETHEUS = f"http://{network.HOST}:9090"
ANALYSIS = "components/judge/analysis.yaml"
PORT = 8080  # the one that the analysis names


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`sluice judge`, at the address that the component names; what it prints."""
    log = tmp_path_factory.mktemp("judge") / "log"
    program = Path(sys.executable).parent / "sluice"
    words = [program, "judge", "--host", network.HOST, "--port", str(PORT)]
    started = server.start([*words, "--prometheus", PROMETHEUS], PORT, log)
    try:
        until(lambda: "Judging on" in log.read_text(), 60, log.read_text)
        yield log
    finally:
        started.stop()


@pytest.fixture(scope="module")
def story(
    cluster: Cluster, first: str, judge: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """A first release whose candidates are judged by what they say."""
    told = stories.begin(cluster.kube(), tmp_path_factory.mktemp("story"), ANALYSIS)
    told.commit(first, "first000")
    follow(told)
    until(lambda: told.healthy_with(first), 240, told.told)
    yield told
    told.kube.close()


@pytest.fixture(scope="module")
def wrong(workshop: Workshop) -> str:
    """The same model with another threshold: it flags a half, where the first one flags a
    quarter.
    """
    return workshop.build("wrong000", threshold=HALF)


def test_a_candidate_that_answers_200_and_is_wrong_is_taken_back(
    wrong: str, story: Story, traffic: Traffic, judge: Path
) -> None:
    before, began = story.named(), time.monotonic()
    story.release(wrong, "wrong000")
    until(story.aborted, 240, story.told)
    ended = time.monotonic()
    until(lambda: story.weight() == 0, 10, story.told)
    [judged] = story.runs(story.rollout()["status"]["currentPodHash"])  # at 5 %, and no further
    assert judged["status"]["phase"] == "Failed"
    assert "fail: " in judge.read_text()
    mine, asked = traffic.share(wrong, began, ended)
    assert 0 < mine < 0.1 * asked
    story.restore(*before)
    assert traffic.failed(began) == {}
