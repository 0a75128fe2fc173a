"""Parts of the cluster that are away in the middle of a canary: it is neither taken back nor
promoted for that, and ends right.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cluster.candidates import Workshop
from support.cluster.story import Story, until
from support.cluster.traffic import Traffic

from flows.adapters.process import run

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outage:
    """At which weight a part is away, for how long, and whether the canary stands still then."""

    weight: int
    part: str
    seconds: float
    holds: bool


# Without `consecutiveErrorLimit`, 42 seconds without Prometheus take a good canary back.
OUTAGES = (
    Outage(5, "prometheus", 60, True),
    Outage(25, "argo-rollouts", 30, True),
    Outage(50, "argocd-application-controller", 30, False),
    Outage(100, "argocd-repo-server", 10, False),
)


@pytest.fixture(scope="module")
def good(workshop: Workshop) -> str:
    """The same model under another digest."""
    return workshop.build("patient0")


def told(word: str, part: str) -> None:
    """Stop or start a part of the cluster that `make cluster` brought up."""
    env = {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    run([sys.executable, "-m", "support.cluster", word, part], env=env)


def measured(story: Story) -> bool:
    """Whether the analysis of this step has looked at least once."""
    runs = story.runs(story.rollout()["status"]["currentPodHash"])
    newest = runs[-1].get("status", {}) if runs else {}
    metrics = newest.get("metricResults", [])
    return newest.get("phase") == "Running" and any(one.get("measurements") for one in metrics)


def test_what_is_away_for_a_while_neither_aborts_nor_promotes(
    good: str, story: Story, traffic: Traffic
) -> None:
    began = time.monotonic()
    story.release(good, "patient0")
    for outage in OUTAGES:
        until(lambda weight=outage.weight: story.weight() == weight, 180, story.told)
        if outage.part == "prometheus":
            until(lambda: measured(story), 60, story.told)
        told("stop", outage.part)
        try:
            stand(story, outage)
        finally:
            told("start", outage.part)
    until(lambda: story.healthy_with(good), 300, story.told)
    assert traffic.failed(began) == {}


def stand(story: Story, outage: Outage) -> None:
    """Watch it through an outage."""
    end = time.monotonic() + outage.seconds
    while time.monotonic() < end:
        assert not story.rollout()["status"].get("abort"), story.told()
        assert not outage.holds or story.weight() == outage.weight, story.told()
        time.sleep(1)
