"""Commits, and what becomes of them: Argo CD, Argo Rollouts, real pods, and people who ask all the
time.
"""

import itertools
import time

import pytest
from scipy.stats import binomtest
from support.cluster.candidates import Workshop, failing
from support.cluster.story import DEADLINE, Story, until
from support.cluster.traffic import Traffic

NOWHERE = f"sha256:{'1' * 64}"
STEPS = [5, 25, 50, 100]


@pytest.fixture(scope="module")
def good(workshop: Workshop) -> str:
    """The same model under another digest."""
    return workshop.build("good0000")


@pytest.fixture(scope="module")
def bad(workshop: Workshop) -> str:
    """An image whose every second answer is a 500."""
    return workshop.build("bad00000", change=failing)


def test_a_good_candidate_goes_through_all_steps_and_nobody_notices(
    good: str, story: Story, traffic: Traffic
) -> None:
    began = time.monotonic()
    story.release(good, "good0000")
    weights = [(0, began)]
    while not story.healthy_with(good):
        assert time.monotonic() < began + 420, story.told()
        weight = story.weight()
        if weight != weights[-1][0]:
            weights.append((weight, time.monotonic()))
        time.sleep(0.2)
    if weights[-1][0]:
        weights.append((0, time.monotonic()))
    assert [weight for weight, _ in weights] == [0, *STEPS, 0]
    assert traffic.failed() == {}
    for (weight, start), (_, end) in itertools.pairwise(weights[1:]):
        # The gateway hears of a weight a moment late.
        mine, asked = traffic.share(good, start + 1, end - 0.5)
        interval = binomtest(mine, asked).proportion_ci(0.999, method="exact")
        assert interval.low <= weight / 100 <= interval.high, (weight, mine, asked)
    verdicts = {run["status"]["phase"] for run in story.runs(story.rollout()["status"]["stableRS"])}
    assert verdicts == {"Successful"}


def test_a_candidate_that_fails_is_taken_back_and_argo_cd_says_so(
    bad: str, story: Story, traffic: Traffic
) -> None:
    before, began = story.named(), time.monotonic()
    story.release(bad, "bad00000")
    until(story.aborted, 120, story.told)
    aborted = time.monotonic()
    until(lambda: story.weight() == 0, 10, story.told)  # written just after the abort
    status = story.rollout()["status"]
    assert "RolloutAborted" in status["message"]
    [judged] = story.runs(status["currentPodHash"])
    assert judged["status"]["phase"] == "Failed"
    # Few were asked, and all whom it failed had asked the canary.
    failed = traffic.failed(began)
    assert failed and all(said.startswith("500 ") for said in failed), failed
    asked = len(traffic.since(began))
    assert failed.total() < 0.05 * asked, (failed, asked)
    time.sleep(3)
    assert traffic.failed(aborted + 1) == {}
    story.restore(*before)
    assert traffic.failed(aborted + 1) == {}


def test_an_image_that_no_registry_has_is_given_up_and_nobody_notices(
    story: Story, traffic: Traffic
) -> None:
    before, began = story.named(), time.monotonic()
    story.release(NOWHERE, "nowhere0")
    until(lambda: story.waiting() == {"ImagePullBackOff"}, 30, story.told)
    until(story.aborted, DEADLINE + 60, story.told)
    assert time.monotonic() - began > DEADLINE
    until(lambda: story.weight() == 0, 10, story.told)  # written just after the abort
    until(lambda: not story.waiting(), 30, story.told)  # its pod is gone
    assert story.runs(story.rollout()["status"]["currentPodHash"]) == []
    story.restore(*before)
    assert traffic.failed(began) == {}
