"""A manifest repo that disappeared is told by every command, and is not taken for one that never
was.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Sluice
from support.git_repos import ONE, digest, seeded

from flows.engine.outcome import Outcome, forget, record
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import UsageError

GONE = "in which releases were recorded, is gone: "
# Whatever reads or writes the manifest repo, as it is typed.
COMMANDS = [
    ("status",),
    ("plan",),
    ("release",),
    ("history",),
    ("verify", "latest"),
    ("verify", "live"),
    ("verify", ONE),
    ("lineage", "latest"),
    ("lineage", "--data", "1" * 64),
    ("reproduce", "latest"),
    ("images",),
    ("anchor",),
    ("anchor", "set", "champion"),
    ("quarantine",),
    ("quarantine", "add", digest(ONE), "--reason", "why"),
    ("quarantine", "lift", digest(ONE), "--reason", "why"),
    ("rollback", "--reason", "why"),
    ("rollback", "--reason", "why", "--dry-run"),
]


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of a command that names none."""
    monkeypatch.setenv("SLUICE_MODEL", "attrition")


def numbered(home: Path) -> None:
    record(home, Outcome("promoted", "it is better", "attrition", "PROMOTE", release=1))


def held(home: Path) -> None:
    numbered(home)
    record(home, Outcome("hold", "no better", "attrition", "HOLD"))


def refused(home: Path) -> None:
    record(home, Outcome("refused", "the recall", "attrition", "REJECT"))
    forget(home, "attrition")


def seeded_alone(home: Path) -> None:
    """A release that was killed before it came to an end."""
    manifest_repo.seed(Settings(home=home))
    shutil.rmtree(home / "manifests.git")


def half_gone(home: Path) -> None:
    seeded_alone(home)
    (home / "manifests.git" / "objects").mkdir(parents=True)


LEFT = (numbered, held, refused, seeded_alone, half_gone)


@pytest.mark.parametrize("left", LEFT)
def test_it_is_known_from_whatever_is_left(tmp_path: Path, left: Callable[[Path], None]) -> None:
    left(tmp_path)
    given = Settings(home=tmp_path)
    for ask in (
        lambda: manifest_repo.there(given),
        lambda: manifest_repo.live(given, "attrition"),
        lambda: manifest_repo.require(given),
        lambda: manifest_repo.seed(given),
    ):
        with pytest.raises(UsageError, match=f"{GONE}{tmp_path}/manifests.git"):
            ask()


@pytest.fixture
def lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    seeded_alone(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_tells_it(lost: Path, sluice: Sluice, words: tuple[str, ...]) -> None:
    ended = sluice(*words)
    assert ended.code == 2
    assert f"Error: the manifest repo, {GONE}{lost}/manifests.git\n" in ended.err
    assert "Put it back from a backup." in ended.err
    assert "live yet" not in ended.out
    assert not (lost / "manifests.git").exists()


@pytest.mark.parametrize("words", COMMANDS[3:], ids=" ".join)
def test_where_nothing_was_released_nothing_is_gone(
    tmp_path: Path, sluice: Sluice, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that were refused before a number are no release either."""
    record(tmp_path, Outcome("refused", "the data", "attrition"))
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    ended = sluice(*words)
    assert "gone" not in ended.err + ended.out
    assert ended.code in (0, 2)
    assert "git" not in ended.err.split()


def test_a_repo_elsewhere_answers_for_itself(lost: Path) -> None:
    elsewhere = Settings(home=lost, manifests="https://git.example.com/x.git")
    assert manifest_repo.there(elsewhere)
    manifest_repo.seed(elsewhere)


def test_one_that_is_there_is_not_gone(tmp_path: Path) -> None:
    given = seeded(tmp_path)
    numbered(tmp_path)
    assert manifest_repo.there(given)
    live: Any = manifest_repo.live(given, "attrition")
    assert live.champion is None


def test_one_of_an_older_version_is_marked_by_its_next_release(tmp_path: Path) -> None:
    given = seeded(tmp_path)
    manifest_repo.seed(given)
    shutil.rmtree(tmp_path / "manifests.git")
    with pytest.raises(UsageError, match=GONE):
        manifest_repo.there(given)


def test_an_outcome_that_goes_away_while_it_is_looked_at_is_none(tmp_path: Path) -> None:
    (tmp_path / "outcomes" / "attrition").mkdir(parents=True)
    (tmp_path / "outcomes" / "attrition" / "last.json").symlink_to(tmp_path / "nothing")
    assert not manifest_repo.there(Settings(home=tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"verdict": "\xff"}', b"[" * 100_000, b'{"release": {}}']
)
def test_an_outcome_that_is_broken_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "outcomes" / "attrition").mkdir(parents=True)
    (tmp_path / "outcomes" / "attrition" / "last.json").write_bytes(content)
    assert not manifest_repo.there(Settings(home=tmp_path))
