"""Releases, and what becomes of them with nobody touching anything: Argo CD, Argo Rollouts, `sluice
reconcile`, real pods, and people who ask all the time.
"""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from scipy.stats import binomtest
from support.cluster.candidates import MODEL, Workshop, failing, never_ready, slow
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures
from support.cluster.loop import Loop, moment, taken_back
from support.cluster.story import DEADLINE, Story
from support.cluster.traffic import Traffic, people
from support.cluster.waiting import until
from support.cluster.watch import Watched, watching

NOWHERE = f"sha256:{'1' * 64}"
FIRST_WAIT = datetime.timedelta(minutes=15)
STEPS = [5, 25, 50, 100]
# So long before somebody saw a change it may have been there.
EARLY = 0.5


@pytest.mark.repeated(10)
def test_a_good_candidate_goes_through_all_steps_and_nobody_notices(
    repetition: int,
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    good = workshop.build(f"good{repetition:04}")
    began = time.monotonic()
    assert loop.release(good, f"good{repetition:04}").outcome == "committed"
    until(lambda: story.healthy_with(good), 420, story.told)
    until(lambda: loop.recorded(good), 60, loop.closer.log.read_text, every=1.0)
    ended = time.monotonic()
    record = loop.champion().canary
    assert record
    assert record.ended == "healthy", record
    assert {one.phase for one in record.measured} == {"Successful"}
    assert good not in loop.barred("quarantine")
    # Nobody was failed, and somebody asked all the time.
    assert traffic.failed() == {}
    assert traffic.silence(began) < 2
    assert watched.gap() < 5
    assert watched.out_of_sync() < 30
    weights = watched.weights()
    assert [weight for weight, _ in weights] == [0, *STEPS, 0]
    for piece in pieces(weights, ended, loop.cluster.late):
        mine, asked = traffic.share(good, piece.start, piece.end)
        interval = binomtest(mine, asked).proportion_ci(0.999, method="exact")
        assert interval.low <= piece.most, (piece, mine, asked)
        assert piece.least <= interval.high, (piece, mine, asked)
    figures("seconds", round(ended - began))
    figures("requests", len(traffic.since(began)))
    figures("failed", traffic.failed().total())
    figures("longest silence", round(traffic.silence(began), 2))
    figures("out of sync", round(watched.out_of_sync(), 1))


@dataclass(frozen=True)
class Piece:
    """A piece of the time, and which share of the requests the new image may have answered."""

    start: float
    end: float
    least: float
    most: float


def pieces(weights: list[tuple[int, float]], ended: float, late: float) -> Iterator[Piece]:
    """All of the time: while a weight holds, and around each change, of which the gateway hears
    `late`. After the last weight, which is zero, the new image is stable, and all of it is its own.

    A weight that holds for a moment alone has no time of its own: changes before and after it meet,
    and around both any of these weights may hold.
    """
    before, after = EARLY, late
    shares = [*(weight / 100 for weight, _ in weights[:-1]), 1.0]
    starts = [start for _, start in weights]
    held = list(zip(starts, [*starts[1:], ended + before], shares, strict=True))
    for start, end, share in held:
        if start + after < end - before:
            yield Piece(start + after, end - before, share, share)
    for at in starts[1:]:
        near = [
            share
            for start, end, share in held
            if start - before < at + after and end + after > at - before
        ]
        yield Piece(at - before, at + after, min(near), max(near))


def test_a_candidate_that_fails_is_taken_back_with_nobody_touching_anything(
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    bad = workshop.build("bad00000", change=failing)
    before, began = loop.champion(), time.monotonic()
    loop.release(bad, "bad00000")
    back = taken_back(loop, watched, bad, 180)
    assert back.live.digest == before.digest
    [judged] = story.runs(back.version)
    assert judged["status"]["phase"] == "Failed"
    assert ("Synced", "Degraded") in watched.said()
    assert {weight for weight, _ in watched.weights()} == {0, 5}
    assert "5 % of the traffic" in loop.barred("quarantine")[bad]
    assert back.seconds <= 60
    # Few were asked, and all whom it failed had asked the canary.
    failed = traffic.failed(began)
    assert failed
    assert all(said.startswith("500 ") for said in failed), failed
    mine, asked = traffic.share(bad, began, time.monotonic())
    assert mine + failed.total() < 0.08 * asked
    figures("abort to commit", back.seconds)
    figures("requests of the canary", mine + failed.total())
    # What it found is not found again: a release of the same image is refused.
    assert loop.release(bad, "bad00000").outcome == "quarantined"


def test_a_slow_candidate_is_taken_back_by_its_latency(
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    late = workshop.build("slow0000", change=slow)
    before, began = loop.champion(), time.monotonic()
    loop.release(late, "slow0000")
    back = taken_back(loop, watched, late, 180)
    assert back.live.digest == before.digest
    [judged] = story.runs(back.version)
    assert {
        one["name"] for one in judged["status"]["metricResults"] if one["phase"] == "Failed"
    } == {"latency-p95"}
    assert "latency-p95" in loop.barred("quarantine")[late]
    assert back.seconds <= 60
    assert traffic.failed(began) == {}
    figures("abort to commit", back.seconds)
    figures("requests of the canary", traffic.share(late, began, time.monotonic())[0])


@pytest.mark.parametrize("what", ["never ready", "no such image"])
def test_what_cannot_start_is_parked_and_nobody_notices(
    what: str,
    workshop: Workshop,
    loop: Loop,
    story: Story,
    traffic: Traffic,
    watched: Watched,
    figures: Figures,
) -> None:
    tag = what.replace(" ", "0")[:8]
    digest = workshop.build(tag, change=never_ready) if what == "never ready" else NOWHERE
    before, began = loop.champion(), time.monotonic()
    loop.release(digest, tag)
    if digest == NOWHERE:
        until(lambda: story.waiting() == {"ImagePullBackOff"}, 30, story.told)
    back = taken_back(loop, watched, digest, DEADLINE + 60)
    assert back.live.digest == before.digest
    assert story.runs(back.version) == []
    until(lambda: not story.waiting(), 30, story.told)  # its pod is gone
    assert traffic.failed(began) == {}
    # It has to wait, for longer each time, and is not to blame.
    assert digest not in loop.barred("quarantine")
    [parked] = [one for one in loop.state("parked")["entries"] if one["digest"] == digest]
    assert parked["attempts"] == 1
    assert moment(parked["next"]) - moment(parked["since"]) == FIRST_WAIT
    assert loop.release(digest, tag).outcome == "parked"
    figures("abort to commit", back.seconds)
    figures("seconds", round(time.monotonic() - began))


def test_five_requests_that_succeed_are_too_few_to_go_on(
    workshop: Workshop, cluster: Cluster, loop: Loop, story: Story, figures: Figures
) -> None:
    quiet = workshop.build("quiet000")
    before, began = loop.champion(), time.monotonic()
    loop.release(quiet, "quiet000")
    with watching(story) as watched:
        until(lambda: story.weight() == 5, 120, story.told)
        with people(cluster, workshop) as traffic:
            until(lambda: traffic.share(quiet, 0, time.monotonic())[0] >= 5, 30, every=0.02)
        assert traffic.failed() == {}
        until(story.inconclusive, 60, story.told)
        time.sleep(30)  # nobody goes on by itself
        assert {weight for weight, _ in watched.weights()} == {0, 5}
        assert loop.names(quiet)
        [looked] = story.runs(watched.version(quiet))
        assert looked["status"]["phase"] == "Inconclusive"
        metrics = {one["name"]: one["phase"] for one in looked["status"]["metricResults"]}
        assert metrics["requests"] == "Inconclusive"
        told = loop.typed("status", MODEL).stdout
        assert "inconclusive" in told
        # Whoever has waited for long enough takes it back, and parks it.
        typed = loop.typed("reconcile", MODEL, "--patience", "0")
        assert typed.returncode == 0, typed.stderr
        assert loop.champion().digest == before.digest
        assert quiet in loop.barred("parked")
        until(lambda: story.healthy_with(before.digest), 90, story.told)
    figures("requests of the canary", traffic.share(quiet, 0, time.monotonic())[0])
    figures("seconds", round(time.monotonic() - began))
