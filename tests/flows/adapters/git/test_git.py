"""Git on real bare repositories: a push is a compare-and-swap, and an error says whether waiting
can help.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from support import by_hand

from flows.adapters import process
from flows.adapters.git import calls, git
from flows.adapters.git.access import address
from flows.adapters.git.git import LostRace
from flows.adapters.process import CommandFailed
from sluice.errors import Retryable, SluiceError

AUTHOR = "Sluice Test <sluice@example.com>"
FILES = {"a.txt": b"one\n", "deep/b.txt": b"two\n"}


@pytest.fixture
def bare(tmp_path: Path) -> str:
    git.seed(tmp_path / "bare.git", FILES, "main", "Start\n", AUTHOR)
    return str(tmp_path / "bare.git")


def hook(bare: str, script: str) -> None:
    path = Path(bare) / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def write(repo: git.Clone, name: str, text: str = "text\n", message: str = "Change\n") -> str:
    return git.commit(repo, {name: text.encode()}, message, AUTHOR)


def files(bare: str, branch: str = "main") -> list[str]:
    return git.git("ls-tree", "-r", "--name-only", branch, bare=Path(bare)).split()


def commits(bare: str, branch: str = "main") -> int:
    return int(git.git("rev-list", "--count", branch, bare=Path(bare)))


def test_a_branch_that_is_not_there_is_an_empty_tree(bare: str) -> None:
    with git.clone(bare, "ledger") as repo:
        assert (repo.tip, git.names(repo, "a")) == ("", [])
        commit = write(repo, "first.json")
        git.push(repo, commit)
    assert git.tip(bare, "ledger") == commit
    assert files(bare, "ledger") == ["first.json"]
    assert commits(bare) == 1


def test_a_clone_of_an_empty_repository(tmp_path: Path) -> None:
    git.git("init", "--quiet", "--bare", "--initial-branch", "main", tmp_path / "empty.git")
    assert git.tip(str(tmp_path / "empty.git"), "main") == ""
    assert git.log(str(tmp_path / "empty.git"), "main") == []
    with git.clone(str(tmp_path / "empty.git"), "main") as repo:
        assert repo.tip == ""


def test_a_commit_is_pushed_under_the_author_of_the_settings(bare: str) -> None:
    with git.clone(bare, "main") as repo:
        assert repo.tip == git.tip(bare, "main")
        assert git.file(repo, "deep/b.txt") == b"two\n"
        commit = write(repo, "c.txt", message="Subject\n\n# no comment\n\nModel: attrition\n")
        git.push(repo, commit)
    assert git.tip(bare, "main") == commit
    assert files(bare) == ["a.txt", "c.txt", "deep/b.txt"]
    shown = git.git("log", "-1", "--format=%an <%ae>|%cn <%ce>|%B", "main", bare=Path(bare)).strip()
    assert shown == f"{AUTHOR}|{AUTHOR}|Subject\n\n# no comment\n\nModel: attrition"


def test_the_clone_is_gone_afterwards(bare: str) -> None:
    with pytest.raises(ZeroDivisionError), git.clone(bare, "main") as repo:
        raise ZeroDivisionError
    assert not repo.path.exists()


def test_the_log_is_newest_first(bare: str) -> None:
    with git.clone(bare, "main") as repo:
        commit = write(repo, "c.txt", message="Second\n\nBody: x\n")
        git.push(repo, commit)
    (newest, date, message), (_, _, oldest) = git.log(bare, "main")
    assert (newest, message.strip(), oldest.strip()) == (commit, "Second\n\nBody: x", "Start")
    assert date[:2] == "20"
    assert len(git.log(bare, "main", depth=1)) == 1


def test_whatever_a_message_holds_is_no_border_of_a_commit(bare: str) -> None:
    with git.clone(bare, "main") as repo:
        git.push(repo, write(repo, "c.txt", message="Odd \x01 \x1e\n\n\x02\n"))
    assert [message.strip() for _, _, message in git.log(bare, "main")] == [
        "Odd \x01 \x1e\n\n\x02",
        "Start",
    ]


def test_the_versions_of_a_file_are_newest_first_and_without_its_absence(bare: str) -> None:
    for text in ("one\n", "two\r\nwith é\n", None, "three"):
        by_hand.write(bare, {"c.txt": text})
    with git.clone(bare, "main") as repo:
        assert git.versions(repo, "c.txt") == ["three", "two\r\nwith é\n", "one\n"]
        assert git.versions(repo, "never.txt") == []
    with git.clone(bare, "new") as repo:
        assert git.versions(repo, "c.txt") == []


@pytest.mark.parametrize("branch", ["main", "new"])
def test_of_two_that_race_the_second_loses_and_changes_nothing(branch: str, bare: str) -> None:
    with git.clone(bare, branch) as one, git.clone(bare, branch) as two:
        winner, loser = write(one, "one.txt"), write(two, "two.txt")
        git.push(one, winner)
        with pytest.raises(LostRace, match=f"branch {branch} moved"):
            git.push(two, loser)
    assert git.tip(bare, branch) == winner
    assert "two.txt" not in files(bare, branch)


def test_a_branch_that_moves_during_the_push_is_a_lost_race(bare: str) -> None:
    with git.clone(bare, "person") as repo:
        person = write(repo, "person.txt")
        git.push(repo, person)
    # Let in between by the server itself, after the push has seen the old tip.
    hook(bare, f"unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {person}")
    with git.clone(bare, "main") as repo:
        late = write(repo, "late.txt")
        with pytest.raises(LostRace):
            git.push(repo, late)
    assert git.tip(bare, "main") == person


def test_many_that_race_lose_or_win_and_one_wins(bare: str) -> None:
    def race(number: int) -> str:
        with git.clone(bare, "main") as repo:
            commit = write(repo, f"{number}.txt")
            try:
                git.push(repo, commit)
            except LostRace:
                return "lost"
            return "won"

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(race, range(4)))
    assert "won" in ends
    assert commits(bare) == 1 + ends.count("won")


def test_a_protected_branch_is_permanent(bare: str) -> None:
    hook(bare, "echo 'main is protected' >&2\nexit 1")
    before = git.tip(bare, "main")
    with git.clone(bare, "main") as repo:
        commit = write(repo, "c.txt")
        with pytest.raises(SluiceError, match=r"refused by .*main is protected") as raised:
            git.push(repo, commit)
    assert not isinstance(raised.value, Retryable)
    assert "SLUICE_MODE=branch" in raised.value.fix
    assert git.tip(bare, "main") == before


def test_a_push_never_takes_back_what_is_there(bare: str) -> None:
    with git.clone(bare, "main") as repo:
        rewritten = git.commit(replace(repo, tip=""), {"x": b""}, "Rewritten\n", AUTHOR)
        with pytest.raises(LostRace):
            git.push(repo, rewritten)
    assert git.log(bare, "main")[0][2].strip() == "Start"


@pytest.mark.parametrize("ask", [git.tip, git.log])
def test_a_remote_that_is_not_there_may_be_there_later(
    ask: Callable[[str, str], object], tmp_path: Path
) -> None:
    with pytest.raises(
        Retryable, match=r"missing\.git did not answer as a git repository"
    ) as raised:
        ask(str(tmp_path / "missing.git"), "main")
    assert "SLUICE_MANIFESTS" in raised.value.fix


def test_a_number_in_a_path_is_no_answer_of_a_server(tmp_path: Path) -> None:
    with pytest.raises(Retryable):
        git.tip(str(tmp_path / "401" / "403.git"), "main")


@pytest.mark.parametrize("login", ["anna:s3cret@", "anna:s3@cret@", "s3cret@"])
def test_a_login_is_in_no_error(login: str) -> None:
    url = f"https://{login}127.0.0.1:9/team/manifests.git"
    with pytest.raises(SluiceError) as raised:
        git.tip(url, "main")
    assert "cret" not in f"{raised.value!r} {raised.value} {raised.value.fix}"
    assert "127.0.0.1:9/team/manifests.git" in raised.value.what


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"]
)
def test_a_stray_variable_does_not_decide_which_repository_it_is(
    name: str, bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    git.git("init", "--quiet", elsewhere)
    monkeypatch.setenv(
        name, str(elsewhere / ".git" / ("index" if name == "GIT_INDEX_FILE" else ""))
    )
    with git.clone(bare, "main") as repo:
        commit = write(repo, "c.txt")
        git.push(repo, commit)
    assert git.tip(bare, "main") == commit
    assert git.head(tmp_path) == ""
    assert not (elsewhere / ".git" / "index").exists()


def test_what_a_runner_passes_for_its_credentials_is_kept(
    bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "X: y",
    }
    for name, value in {**given, "GIT_CONFIG_PARAMETERS": "'http.extraHeader'='stray'"}.items():
        monkeypatch.setenv(name, value)
    assert git.git("config", "http.extraHeader").strip() == "X: y"


def test_hooks_and_signatures_of_the_user_are_left_out(bare: str, tmp_path: Path) -> None:
    config = f"[core]\nhooksPath = {tmp_path}\nautocrlf = true\n[commit]\ngpgSign = true\n"
    (Path(os.environ["HOME"]) / ".gitconfig").write_text(config)
    (tmp_path / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pre-commit").chmod(0o755)
    try:
        with git.clone(bare, "main") as repo:
            git.push(repo, write(repo, "c.txt", "one\r\ntwo\n"))
    finally:
        (Path(os.environ["HOME"]) / ".gitconfig").unlink()
    assert subprocess.check_output(["git", "show", "main:c.txt"], cwd=bare) == b"one\r\ntwo\n"


def test_a_seed_is_there_once(bare: str) -> None:
    before = git.tip(bare, "main")
    git.seed(Path(bare), {"other.txt": b"x"}, "main", "Again\n", AUTHOR)
    assert git.tip(bare, "main") == before
    assert files(bare) == ["a.txt", "deep/b.txt"]
    assert commits(bare) == 1


def test_a_seed_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="a would be a file and a folder"):
        git.seed(tmp_path / "bare.git", {"a": b"", "a/b": b""}, "main", "Start\n", AUTHOR)
    assert list(tmp_path.iterdir()) == []


def test_a_seed_that_is_killed_is_not_there_and_the_next_one_is(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from flows.adapters.git import git; from flows.adapters import process
from flows.adapters.git.access import address

class Deadly(dict):
    def items(self):
        yield "a.txt", b"half"
        os.kill(os.getpid(), signal.SIGKILL)

git.seed(Path({str(tmp_path / "bare.git")!r}), Deadly(), "main", "Start\\n", {AUTHOR!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "bare.git").exists()
    git.seed(tmp_path / "bare.git", FILES, "main", "Start\n", AUTHOR)
    assert files(str(tmp_path / "bare.git")) == ["a.txt", "deep/b.txt"]


def test_of_many_that_seed_one_does(tmp_path: Path) -> None:
    def seed(number: int) -> None:
        git.seed(tmp_path / "bare.git", {f"{number}.txt": b"x"}, "main", "Start\n", AUTHOR)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(seed, range(3)))
    assert len(files(str(tmp_path / "bare.git"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bare.git"]


def test_a_seeded_repository_refuses_force(bare: str, tmp_path: Path) -> None:
    with git.clone(bare, "other") as repo:
        commit = write(repo, "unrelated.txt")
        for words in (("--force", bare, f"{commit}:refs/heads/main"), (bare, ":refs/heads/main")):
            assert calls.run("push", *words, where=repo.where).code != 0
    assert files(bare) == ["a.txt", "deep/b.txt"]


def test_head_is_the_commit_and_says_where_files_differ(bare: str, tmp_path: Path) -> None:
    with by_hand.clone(bare, "main") as repo:
        assert git.head(repo.path) == repo.tip
        (repo.path / "new.txt").write_text("untracked files do not count")
        assert git.head(repo.path) == repo.tip
        assert git.head(repo.path, ("models", "data")) == repo.tip
        (repo.path / "models" / "churn").mkdir(parents=True)
        assert git.head(repo.path, ("models", "data")) == repo.tip
        (repo.path / "models" / "churn" / "contract.toml").write_text("new")
        assert git.head(repo.path, ("models", "data")) == f"{repo.tip}-dirty"
        assert git.head(repo.path / "models", ("churn",)) == f"{repo.tip}-dirty"
        assert git.head(repo.path) == repo.tip
        (repo.path / "a.txt").write_text("changed")
        assert git.head(repo.path) == f"{repo.tip}-dirty"
    assert git.head(tmp_path) == ""


def test_asking_for_the_head_writes_nothing_into_the_repository(bare: str) -> None:
    """Killed in the middle of it, it would leave a lock there, and nobody could commit."""
    with by_hand.clone(bare, "main") as repo:
        index = repo.path / ".git" / "index"
        before = index.read_bytes()
        os.utime(repo.path / "a.txt", (1, 1))  # which git would note in its index
        assert git.head(repo.path) == repo.tip
        assert index.read_bytes() == before


def test_a_git_that_is_killed_does_not_say_that_there_is_no_commit(
    bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release would write down "none", or a clean tree, and nobody would ever know."""
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\ncase " $* " in *" status "*) kill -9 $$;; esac\nexec {shutil.which("git")}'
        ' "$@"\n'
    )
    shim.chmod(0o755)
    with by_hand.clone(bare, "main") as repo:
        monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
        with pytest.raises(CommandFailed, match=r"status .*was ended by signal 9"):
            git.head(repo.path)


def test_a_git_that_is_late_has_answered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        process,
        "run_bytes",
        lambda *_, **__: process.Raw(process.LATE, b"", b"no end after 120 seconds"),
    )
    with pytest.raises(CommandFailed, match="no end after 120 seconds"):
        git.git("show", "HEAD:policy.toml", check=False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example.com/x.git", "https://git.example.com/x.git"),
        ("git@git.example.com:team/x.git", "git@git.example.com:team/x.git"),
        ("ssh://git@git.example.com/x.git", "ssh://git@git.example.com/x.git"),
        ("/srv/x.git", "file:///srv/x.git"),
    ],
)
def test_an_address_is_one_that_git_fetches_from(url: str, shown: str) -> None:
    assert address(url) == shown
