"""A commit checked out into another folder, while the working tree is left as a person has it."""

from pathlib import Path

import pytest

from flows.adapters.git import git
from flows.adapters.git.checkout import checkout
from sluice.errors import UsageError

AUTHOR = ("-c", "user.name=Sluice Test", "-c", "user.email=sluice@example.com")


def commit(repository: Path, text: str) -> str:
    """Commit this text as project/a.txt; the commit."""
    (repository / "project").mkdir(exist_ok=True)
    (repository / "project" / "a.txt").write_text(text)
    git.git("add", "--all", cwd=repository)
    git.git(*AUTHOR, "commit", "--quiet", "--message", text, cwd=repository)
    return git.git("rev-parse", "HEAD", cwd=repository).strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    git.git("init", "--quiet", "--initial-branch", "main", folder)
    commit(folder, "one")
    return folder


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git.git("clone", "--quiet", origin, tmp_path / "clone")
    return tmp_path / "clone"


def test_an_old_commit_is_checked_out_beside_the_working_tree(clone: Path, tmp_path: Path) -> None:
    old = git.git("rev-parse", "HEAD", cwd=clone).strip()
    commit(clone, "two")
    (clone / "project" / "a.txt").write_text("being edited")
    folder = checkout(clone / "project", old, tmp_path / "old")
    assert folder == tmp_path / "old" / "project"
    assert (folder / "a.txt").read_text() == "one"
    assert (clone / "project" / "a.txt").read_text() == "being edited"
    assert git.git("status", "--short", cwd=clone).split() == ["M", "project/a.txt"]


def test_the_top_of_a_repository_is_the_top_of_its_checkout(clone: Path, tmp_path: Path) -> None:
    head = git.git("rev-parse", "HEAD", cwd=clone).strip()
    assert checkout(clone, head, tmp_path / "here") == tmp_path / "here"


def test_a_commit_that_only_the_origin_has_is_fetched(
    origin: Path, clone: Path, tmp_path: Path
) -> None:
    later = commit(origin, "two")
    folder = checkout(clone, later, tmp_path / "later")
    assert (folder / "project" / "a.txt").read_text() == "two"


def test_a_commit_that_nobody_has_is_named(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        checkout(clone, "f" * 40, tmp_path / "none")
    assert caught.value.what == f"commit {'f' * 12} is not in {clone}"
    assert caught.value.fix == "Fetch it there, or run this in the clone that has it."
