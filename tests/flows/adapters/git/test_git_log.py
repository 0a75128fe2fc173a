"""The history of branches, on a real repository: every changed line, whatever it looks like."""

from pathlib import Path

import pytest
from support import by_hand

from flows.adapters.git import git, git_log

AUTHOR = "Sluice Test <sluice@example.com>"


@pytest.fixture
def bare(tmp_path: Path) -> str:
    git.seed(tmp_path / "bare.git", {"a.txt": b"one\n"}, "main", "Start\n", AUTHOR)
    return str(tmp_path / "bare.git")


def change(bare: str, text: str, name: str = "a.txt", branch: str = "main") -> str:
    """Commit this text; the commit."""
    with by_hand.clone(bare, branch) as repo:
        path = repo.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        commit = by_hand.commit(repo, f"Change {name}\n", AUTHOR)
        by_hand.push(repo)
    return commit


def test_a_branch_that_is_not_there_has_no_history(bare: str) -> None:
    assert git_log.read(bare, "none", ["a.txt"], ["main"]) == git_log.Log([], [], {})


def test_the_commits_that_touch_a_path_are_newest_first_with_their_lines(bare: str) -> None:
    change(bare, "elsewhere\n", "b.txt")
    newest = change(bare, "one\ntwo\n")
    log = git_log.read(bare, "main", ["a.txt"])
    assert [commit.changes for commit in log.commits] == [
        {"a.txt": ([], ["two"])},
        {"a.txt": ([], ["one"])},
    ]
    assert log.commits[0].sha == newest
    assert log.commits[0].author == log.commits[0].committer == AUTHOR
    assert log.commits[0].message.strip() == "Change a.txt"
    assert log.commits[1].parents == ()
    assert log.merges == []


@pytest.mark.parametrize(
    "line",
    [
        "-- a line that begins with dashes",
        "++ a line that begins with plus signs",
        "diff --git a/c.txt b/c.txt",
        "@@ -1 +1 @@",
        "--- a/other.txt",
        "+++ b/other.txt",
        "one\u2028line\x0bfor git",
        "",
    ],
)
def test_a_line_is_told_whatever_it_looks_like(line: str, bare: str) -> None:
    change(bare, f"one\n{line}\n")
    change(bare, "one\n")
    removed, added, _ = git_log.read(bare, "main", ["a.txt"]).commits
    assert added.changes == {"a.txt": ([], [line])}
    assert removed.changes == {"a.txt": ([line], [])}


def test_of_other_branches_every_commit_is_told_without_lines(bare: str) -> None:
    first = change(bare, "x\n", "first.json", "ledger")
    second = change(bare, "y\n", "second.json", "ledger")
    others = git_log.read(bare, "main", ["a.txt"], ["ledger", "none"]).others
    assert [commit.sha for commit in others["ledger"]] == [second, first]
    assert [commit.changes for commit in others["ledger"]] == [{}, {}]
    assert others["none"] == []


def test_a_merge_is_told_with_both_parents(bare: str) -> None:
    side = change(bare, "side\n", "side.txt", "side")
    with by_hand.clone(bare, "main") as repo:
        tip = repo.tip
        (repo.path / "side.txt").write_text("side\n")
        merge = by_hand.commit(repo, "Merge side\n", AUTHOR, (side,))
        by_hand.push(repo)
    [merged] = git_log.read(bare, "main", ["a.txt"]).merges
    assert (merged.sha, merged.parents) == (merge, (tip, side))
