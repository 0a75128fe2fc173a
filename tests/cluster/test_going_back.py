"""A newer release in the middle of a canary, and people who go back: in the middle of one, and when
all of it is live.
"""

import time
from dataclasses import dataclass

from support.cluster.candidates import MODEL, Workshop
from support.cluster.fixtures import Figures
from support.cluster.loop import Loop
from support.cluster.story import Story
from support.cluster.traffic import Traffic
from support.cluster.waiting import until
from support.cluster.watch import Watched

from sluice.gitops.state import Champion

REASON = "flags everybody in sales"
ENOUGH = 25  # percent: so far a canary goes before somebody interferes


@dataclass(frozen=True)
class WentBack:
    """How long it took from the key that was pressed, in seconds: until git named it, and until the
    last request that the other image answered.
    """

    commit: float
    last: float


def go_back(loop: Loop, traffic: Traffic, bad: str, before: Champion) -> WentBack:
    """Type `sluice rollback`, and wait until everybody is served as before."""
    story, began = loop.story, time.monotonic()
    typed = loop.typed("rollback", MODEL, "--reason", REASON, "--no-boot")
    assert typed.returncode == 0, typed.stderr
    assert loop.champion().digest == before.digest, typed.stdout
    commit = time.monotonic() - began
    story.refresh()
    until(lambda: story.healthy_with(before.digest), 90, story.told)
    time.sleep(3)
    answered = [one.sent for one in traffic.since(began) if one.image == bad]
    assert loop.barred("quarantine")[bad] == REASON
    return WentBack(commit, max(answered, default=began) - began)


def test_a_newer_release_takes_over_in_the_middle_and_a_person_goes_back_past_both(
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    older, newer = workshop.build("older000"), workshop.build("newer000")
    before, began = loop.champion(), time.monotonic()
    number = before.release + 1
    assert loop.release(older, "older000").outcome == "committed"
    until(lambda: story.weight() == ENOUGH, 180, story.told)
    # Of those that were compared with the same champion, the higher number wins, whoever is live.
    assert loop.write(newer, "newer000", number + 1, before).outcome == "committed"
    story.refresh()
    taken_over = time.monotonic()
    assert loop.write(older, "older000", number, before).outcome == "superseded"
    until(
        lambda: len(watched.weights()) > 4 and watched.weights()[-1][0] == ENOUGH, 240, story.told
    )
    # It begins at its first step, and what was replaced says no more: never two canaries at once.
    weights = [weight for weight, _ in watched.weights()]
    assert weights in ([0, 5, 25, 5, 25], [0, 5, 25, 0, 5, 25]), weights
    said = [one for one in traffic.since(began) if one.image in (older, newer)]
    last = max(one.sent for one in said if one.image == older)
    assert last < min(one.sent for one in said if one.image == newer)
    assert not loop.recorded(older)
    # The last release was never proven, and the one before that is.
    went = go_back(loop, traffic, newer, before)
    assert [weight for weight, _ in watched.weights()][len(weights) :] == [0]
    assert story.runs(watched.version(before.digest)) == []
    assert older not in loop.barred("quarantine")
    assert traffic.failed(began) == {}
    figures("last request of the older", round(last - taken_over, 1))
    figures("in mid-canary: commit", round(went.commit, 1))
    figures("in mid-canary: last request", round(went.last, 1))


def test_a_person_goes_back_from_what_is_live_and_the_next_release_does_not_bring_it_back(
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    regretted, following = workshop.build("regret00"), workshop.build("follow00")
    before, began = loop.champion(), time.monotonic()
    assert loop.release(regretted, "regret00").outcome == "committed"
    until(lambda: story.healthy_with(regretted), 420, story.told)
    until(lambda: loop.recorded(regretted) == "healthy", 60, loop.closer.log.read_text, every=1.0)
    seen, back = len(watched.weights()), time.monotonic()
    analyses = len(story.runs(watched.version(before.digest)))
    went = go_back(loop, traffic, regretted, before)
    # `rollbackWindow`: what went through its steps before skips them.
    assert {weight for weight, _ in watched.weights()[seen:]} <= {0, 100}
    assert len(story.runs(watched.version(before.digest))) == analyses
    healthy = time.monotonic() - back
    assert loop.release(regretted, "regret00").outcome == "quarantined"
    ended = time.monotonic()
    assert loop.release(following, "follow00").outcome == "committed"
    until(lambda: story.weight() == 5, 120, story.told)
    until(lambda: traffic.share(following, ended, time.monotonic())[0] > 0, 30, story.told)
    assert traffic.share(regretted, ended, time.monotonic())[0] == 0
    go_back(loop, traffic, following, before)
    assert set(loop.barred("quarantine")) >= {regretted, following}
    assert traffic.failed(began) == {}
    figures("live: commit", round(went.commit, 1))
    figures("live: last request", round(went.last, 1))
    figures("live: healthy", round(healthy, 1))
