"""Eight releases at once and a person in the same file, against a real server: nothing lost, nothing out of order."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from git_servers import Hosted, serving
from race_checker import Commit, history, problems, winners
from repos import FOUR, ONE, OVERLAY, STATE, THREE, TWO, document, edit, image, promotion, seeded

from flows.adapters import git
from flows.promotion import promote
from flows.settings import ROOT, Settings

ROUNDS = int(os.environ.get("SLUICE_RACE_ROUNDS", "5"))
RACERS = 8
EDITS = 4  # of the person, a round


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    given = seeded(tmp_path)
    replicas = "replicas:\n  - name: attrition\n    count: 1\n# Sluice writes this entry"
    edit(given, replicas=("# Sluice writes this entry", replicas))
    return given


@contextmanager
def process(*words: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    own = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **env}
    with subprocess.Popen([sys.executable, ROOT / "tests" / "e2e" / "racer.py", *words], env={**os.environ, **own},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:  # fmt: skip
        yield started
        assert started.stdin
        started.stdin.close()
        assert started.wait() == 0


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


def round_of(racers: list["subprocess.Popen[str]"], name: int, against: str) -> list[dict[str, Any]]:
    """Eight candidates that were compared with the same champion; what became of each."""
    tags = [f"{name:08x}{number:08x}" for number in range(1, RACERS + 1)]
    lines = [json.dumps({"tag": tag, "against": against}) for tag in tags]
    for said in (lines, ["go"] * RACERS):  # everybody has a number before anybody writes
        for racer, line in zip(racers, said, strict=True):
            pipe(racer.stdin).write(f"{line}\n")
            pipe(racer.stdin).flush()
        told = [json.loads(pipe(racer.stdout).readline()) for racer in racers]
    return [{**one, "tag": tag} for one, tag in zip(told, tags, strict=True)]


def test_of_those_compared_with_the_same_champion_the_newest_wins_and_nothing_is_lost(
    local: Settings, tmp_path: Path
) -> None:
    bare = Path(local.manifest_url)
    promote(local, promotion(ONE, 0))
    with serving(Hosted(tmp_path)) as hosted, ExitStack() as running:
        url = f"{hosted.url}/manifests.git"
        racers = [running.enter_context(process(SLUICE_MANIFESTS=url)) for _ in range(RACERS)]
        against, rounds = ONE, []
        for number in range(1, ROUNDS + 1):
            with process("edit", url, str(EDITS)) as person:
                told = round_of(racers, number, against)
                tries = int(pipe(person.stdout).readline())
            rounds.append((against, told, tries))
            newest = max(told, key=lambda one: one["number"])
            assert image(local)["newTag"] == document(local, STATE)["tag"] == newest["tag"]
            assert newest["outcome"] == "committed"
            against = newest["tag"]

    told = [one for _, found, _ in rounds for one in found]
    assert {one["outcome"] for one in told} <= {"committed", "superseded"}, [one for one in told if one["code"]]
    assert {one["code"] for one in told} == {0}
    assert sorted(one["number"] for one in told) == list(range(1, RACERS * ROUNDS + 1))

    commits = history(bare, "main")
    assert problems(commits, "attrition") == []
    newest = {against: max(one["number"] for one in found) for against, found, _ in rounds}
    assert {against: number for against, number in winners(commits).items() if against != "none"} == newest
    assert f"count: {1 + EDITS * ROUNDS}\n" in git.git("show", f"main:{OVERLAY}", cwd=bare)
    written = sum(one["outcome"] == "committed" for one in told)
    assert len(commits) == 3 + written + EDITS * ROUNDS
    lost = sum(tries for *_, tries in rounds) - EDITS * ROUNDS
    print(f"{ROUNDS} rounds: {written} committed, {len(told) - written} superseded, the person lost {lost} races")
    # A race in which nobody meets anybody proves nothing.
    assert written < len(told)


# The checker, on histories that it must not let through.


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
    assert "was written over release 1" in bad(commits, trailers={**last.trailers, "Release": "1"})[0]
    assert "was written 2 times" in bad(commits, trailers={**last.trailers,
        "Promotion-Id": commits[2].trailers["Promotion-Id"]})[0]  # fmt: skip
    assert "changed ['README.md'" in bad(commits, changes={"README.md": ([], []), **last.changes})[0]
    gone, came = last.changes[OVERLAY]
    found = bad(commits, changes={**last.changes, OVERLAY: ([*gone, "    count: 2"], [*came, "    count: 1"])})
    assert any("changed the line '    count: 1'" in one for one in found)
    assert any("sets [1] replicas after 2" in one for one in found)


def test_the_checker_finds_a_lost_edit_and_a_merge(local: Settings) -> None:
    promote(local, promotion(ONE, 1))
    base = edit(local, count=("count: 1", "count: 2"))
    edit(local, count=("count: 2", "count: 1"))
    bare = Path(local.manifest_url)
    assert any("sets [1] replicas after 2" in one for one in problems(history(bare, "main"), "attrition"))
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    merge = git.git("commit-tree", "-p", "main", "-p", base, "-m", "Merge", "main^{tree}", cwd=bare, env=who).strip()
    git.git("update-ref", "refs/heads/main", merge, cwd=bare)
    assert any("has 2 parents" in one for one in problems(history(bare, "main"), "attrition"))
    assert promote(local, promotion(THREE, 3, against=FOUR)).outcome == "superseded"
