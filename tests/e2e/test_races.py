"""Eight releases at once and a person in the same file, against a real server: nothing lost,
nothing out of order.

`SLUICE_RACE_ROUNDS=50 .venv/bin/pytest tests/e2e/test_races.py` goes fifty rounds.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import commits, document, seeded

from flows.adapters import server
from flows.adapters.process import run
from flows.gitops import quarantine, writer
from flows.gitops.writer import Written
from flows.project.root import ROOT
from flows.project.settings import Settings

ROUNDS = os.environ.get("SLUICE_RACE_ROUNDS", "5")
SLUICE = ROOT / ".venv" / "bin" / "sluice"


def test_of_those_compared_with_the_same_champion_the_newest_wins_and_nothing_is_lost() -> None:
    ended = run(
        [SLUICE, "drill", "race", "--rounds", ROUNDS, "--model", "attrition", "--json"], check=False
    )
    found = json.loads(ended.stdout)
    print(found)
    assert found.pop("wrong") == []
    assert (found["rounds"], found["promotions"]) == (int(ROUNDS), 8 * int(ROUNDS))
    assert int(ROUNDS) <= found["committed"] < found["promotions"]
    assert ended.code == 0


WRITERS = 16
NOTES = "notes.txt"


class Person:
    """Somebody who pushes a line to the same branch every second, and again where others were
    faster, until `stop` is set.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.stop = threading.Event()
        self.lines: list[str] = []

    def work(self) -> None:
        with by_hand.clone(self.url, "main") as repo:
            while not self.stop.wait(1.0 if self.lines else 0.0):
                line = f"line {len(self.lines)}"
                while not self._pushed(repo, line):
                    pass
                self.lines.append(line)

    def _pushed(self, repo: by_hand.Clone, line: str) -> bool:
        by_hand.git(repo.path, "fetch", "--quiet", "origin", "main")
        by_hand.git(repo.path, "reset", "--quiet", "--hard", "origin/main")
        with (repo.path / NOTES).open("a") as file:
            print(line, file=file)
        by_hand.commit(repo, f"Note {line}\n", "Anna <anna@example.com>")
        words = ("git", "push", "--quiet", "origin", "HEAD:main")
        return (
            subprocess.run(words, cwd=repo.path, capture_output=True, check=False).returncode == 0
        )


@pytest.fixture(params=["file", "http"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Settings, Settings]]:
    """A manifest repo as it lies on the disk of its server, and as everybody reaches it."""
    local = seeded(tmp_path)
    with ExitStack() as running:
        url = f"file://{local.manifest_url}"
        if request.param == "http":
            # In a process of its own: it has to answer while sixteen ask.
            port = server.free_port()
            words = [sys.executable, "-m", "flows.drills.crash.git_server", tmp_path, str(port)]
            log, env = tmp_path / "server.log", {"PYTHONPATH": str(ROOT)}
            running.enter_context(server.running([*map(str, words)], port, log, env=env))
            url = f"http://127.0.0.1:{port}/manifests.git"
        yield local, local.model_copy(update={"manifests": url})


def test_who_races_many_others_loses_no_more_races_than_they_pushed(
    shared: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen at once, all on the same file, beside a person who never rests. Whoever loses a race
    loses it to a push that was taken; so the number of pushes bounds it, and no clock does.
    """
    local, given = shared
    monkeypatch.setattr(writer, "MINUTES", 24 * 60)
    before = commits(local)
    digests = [f"sha256:{number:064x}" for number in range(WRITERS)]
    person = Person(given.manifest_url)
    start = threading.Barrier(WRITERS)

    def add(digest: str) -> Written:
        start.wait()
        return quarantine.add(given, "attrition", digest, "why")

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        resting = pool.submit(person.work)
        try:
            written = list(pool.map(add, digests))
        finally:
            person.stop.set()
        resting.result()
    lost = sorted(one.lost for one in written)
    print(f"races lost: {lost}, pushes of the person: {len(person.lines)}")
    assert {one.outcome for one in written} == {"committed"}
    assert max(lost) <= WRITERS - 1 + len(person.lines)
    assert commits(local) == before + WRITERS + len(person.lines)
    entries = document(local, "state/attrition/quarantine.json")["entries"]
    assert sorted(entry["digest"] for entry in entries) == digests
    notes = by_hand.git(Path(local.manifest_url), "show", f"main:{NOTES}")
    assert notes.splitlines() == person.lines
