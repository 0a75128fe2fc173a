"""Sixteen who write to one manifest repo at once beside a person who pushes all the time: seconds
and lost races, `python -m benchmarks.writers`.

    python -m benchmarks.writers               three rounds, over http
    python -m benchmarks.writers --pause 0.2   the person pushes every 0.2 s and not every second

Each writer puts a digest into quarantine, all in the same file. Exit code 1: somebody did not get
through, or lost more races than others won.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.adapters import server
from flows.gitops import manifest_repo, quarantine
from flows.project import settings
from flows.project.root import ROOT
from flows.project.settings import Settings

_WHO = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com", "-c", "commit.gpgSign=false")


@dataclass(frozen=True)
class Round:
    """One round: seconds of each writer in order, races that each lost in order, pushes of the
    person and how often one of those was taken by somebody else first.
    """

    seconds: tuple[float, ...]
    lost: tuple[int, ...]
    committed: int
    pushes: int
    refused: int

    @property
    def wrong(self) -> bool:
        """Whether somebody did not get through, or lost to a push that never was."""
        writers = len(self.seconds)
        return self.committed < writers or max(self.lost) > writers - 1 + self.pushes


class Person:
    """Pushes a line, rests, and pushes the next, until `stop` is set."""

    def __init__(self, folder: Path, url: str, pause: float) -> None:
        self.stop = threading.Event()
        self.pushes = self.refused = 0
        self._folder, self._url, self._pause = folder, url, pause

    def work(self) -> None:
        """Until `stop` is set."""
        self._git("clone", "--quiet", self._url, ".")
        while not self.stop.wait(self._pause):
            while not self._pushed():
                self.refused += 1
            self.pushes += 1

    def _pushed(self) -> bool:
        self._git("fetch", "--quiet", "origin", "main")
        self._git("reset", "--quiet", "--hard", "origin/main")
        with (self._folder / "notes.txt").open("a", encoding="utf-8") as file:
            print(self.pushes, file=file)
        self._git("add", "notes.txt")
        self._git(*_WHO, "commit", "--quiet", "--message", "A note")
        words = ["git", "push", "--quiet", "origin", "HEAD:main"]
        return not subprocess.run(words, cwd=self._folder, capture_output=True).returncode

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self._folder, check=True, capture_output=True)


@contextmanager
def shared(folder: Path) -> Iterator[Settings]:
    """A seeded manifest repo behind a server of its own, while the block runs."""
    manifest_repo.seed(Settings(home=folder))
    port = server.free_port()
    words = [sys.executable, "-m", "flows.drills.crash.git_server", str(folder), str(port)]
    env = {"PYTHONPATH": str(ROOT)}
    with server.running(words, port, folder / "server.log", env=env):
        url = f"http://127.0.0.1:{port}/manifests.git"
        given = settings.load()
        yield given.model_copy(update={"home": folder, "actor": "anna", "manifests": url})


def race(given: Settings, folder: Path, writers: int, pause: float, number: int) -> Round:
    """One round on that repo, each writer with a digest that is new."""
    folder.mkdir()
    person, start = Person(folder, given.manifest_url, pause), threading.Barrier(writers)

    def add(place: int) -> tuple[float, int, bool]:
        start.wait()
        began = time.perf_counter()
        digest = f"sha256:{number * writers + place:064x}"
        written = quarantine.add(given, "attrition", digest, "why")
        return time.perf_counter() - began, written.lost, written.outcome == "committed"

    with ThreadPoolExecutor(writers + 1) as pool:
        resting = pool.submit(person.work)
        try:
            ended = list(pool.map(add, range(writers)))
        finally:
            person.stop.set()
        resting.result()
    return Round(
        seconds=tuple(sorted(round(took, 2) for took, _, _ in ended)),
        lost=tuple(sorted(lost for _, lost, _ in ended)),
        committed=sum(committed for _, _, committed in ended),
        pushes=person.pushes,
        refused=person.refused,
    )


def main(arguments: Sequence[str]) -> int:
    """Race and print; 1 where a round is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds the person rests")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="writers-") as name, shared(Path(name)) as given:
        rounds = [
            race(given, Path(name) / f"person-{number}", asked.writers, asked.pause, number)
            for number in range(asked.rounds)
        ]
    for one in rounds:
        middle = statistics.median(one.seconds)
        print(
            f"{one.committed} of {len(one.seconds)} wrote, in {middle:.1f} s in the median and"
            f" {one.seconds[-1]:.1f} s at most; races lost: {statistics.median(one.lost):g} in the"
            f" median, {one.lost[-1]} at most; the person pushed {one.pushes} times and lost"
            f" {one.refused} races",
            file=sys.stderr,
        )
    print(json.dumps([asdict(one) for one in rounds]))
    return int(any(one.wrong for one in rounds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
