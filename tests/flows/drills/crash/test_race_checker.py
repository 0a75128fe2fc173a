"""What judges a race, on histories that it must not let through."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.git_repos import FOUR, ONE, OVERLAY, THREE, TWO, edit, promotion, seeded

from flows.adapters.git import git
from flows.drills.crash.race_checker import Commit, history, problems, winners
from flows.gitops.promotion import promote
from flows.project.settings import Settings


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    given = seeded(tmp_path)
    replicas = "replicas:\n  - name: attrition\n    count: 1\n# Sluice writes this entry"
    edit(given, replicas=("# Sluice writes this entry", replicas))
    return given


def bad(commits: list[Commit], **changes: Any) -> list[str]:
    return problems([*commits[:-1], dataclasses.replace(commits[-1], **changes)], "attrition")


@pytest.fixture
def commits(local: Settings) -> list[Commit]:
    promote(local, promotion(ONE, 1))
    edit(local, count=("count: 1", "count: 2"))
    promote(local, promotion(TWO, 2, against=ONE))
    return history(Path(local.manifest_url), "main")


def test_the_checker_passes_a_good_history(commits: list[Commit]) -> None:
    assert [commit.release for commit in commits] == [0, 0, 1, 0, 2]
    assert problems(commits, "attrition") == []
    assert winners(commits) == {"none": 1, ONE: 2}


def test_the_checker_finds_what_is_wrong(commits: list[Commit]) -> None:
    last = commits[-1]
    assert "has 2 parents" in bad(commits, parents=[*last.parents, "x"])[0]
    assert "does not follow" in bad(commits, parents=["x"])[0]
    assert (
        "was written over release 1" in bad(commits, trailers={**last.trailers, "Release": "1"})[0]
    )
    assert (
        "was written 2 times"
        in bad(
            commits, trailers={**last.trailers, "Promotion-Id": commits[2].trailers["Promotion-Id"]}
        )[0]
    )
    assert (
        "changed ['README.md'" in bad(commits, changes={"README.md": ([], []), **last.changes})[0]
    )
    gone, came = last.changes[OVERLAY]
    found = bad(
        commits,
        changes={**last.changes, OVERLAY: ([*gone, "    count: 2"], [*came, "    count: 1"])},
    )
    assert any("changed the line '    count: 1'" in one for one in found)
    assert any("sets [1] replicas after 2" in one for one in found)


def test_the_checker_finds_a_lost_edit_and_a_merge(local: Settings) -> None:
    promote(local, promotion(ONE, 1))
    base = edit(local, count=("count: 1", "count: 2"))
    edit(local, count=("count: 2", "count: 1"))
    bare = Path(local.manifest_url)
    assert any(
        "sets [1] replicas after 2" in one for one in problems(history(bare, "main"), "attrition")
    )
    who = {
        f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    merge = git.git(
        "commit-tree", "-p", "main", "-p", base, "-m", "Merge", "main^{tree}", cwd=bare, env=who
    ).strip()
    git.git("update-ref", "refs/heads/main", merge, cwd=bare)
    assert any("has 2 parents" in one for one in problems(history(bare, "main"), "attrition"))
    assert promote(local, promotion(THREE, 3, against=FOUR)).outcome == "superseded"
