"""What became of a canary is written to a real manifest repo: once, whoever writes and however
often, and never over what a person did.
"""

import datetime
import json
import os
import shutil
import signal
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from support import rollouts
from support.git_repos import (
    ONE,
    QUARANTINE,
    STATE,
    THREE,
    TWO,
    commits,
    digest,
    document,
    edit,
    image,
    promotion,
    seeded,
    tip,
)
from support.rollouts import ERRORS, FAILED, NEW, NO_REASON, Document

from flows.adapters.git import git
from flows.adapters.kubernetes import Place
from flows.audit.history import history
from flows.canary.alive import Looks
from flows.canary.reconcile import Asked, Report, reconcile
from flows.cli.live.reconcile import run_reconcile, run_watch
from flows.gitops import manifest_repo, quarantine, rollback
from flows.gitops.events import chronicle
from flows.gitops.promotion import promote
from flows.project import settings
from flows.project.settings import Settings
from flows.views.past.history import last
from sluice.canary.rollout import Seen
from sluice.errors import Retryable, SluiceError, UsageError
from sluice.gitops.trailers import read_trailers

PARKED = "state/attrition/parked.json"
NOW = datetime.datetime(2026, 11, 28, 18, 0, tzinfo=datetime.UTC)
SHARE = [rollouts.metric("error-share", "Failed", "[0.5]")]
LATE = "2026-11-28T17:40:30Z"


@cache
def released() -> Path:
    """A home with two releases, made once."""
    home = Path(mkdtemp(prefix="released-", dir=Path.home()))
    given = seeded(home)
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE)], 1):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    return home


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Two releases, the second is live, and a cluster is named."""
    shutil.copytree(released(), tmp_path, dirs_exist_ok=True)
    return settings.load().model_copy(update={"home": tmp_path, "actor": "anna", "cluster": "test"})


class Cluster:
    """A cluster of which one Rollout is known; `asked` are the places that were looked at."""

    def __init__(
        self,
        status: Document,
        runs: Sequence[Document] = (),
        runs_now: str = TWO,
        stable: str = ONE,
    ) -> None:
        versions = rollouts.both(digest(stable), digest(runs_now))
        self.seen = rollouts.seen(rollouts.rollout(digest(runs_now), status), versions, runs)
        self.asked: list[tuple[Place, str]] = []

    def __call__(self, place: Place, name: str) -> Seen:
        self.asked.append((place, name))
        return self.seen


def passed() -> Cluster:
    return Cluster(rollouts.healthy(), rollouts.all_passed())


def failed() -> Cluster:
    return Cluster(rollouts.aborted(FAILED), [rollouts.run(2, "Failed", SHARE)])


def away() -> Cluster:
    message = "consecutiveErrors (5) > consecutiveErrorLimit (4)"
    return Cluster(rollouts.aborted(ERRORS), [rollouts.run(2, "Error", message=message)])


def by_a_person() -> Cluster:
    return Cluster(rollouts.aborted(NO_REASON))


def promoted() -> Cluster:
    return Cluster(rollouts.healthy())


ENDS = [passed, failed, away, by_a_person, promoted]
WRITES = [passed, failed, away]  # each another way to write


def once(given: Settings, cluster: Cluster, **changes: Any) -> Report:
    asked = Asked("attrition", 24, **changes)
    return reconcile(given, asked, cluster, NOW)


def message(given: Settings) -> str:
    [(_, _, text), *_] = git.log(given.manifest_url, "main")
    return text


def test_a_canary_that_passed_is_recorded_beside_the_champion(given: Settings) -> None:
    before, cluster = document(given, STATE), passed()
    report = once(given, cluster)
    assert cluster.asked == [(Place("test", "attrition"), "sluice.local/attrition")]
    assert (report.ending.word, report.written.outcome) == ("healthy", "committed")
    champion = document(given, STATE)
    assert champion.pop("canary") == {
        "ended": "healthy",
        "when": "2026-11-28T18:00:00+00:00",
        "why": "all 4 of its analyses passed",
        "measured": [
            {"metric": "error-share", "phase": "Successful", "value": "0.0014", "looks": 5}
        ],
    }
    assert champion == before
    assert git.git(
        "diff", "--name-only", "main^", "main", cwd=Path(given.manifest_url)
    ).split() == [STATE]
    trailers = read_trailers(message(given))
    assert (trailers["Canary"], trailers["Image-Digest"]) == ("healthy", digest(TWO))
    assert "error-share: 0.0014 (Successful, 5)" in message(given)


def test_harm_restores_what_is_stable_and_bars_the_digest_with_its_numbers(
    given: Settings,
) -> None:
    report = once(given, failed())
    assert (report.ending.word, report.written.outcome) == ("harmful", "committed")
    assert image(given)["digest"] == document(given, STATE)["digest"] == digest(ONE)
    [entry] = document(given, QUARANTINE)["entries"]
    assert (entry["digest"], entry["who"]) == (digest(TWO), "anna")
    assert "at 5 % of the traffic: error-share was 0.5" in entry["why"]
    trailers = read_trailers(message(given))
    assert trailers["Rollback-Of"] == trailers["Quarantined"] == digest(TWO)
    assert (trailers["Canary"], trailers["Image-Digest"]) == ("harmful", digest(ONE))
    # The next release does not bring it back.
    assert promote(given, promotion(TWO, 3, ONE)).outcome == "quarantined"


def test_what_could_not_be_measured_is_parked_for_longer_each_time(given: Settings) -> None:
    once(given, away())
    assert image(given)["digest"] == digest(ONE)
    [entry] = document(given, PARKED)["entries"]
    assert (entry["digest"], entry["attempts"]) == (digest(TWO), 1)
    assert manifest_repo.live(given, "attrition").quarantine.entries == ()  # type: ignore[union-attr]
    assert read_trailers(message(given))["Parked"] == digest(TWO)
    assert promote(given, promotion(TWO, 3, ONE)).outcome == "parked"
    later = quarantine.stamp(quarantine.moment_now() + datetime.timedelta(minutes=16))
    assert promote(given, promotion(TWO, 3, ONE), later).outcome == "committed"
    once(given, away())
    [entry] = document(given, PARKED)["entries"]
    assert entry["attempts"] == 2


def test_what_a_person_aborted_does_not_come_back(given: Settings) -> None:
    report = once(given, by_a_person())
    assert report.ending.word == "aborted"
    assert image(given)["digest"] == digest(ONE)
    [entry] = document(given, QUARANTINE)["entries"]
    assert "a person aborted its canary" in entry["why"]


def test_what_a_person_promoted_stands_and_is_called_so(given: Settings) -> None:
    once(given, promoted())
    assert document(given, STATE)["canary"]["ended"] == "promoted"
    assert image(given)["digest"] == digest(TWO)


def test_the_first_deployment_is_no_canary_that_passed(given: Settings) -> None:
    cluster = promoted()
    first = [rollouts.replica_set(NEW, digest(TWO), 1)]
    cluster.seen = rollouts.seen(rollouts.rollout(digest(TWO), rollouts.healthy()), first)
    assert once(given, cluster).ending.word == "unproven"
    assert document(given, STATE)["canary"]["ended"] == "unproven"


def test_what_a_person_wrote_into_git_stands(given: Settings) -> None:
    edit(given, tag=(f'newTag: "{TWO}"', 'newTag: "by-hand"'))
    before = tip(given)
    for end in ENDS:
        report = once(given, end())
        assert (report.ending.word, report.written.outcome) == ("waits", "held")
    assert tip(given) == before


@pytest.mark.parametrize("end", ENDS)
def test_a_second_time_writes_nothing(given: Settings, end: Any) -> None:
    assert once(given, end()).written.outcome == "committed"
    before = tip(given)
    report = once(given, end())
    assert report.written.outcome in ("already there", "waits")
    assert tip(given) == before


@pytest.mark.parametrize("end", WRITES)
def test_a_dry_run_says_it_and_writes_nothing(given: Settings, end: Any) -> None:
    before = tip(given)
    report = once(given, end(), dry_run=True)
    assert report.written.outcome == "dry run"
    assert bool(report.diff) == (end in (failed, away))
    assert tip(given) == before


@pytest.mark.parametrize("end", WRITES)
def test_two_copies_at_once_make_one_commit(given: Settings, end: Any) -> None:
    before, both = commits(given), threading.Barrier(2)
    found: list[str] = []

    class Together(Cluster):
        def __call__(self, place: Place, name: str) -> Seen:
            both.wait(30)
            return self.seen

    def write() -> None:
        cluster = end()
        cluster.__class__ = Together
        found.append(once(given, cluster).written.outcome)

    copies = [threading.Thread(target=write) for _ in range(2)]
    for copy in copies:
        copy.start()
    for copy in copies:
        copy.join(60)
    assert "committed" in found
    assert set(found) <= {"committed", "already there", "superseded"}
    assert len(found) == 2
    assert commits(given) == before + 1


@pytest.mark.parametrize("end", WRITES)
def test_too_late_nothing_is_mixed_with_a_newer_release(given: Settings, end: Any) -> None:
    """A release comes between the look and the commit."""
    cluster = end()

    def look(place: Place, name: str) -> Seen:
        assert promote(given, promotion(THREE, 3, TWO)).outcome == "committed"
        return cluster(place, name)

    report = reconcile(given, Asked("attrition", 24), look, NOW)
    assert report.written.outcome == "superseded"
    assert image(given)["digest"] == document(given, STATE)["digest"] == digest(THREE)
    assert "canary" not in document(given, STATE)


@pytest.mark.parametrize("end", WRITES)
def test_a_rollback_in_between_leaves_nothing_to_undo(given: Settings, end: Any) -> None:
    going = rollback.Request("attrition", "previous", "taken back in mid-canary")
    assert rollback.write(given, rollback.plan(given, going)).outcome == "committed"
    before = tip(given)
    assert once(given, end()).written.outcome == "already there"
    # Argo CD has synced, and the version before runs everywhere.
    back = Cluster(rollouts.healthy(), runs_now=ONE)
    report = once(given, back)
    assert (report.written.outcome, "nothing to undo" in report.written.sentence) == (
        "already there",
        True,
    )
    assert tip(given) == before


def test_a_version_that_was_superseded_is_not_gone_back_to(given: Settings) -> None:
    """The second release replaced the canary of the first one, which nobody ever judged."""
    assert promote(given, promotion(THREE, 3, TWO)).outcome == "committed"
    cluster = Cluster(
        rollouts.aborted(FAILED), [rollouts.run(2, "Failed", SHARE)], runs_now=THREE, stable=ONE
    )
    once(given, cluster)
    assert image(given)["digest"] == digest(ONE)


def test_where_git_does_not_know_what_is_stable_the_last_proven_one_is_taken(
    given: Settings,
) -> None:
    once(given, passed())
    for number, (tag, against) in enumerate([(THREE, TWO), ("4" * 16, THREE)], 3):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    bad = Cluster(rollouts.aborted(FAILED), [rollouts.run(2, "Failed", SHARE)], "4" * 16, "9" * 16)
    once(given, bad)
    assert image(given)["digest"] == digest(TWO)
    assert document(given, STATE)["canary"]["ended"] == "healthy"


def test_with_nothing_healthy_to_go_back_to_nothing_is_written(given: Settings) -> None:
    quarantine.add(given, "attrition", ONE, "why")
    before = tip(given)
    with pytest.raises(SluiceError, match="no healthy release before it"):
        once(given, failed())
    assert tip(given) == before


def test_before_the_first_release_there_is_nothing_to_do(tmp_path: Path) -> None:
    empty = seeded(tmp_path, cluster="test")
    assert once(empty, passed()).written.outcome == "nothing"


def test_without_a_cluster_it_says_what_to_set(given: Settings) -> None:
    nowhere = given.model_copy(update={"cluster": ""})
    with pytest.raises(UsageError, match="SLUICE_CLUSTER is not set"):
        once(nowhere, passed())


def test_the_namespace_is_the_one_of_the_overlay_unless_it_is_set(given: Settings) -> None:
    cluster = passed()
    once(given.model_copy(update={"cluster_namespace": "other"}), cluster, dry_run=True)
    assert cluster.asked[0][0] == Place("test", "other")
    edit(given, name=("namespace: attrition\n", ""))
    with pytest.raises(UsageError, match="names no namespace"):
        once(given, cluster)


@pytest.mark.parametrize("end", WRITES)
def test_a_proposal_is_made_once(given: Settings, end: Any) -> None:
    proposing = given.model_copy(update={"mode": "branch"})
    before = tip(given)
    first, second = (once(proposing, end()).written for _ in range(2))
    assert (first.outcome, second.outcome) == ("proposed", "proposed")
    assert first.commit == second.commit
    assert tip(given) == before


@pytest.mark.parametrize("end", WRITES)
def test_killed_after_the_push_it_ends_as_if_it_had_not_been(
    given: Settings, tmp_path: Path, end: Any
) -> None:
    """The server has taken the commit, and nobody heard of it."""
    before, pid = commits(given), os.fork()
    if not pid:
        script = f"kill -9 {os.getpid()}"
        path = Path(given.manifest_url) / "hooks" / "post-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        once(given, end())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    (Path(given.manifest_url) / "hooks" / "post-receive").unlink()
    assert commits(given) == before + 1
    written = tip(given)
    assert once(given, end()).written.outcome in ("already there", "waits")
    assert tip(given) == written
    assert git.git("fsck", "--strict", cwd=Path(given.manifest_url)) is not None


def test_the_history_tells_it(given: Settings) -> None:
    once(given, passed())
    told = history(chronicle(given), "attrition")
    row = told.events[-1]
    assert (row.kind, row.outcome, row.release, row.tag) == ("canary", "healthy", 2, TWO)
    assert row.sentence == "All 4 of its analyses passed"
    assert not row.moves
    assert last(told).startswith("Live: release 2 of attrition")


def test_the_command_says_it_in_words_and_as_json(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked("attrition", 24)
    assert run_reconcile(given, Asked("attrition", 24, dry_run=True), failed(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "harmful: its canary failed at 5 % of the traffic: error-share was 0.5" in out
    assert f'+    newTag: "{ONE}"' in out
    assert out.splitlines()[-1] == "Dry run: release 1 would be live; nothing was written."
    found = rollouts.metric("judge", "Failed", rollouts.answer("fail", "flags 15 points more"))
    judged = Cluster(rollouts.aborted(FAILED), [rollouts.run(2, "Failed", [found])])
    assert run_reconcile(given, asked, judged, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ending"]["word"], said["written"]["outcome"]) == ("harmful", "committed")
    assert "judge says flags 15 points more" in said["ending"]["why"]
    assert said["progress"]["measures"][0]["name"] == "flagged"
    assert said["progress"]["steps"] == 12
    waits = Cluster(rollouts.going_on(2), runs_now=ONE, stable=TWO)
    assert run_reconcile(given, asked, waits, as_json=False) == 0
    assert "nothing to undo" in capsys.readouterr().out


def test_it_watches_until_it_is_stopped_and_says_what_is_new(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster that is away is waited for, and told once."""
    gone = Retryable("the API of cluster test does not answer", "Look whether it runs.")
    looks: list[Cluster | BaseException] = [
        Cluster(rollouts.going_on(2)),
        Cluster(rollouts.going_on(2)),
        gone,
        gone,
        failed(),
        failed(),
        KeyboardInterrupt(),
    ]

    def look(place: Place, name: str) -> Seen:
        now = looks.pop(0)
        if isinstance(now, BaseException):
            raise now
        return now(place, name)

    with pytest.raises(KeyboardInterrupt):
        run_watch(given, Asked("attrition", 24), look, 0.01, Looks(), as_json=False)
    said = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said[0] == "Waits for its analysis."
    assert said[1].startswith("the API of cluster test does not answer")
    assert said[2].startswith("Taken back: its canary failed at 5 % of the traffic")
    assert said[3] == "Nothing to do: release 1 was gone back to; there is nothing to undo."
    assert len(said) == 4


def test_what_was_held_is_woken_at_the_end_and_not_before(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    woken: list[datetime.datetime] = []

    def wake(now: datetime.datetime) -> str:
        woken.append(now)
        return "A candidate that was held was released."

    asked = Asked("attrition", 24)
    run_reconcile(given, asked, Cluster(rollouts.going_on(2)), wake, as_json=False)
    assert woken == []
    assert run_reconcile(given, asked, passed(), wake, as_json=False) == 0
    assert len(woken) == 1
    assert "A candidate that was held was released." in capsys.readouterr().err
    # Whoever was killed before that does it the next time: what is due is in git.
    run_reconcile(given, asked, passed(), wake, as_json=False)
    assert len(woken) == 2


def test_a_watch_wakes_once_for_each_end(given: Settings) -> None:
    looks: list[Cluster | BaseException] = [Cluster(rollouts.going_on(2)), passed(), passed()]
    woken: list[datetime.datetime] = []

    def look(place: Place, name: str) -> Seen:
        if not looks:
            raise KeyboardInterrupt
        now = looks.pop(0)
        assert isinstance(now, Cluster)
        return now(place, name)

    def wake(now: datetime.datetime) -> str:
        woken.append(now)
        return ""

    with pytest.raises(KeyboardInterrupt):
        run_watch(given, Asked("attrition", 24), look, 0.01, Looks(), wake, as_json=False)
    assert len(woken) == 1


def test_what_is_wrong_with_the_settings_ends_the_watch(given: Settings) -> None:
    nowhere = given.model_copy(update={"cluster": ""})
    with pytest.raises(UsageError, match="SLUICE_CLUSTER"):
        run_watch(nowhere, Asked("attrition", 24), failed(), 0.01, Looks(), as_json=False)
