"""The one way of writing: what fails for a while is tried again, and what landed is believed."""

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import by_hand
from support.git_repos import ONE, commits, hook, image, promotion, seeded, tip

from flows.adapters import process
from flows.adapters.git import git
from flows.gitops import manifest_repo, writer
from flows.gitops.promotion import promote
from flows.gitops.writer import Change, Written, write
from flows.project.settings import Settings
from sluice.errors import Retryable, SluiceError


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting is noted, not done."""
    waited: list[float] = []
    monkeypatch.setattr(
        writer, "time", SimpleNamespace(sleep=waited.append, monotonic=time.monotonic)
    )
    return waited


def test_nothing_is_committed_where_the_tip_says_so(given: Settings) -> None:
    before = tip(given)
    assert (
        write(given, "main", lambda repo: Written("already there", "it is", repo.tip)).commit
        == before
    )
    assert tip(given) == before


def test_a_change_that_changes_nothing_is_no_commit(given: Settings) -> None:
    before = tip(given)
    text = git.git("show", "main:README.md", cwd=Path(given.manifest_url))
    assert (
        write(given, "main", lambda _: Change({"README.md": text}, "Subject\n")).outcome
        == "already there"
    )
    assert tip(given) == before


def test_a_commit_holds_what_changed_and_nothing_else(given: Settings) -> None:
    text = git.git("show", "main:README.md", cwd=Path(given.manifest_url))
    change = Change({"README.md": text, "state/new.json": "{}\n"}, "Subject\n")
    written = write(given, "main", lambda _: change)
    shown = git.git("show", "--name-only", "--format=", "main", cwd=Path(given.manifest_url))
    assert (written.outcome, shown.split()) == ("committed", ["state/new.json"])


def elsewhere(given: Settings) -> Settings:
    """The same with a manifest repo of the user's own, on a server that may be away."""
    bare = Path(given.manifest_url).rename(given.home / "theirs.git")
    return given.model_copy(update={"manifests": str(bare)})


def test_a_server_that_comes_back_is_enough(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is away until it was asked once."""
    theirs = elsewhere(given)
    bare, away = Path(theirs.manifest_url), given.home / "away"
    bare.rename(away)

    def back(_: float) -> None:
        if away.exists():
            away.rename(bare)

    monkeypatch.setattr(writer, "time", SimpleNamespace(sleep=back, monotonic=time.monotonic))
    assert promote(theirs, promotion(ONE, 1)).outcome == "committed"


def test_a_server_that_stays_away_is_given_up(given: Settings, patient: list[float]) -> None:
    theirs = elsewhere(given)
    Path(theirs.manifest_url).rename(given.home / "away")
    with pytest.raises(Retryable, match="did not answer"):
        promote(theirs, promotion(ONE, 1))
    assert len([seconds for seconds in patient if seconds >= 1]) == 2


def test_a_refusal_is_not_tried_again(given: Settings, patient: list[float]) -> None:
    hook(given, "echo no >&2; exit 1")
    with pytest.raises(SluiceError, match="hook declined"):
        promote(given, promotion(ONE, 1))
    assert patient == []


def test_a_push_whose_answer_was_lost_is_believed_when_it_is_there(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = git.push

    def lost(repo: git.Clone, commit: str, branch: str = "", before: str = "") -> None:
        push(repo, commit, branch, before)
        raise Retryable("the remote end hung up unexpectedly", "")

    monkeypatch.setattr(git, "push", lost)
    before = commits(given)
    written = promote(given, promotion(ONE, 1))
    assert (written.outcome, written.commit, commits(given)) == (
        "committed",
        tip(given),
        before + 1,
    )


def test_a_push_that_ended_well_and_is_not_there_is_not_believed(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "push", lambda *_: None)
    with pytest.raises(Retryable, match="does not show the commit that was pushed"):
        promote(given, promotion(ONE, 1))
    assert image(given)["newTag"] == "unreleased"


def test_a_commit_below_the_tip_is_there_too(given: Settings) -> None:
    with git.clone(given.remote, "main") as repo:
        commit = git.commit(repo, {"ours.txt": b"x"}, "Ours\n", given.author)
        assert not git.landed(repo, commit)
        git.push(repo, commit)
        by_hand.write(given.manifest_url, {"more.txt": "x"})
        assert git.landed(repo, commit)


def test_who_decides_and_sees_that_the_branch_moved_gets_the_tip_that_it_has_now(
    given: Settings,
) -> None:
    seen: list[str] = []

    def decide(repo: git.Clone) -> Written:
        seen.append(repo.tip)
        if len(seen) == 1:
            by_hand.write(given.manifest_url, {"more.txt": "x"})
        if git.tip(given.remote, "main") != repo.tip:
            raise git.LostRace("branch main moved", "")
        return Written("held", "as it is", repo.tip)

    written = writer.write(given, "main", decide)
    assert (written.commit, written.lost) == (tip(given), 1)
    assert len(set(seen)) == len(seen) == 2


def test_any_number_of_races_may_be_lost(
    given: Settings, monkeypatch: pytest.MonkeyPatch, patient: list[float]
) -> None:
    """The pause between two doubles, up to its longest."""
    monkeypatch.setattr(git, "refreshed", lambda repo: repo)
    left = iter(range(2_000))

    def decide(repo: git.Clone) -> Written:
        if next(left, None) is not None:
            raise git.LostRace("branch main moved", "")
        return Written("held", "as it is", repo.tip)

    assert writer.write(given, "main", decide).lost == 2_000
    assert max(patient) < 1


@pytest.mark.parametrize(
    ("path", "decisions"),
    [("notes.txt", 1), ("apps/web.yaml", 1), ("overlays/staging/x", 4), ("state/a/b.json", 4)],
)
def test_a_push_that_touches_nothing_of_ours_is_no_reason_to_decide_again(
    path: str, decisions: int, given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    push, tips = git.push, []

    def beaten(repo: git.Clone, commit: str, branch: str = "", before: str = "") -> None:
        if len(pushes) < 3:
            pushes.append(by_hand.write(given.manifest_url, {path: f"{len(pushes)}"}))
        push(repo, commit, branch, before)

    def decide(repo: git.Clone) -> Change:
        tips.append(repo.tip)
        manifest_repo.read(given, "attrition", repo)
        return Change({"state/attrition/new.json": "{}\n"}, "New\n")

    pushes: list[str] = []
    monkeypatch.setattr(git, "push", beaten)
    written = write(given, "main", decide)
    assert (written.outcome, written.lost) == ("committed", 3)
    assert len(tips) == decisions
    shown = git.git("show", "--name-only", "--format=", "main", bare=Path(given.manifest_url))
    assert shown.split() == ["state/attrition/new.json"]
    assert git.git("show", f"main:{path}", bare=Path(given.manifest_url)) == "2"


def test_a_push_while_a_writer_rests_costs_it_no_race(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside pushes in every pause, a writer that rests on an old tip never gets through."""
    push, pushes = git.push, []

    def pushed_by_hand(_: float = 0.0) -> None:
        assert len(pushes) < 10, "the writer never gets through"
        pushes.append(by_hand.write(given.manifest_url, {"state/a/b.json": f"{len(pushes)}"}))

    def beaten_once(repo: git.Clone, commit: str, branch: str = "", before: str = "") -> None:
        if not pushes:
            pushed_by_hand()
        push(repo, commit, branch, before)

    clock = SimpleNamespace(sleep=pushed_by_hand, monotonic=time.monotonic)
    monkeypatch.setattr(writer, "time", clock)
    monkeypatch.setattr(git, "push", beaten_once)
    written = write(given, "main", lambda _: Change({"a.txt": "x"}, "A\n"))
    assert (written.outcome, written.lost, len(pushes)) == ("committed", 1, 2)


def test_races_are_lost_for_minutes_and_no_number_of_them_is_too_many(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that counts what was waited for: nothing but its minutes ends it."""
    now, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += 10

    def lost(*_: object) -> None:
        raise git.LostRace("", "")

    monkeypatch.setattr(writer, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    monkeypatch.setattr(git, "push", lost)
    with pytest.raises(Retryable, match="races lost for branch main in 10 minutes: 62"):
        write(given, "main", lambda _: Change({"a.txt": "x"}, "A\n"))
    assert len(set(pauses)) == len(pauses) == 61
    assert max(pauses) <= 0.3


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    assert process.run(["sh", "-c", script], timeout=0.5, check=False).code == 124
    child = (tmp_path / "child").read_text().strip()
    subprocess.run(
        ["sh", "-c", "while kill -0 $0 2>/dev/null; do :; done", child], check=True, timeout=30
    )
