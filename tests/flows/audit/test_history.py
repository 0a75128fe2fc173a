"""`sluice history` on manifest repos in which a lot happened: as text, as JSON and as a page."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from support import by_hand
from support.command_line import Sluice

from benchmarks import chronicles
from benchmarks.chronicles import AUTUMN, digest, tag
from benchmarks.reading import HAPPENED
from flows.adapters.git import git
from flows.audit.history import history
from flows.gitops.events import chronicle
from flows.project import settings
from sluice.gitops.lineage import resolve


@pytest.fixture(scope="module")
def autumn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bare = tmp_path_factory.mktemp("autumn") / "manifests.git"
    chronicles.write(bare, AUTUMN)
    return bare


@pytest.fixture(autouse=True)
def of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project has several, and these commits are of one."""
    monkeypatch.setenv("SLUICE_MODEL", "attrition")


@pytest.fixture
def here(autumn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_MANIFESTS", str(autumn))
    return autumn


def told(sluice: Sluice, *words: object) -> dict[str, Any]:
    ended = sluice("history", "--json", *words)
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_everything_is_told_in_order(here: Path, sluice: Sluice) -> None:
    found = told(sluice)
    kinds = [row["kind"] if row["kind"] != "verdict" else row["verdict"] for row in found["events"]]
    named = {"by hand": "edit"}
    assert kinds == [
        "start",
        *(what[0] if isinstance(what, tuple) else named.get(what, what) for what in AUTUMN),
    ]
    assert [row["date"] for row in found["events"]] == sorted(
        row["date"] for row in found["events"]
    )
    assert (found["digest"], found["live"]["release"], found["since"][:10]) == (
        digest(15),
        15,
        "2026-09-21",
    )
    assert found["counts"] == {"release": 5, "rollback": 1, "verdict": 10}


def test_what_was_live_when_is_told(here: Path, sluice: Sluice) -> None:
    spells = told(sluice)["spells"]
    assert [spell["release"] for spell in spells] == [1, 5, 1, 8, 12, 8, 15]
    assert [spell["until"] for spell in spells] == [spell["from"] for spell in spells[1:]] + [""]


def test_a_rollback_says_from_where_to_where_by_whom_and_why(here: Path, sluice: Sluice) -> None:
    [row] = [row for row in told(sluice)["events"] if row["kind"] == "rollback"]
    assert (row["release"], row["tag"], row["before"]) == (1, tag(1), {"release": 5, "tag": tag(5)})
    assert (row["who"], row["reason"]) == (
        chronicles.ANNA,
        "it flags four in five of the night shift",
    )
    line = next(line for line in sluice("history").out.splitlines() if "rollback " in line)
    assert "to release 1 from release 5, by Anna Meyer" in line


def test_edits_by_hand_say_whether_they_moved_the_image(here: Path, sluice: Sluice) -> None:
    replicas, back = (row for row in told(sluice)["events"] if row["kind"] == "edit")
    assert (replicas["moves"], replicas["sentence"]) == (
        False,
        "Six replicas for the end of the year",
    )
    assert (back["moves"], back["release"], back["tag"]) == (True, 8, tag(8))


def test_the_newest_lines_are_shown_and_the_last_says_what_is_live(
    here: Path, sluice: Sluice
) -> None:
    lines = sluice("history", "--limit", "3").out.splitlines()
    assert lines[0] == f"{len(AUTUMN) - 2} earlier: sluice history --limit {len(AUTUMN) + 1}"
    assert len(lines) == 5
    assert (
        lines[-1]
        == "Live: release 15 of attrition, since 2026-09-21 03:00 UTC; 5 releases, 10 candidates"
        " not released, 1 rollback."
    )


def test_before_anything_happened(tmp_path: Path, sluice: Sluice) -> None:
    assert sluice("history").out == "Nothing of attrition is live yet: sluice release attrition\n"
    assert told(sluice)["events"] == []
    assert sluice("history", "--page", tmp_path / "page.html").code == 0
    assert "Nothing is live yet" in (tmp_path / "page.html").read_text()


def test_what_is_live_by_hand_alone(
    tmp_path: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = chronicles.write(
        tmp_path / "bare.git", [("release", 0.74), ("release", 0.75), "by hand"]
    )
    monkeypatch.setenv("SLUICE_MANIFESTS", str(tmp_path / "bare.git"))
    assert told(sluice)["live"]["release"] == story.live == 1


def test_the_page_is_one_file_without_script_that_asks_for_nothing(
    here: Path, sluice: Sluice, tmp_path: Path
) -> None:
    ended = sluice("history", "--page", tmp_path / "deep" / "history.html")
    text = (tmp_path / "deep" / "history.html").read_text()
    assert ended.out.splitlines()[-2:-1] == [f"Page  {tmp_path / 'deep' / 'history.html'}"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert not re.search(
        r"<script|<link|<iframe|https?://|\bon\w+=|javascript:|@import|url\(", text
    )
    assert "<h1>Live: release 15</h1>" in text
    rows = text.count("<tr class=")
    assert rows == len(AUTUMN) + 1
    measured = sum(isinstance(what, tuple) for what in AUTUMN)
    beyond = text.count('<path class="arrow"')  # of what lies outside of the axis
    assert text.count('<line class="whisker"') + beyond == measured
    assert text.count('<line class="back"') == 2  # the rollback, and the edit that moved the image


def test_what_people_write_is_shown_and_not_run(
    tmp_path: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    chronicles.write(tmp_path / "bare.git", [("release", 0.74), "edit"])
    with by_hand.clone(str(tmp_path / "bare.git"), "main") as repo:
        (repo.path / "state" / "attrition" / "note.json").write_text("{}")
        by_hand.commit(
            repo, "<script>alert(1)</script> [red]loud[/] \x01\x02 &amp;\n", "Anna <a@example.com>"
        )
        by_hand.push(repo)
    monkeypatch.setenv("SLUICE_MANIFESTS", str(tmp_path / "bare.git"))
    assert sluice("history", "--page", tmp_path / "page.html").code == 0
    text = (tmp_path / "page.html").read_text()
    assert ("<script" in text, "&lt;script&gt;alert(1)&lt;/script&gt; [red]loud" in text) == (
        False,
        True,
    )
    assert "[red]loud[/]" in sluice("history").out


@pytest.mark.parametrize(
    ("happened", "live", "latest"),
    [
        (
            [
                ("release", 0.74),
                "fast clock",
                ("release", 0.75),
                "right clock",
                "rollback",
                ("HOLD", 0.7),
            ],
            1,
            2,
        ),
        ([("release", 0.74), "slow clock", ("release", 0.75), "right clock", ("HOLD", 0.7)], 2, 2),
    ],
    ids=["fast", "slow"],
)
def test_a_clock_that_was_wrong_changes_nothing_of_what_is_live(
    happened: list[Any],
    live: int,
    latest: int,
    tmp_path: Path,
    sluice: Sluice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chronicles.write(tmp_path / "bare.git", happened)
    monkeypatch.setenv("SLUICE_MANIFESTS", str(tmp_path / "bare.git"))
    assert told(sluice)["digest"] == digest(live)
    events = chronicle(settings.load())
    assert resolve(events, "live", "attrition", "").release == live
    assert resolve(events, "latest", "attrition", "").release == latest


@pytest.mark.parametrize("clock", ["right clock", "slow clock", "fast clock"])
@pytest.mark.parametrize("moved", [False, True])
def test_a_proposal_that_a_person_merged_was_approved_by_them(
    moved: bool, clock: str, tmp_path: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare.git"
    chronicles.write(bare, [("release", 0.74), clock, ("release", 0.75)])
    work = tmp_path / "work"
    anna = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
    git.git("clone", "--quiet", bare, work)
    git.git("branch", "release/attrition/two", cwd=work)
    git.git("reset", "--quiet", "--hard", "HEAD^", cwd=work)
    if moved:
        (work / "overlays" / "production" / "more.yaml").write_text("a: b\n")
        git.git("add", "--all", cwd=work)
        git.git(*anna, "commit", "--quiet", "-m", "More", cwd=work)
    git.git(
        *anna, "merge", "--quiet", "--no-ff", "-m", "Merge it", "release/attrition/two", cwd=work
    )
    git.git("push", "--quiet", "--force", "origin", "main", cwd=work)
    monkeypatch.setenv("SLUICE_MANIFESTS", str(bare))
    events = [event for event in chronicle(settings.load()) if event.kind in ("release", "edit")]
    releases = [(event.release, event.approved) for event in events if event.kind == "release"]
    assert releases == [(1, ""), (2, "Anna <anna@example.com>")]
    assert [event.subject for event in events if event.kind == "edit"] == ["More"] * moved
    assert told(sluice)["live"]["release"] == 2
    assert "merged by Anna  live" in sluice("history").out


def test_two_thousand_commits_cost_no_more_calls_than_two(
    tmp_path: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that stands in for git counts what is asked of it. The first look is not counted:
    which git it is, and how its user set it up, is asked once.
    """
    import shutil

    log = tmp_path / "calls"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(
        f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n'
    )
    (tmp_path / "bin" / "git").chmod(0o755)
    counts = []
    for name, many in (("first", 3), ("few", 3), ("many", 1990)):
        happened: list[str | tuple[str, float]] = [("release", 0.74), "rollback", ("HOLD", 0.74)]
        chronicles.write(tmp_path / f"{name}.git", [("release", 0.73), *(happened * many)[:many]])
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
            patch.setenv("SLUICE_MANIFESTS", str(tmp_path / f"{name}.git"))
            log.unlink(missing_ok=True)
            events = chronicle(settings.load())
        counts.append((len(log.read_text().splitlines()), len(events) > many))
    _, few, much = counts
    assert few[0] == much[0]
    assert much[1]


def test_a_commit_costs_the_same_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In calls of functions, which are as many on a slow machine; the seconds are in
    benchmarks/reading.py.
    """
    from cProfile import Profile
    from pstats import Stats

    calls = []
    for many in (50, 250, 1250):
        chronicles.write(tmp_path / f"{many}.git", [("release", 0.73), *(HAPPENED * many)[:many]])
        monkeypatch.setenv("SLUICE_MANIFESTS", str(tmp_path / f"{many}.git"))
        with Profile() as counted:
            found = history(chronicle(settings.load()), "attrition")
        assert len(found.events) == many + 2
        calls.append(Stats(counted).total_calls)  # type: ignore[attr-defined]
    assert calls[2] - calls[1] < 1000 * 220
    assert calls[2] - calls[1] < 1.1 * 5 * (calls[1] - calls[0])
