"""`sluice drill race`: eight promotions against the same champion at once, and a person's edits.

Of those that were compared with the same champion the newest must win, the others are superseded,
and the person, who edits the same file, loses no edit. Each racer is a process of its own; what
they leave is judged by `race_checker`, from the history alone.
"""

import datetime
import os
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from flows.adapters.git import git
from flows.adapters.process import run
from flows.drills.crash.race_checker import history, problems, winners
from flows.drills.crash.world import World
from flows.gitops import ledger, manifest_repo
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate.ledger import Use
from sluice.gitops import trailers
from sluice.gitops.deploy_files import kubernetes_name
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference

RACERS = 8
EDITS = 4  # of the person, a round
FIRST = "f" * 16
_TODAY = datetime.date(2026, 1, 1)
_ANNA = "Anna <anna@example.com>"
_REPLICAS = "replicas:\n  - name: {name}\n    count: 1\n"


class Ended(Struct, frozen=True):
    """How a racer ended: the number of its release, outcome and sentence, and an exit code."""

    tag: str
    number: int
    outcome: str
    sentence: str
    code: int = 0


@dataclass(frozen=True)
class Round:
    """One round.

    `against` is the champion that all were compared with, `ended` how each ended, `tries` how often
    the person had to push.
    """

    against: str
    ended: tuple[Ended, ...]
    tries: int

    @property
    def newest(self) -> Ended:
        """The racer with the highest number."""
        return max(self.ended, key=lambda racer: racer.number)

    def wrong(self) -> list[str]:
        """What must not be; empty where nothing is."""
        wrong = [
            f"{racer.tag}: {racer.sentence}"
            for racer in self.ended
            if racer.code or racer.outcome not in ("committed", "superseded")
        ]
        if self.newest.outcome != "committed":
            wrong.append(f"release {self.newest.number} did not win")
        return wrong


@dataclass(frozen=True)
class _Racer:
    """A process of its own: its id, what it says, and where it listens."""

    pid: int
    said: IO[str]
    go: IO[str]

    def close(self) -> None:
        """Wait for its end."""
        os.waitpid(self.pid, 0)
        self.said.close()
        self.go.close()


def rounds(world: World, count: int) -> Iterator[Round]:
    """Race so often; each round is against the winner of the one before."""
    prepare(world)
    against = FIRST
    for number in range(1, count + 1):
        raced = _round(world, number, against)
        yield raced
        against = raced.newest.tag


def prepare(world: World) -> None:
    """A first champion, and replicas that a person may edit."""
    given, replicas = _settings(world), _REPLICAS.format(name=kubernetes_name(world.model))
    with git.clone(given.remote, given.branch) as repo:
        path = manifest_repo.overlay(given, repo, world.model)
        text = manifest_repo.text(repo, path).replace("images:\n", f"{replicas}images:\n", 1)
        git.push(repo, git.commit(repo, {path: text.encode()}, "Set replicas\n", _ANNA))
    promote(given, promotion(world.model, FIRST, 0, ""))


def _overlay(world: World) -> str:
    """The file that releases write to, and the person too."""
    given = _settings(world)
    with git.clone(given.remote, given.branch) as repo:
        return manifest_repo.overlay(given, repo, world.model)


def judged(world: World, raced: list[Round]) -> list[str]:
    """Everything that is wrong with what they left; empty where nothing is."""
    commits = history(world.repository, "main")
    wrong = problems(commits, world.model)
    for one in raced:
        wrong += one.wrong()
    expected = {one.against: one.newest.number for one in raced}
    actual = {against: number for against, number in winners(commits).items() if against != "none"}
    if actual != expected:
        wrong.append(f"the winners are {actual}, and should be {expected}")
    replicas = f"count: {1 + EDITS * len(raced)}\n"
    if replicas not in git.git("show", f"main:{_overlay(world)}", bare=world.repository):
        wrong.append("an edit of the person is gone")
    return wrong


def promotion(model: str, tag: str, number: int, against: str) -> Promotion:
    """A release of a made-up image with this tag."""
    entry = ImageEntry(local_image(model), local_image(model), tag, f"sha256:{tag * 4}")
    name = promotion_id(model, entry, number)
    record = trailers.Promotion(
        promotion_id=name,
        model=model,
        release=number,
        image_digest=entry.digest,
        against=against or "none",
    )
    champion = Champion(
        tag=tag,
        digest=entry.digest,
        image=entry.new_name,
        release=number,
        model=f"model of {tag}",
        recall=0.75,
        precision=0.7,
        against=reference(against) if against else None,
        promotion=name,
    )
    return Promotion(model, champion, f"Release {number}", "A drill.", record)


def reference(tag: str) -> Reference:
    """How a release of the made-up image with this tag is named by those that came after."""
    return Reference(tag, f"sha256:{tag * 4}", f"model of {tag}")


def _settings(world: World) -> Settings:
    return settings.Settings(home=world.home, manifests=world.env["SLUICE_MANIFESTS"])


def _round(world: World, number: int, against: str) -> Round:
    """Everybody takes a number before anybody writes."""
    tags = [f"{number:08x}{racer:08x}" for racer in range(1, RACERS + 1)]
    racers = [_forked(world, partial(_release, tag, against)) for tag in tags]
    for racer in racers:
        racer.said.readline()
    person = _forked(world, partial(_edit, world))
    for racer in racers:
        racer.go.write("go\n")
        racer.go.close()
    ended = tuple(msgspec.json.decode(racer.said.readline(), type=Ended) for racer in racers)
    tries = int(person.said.readline())
    for process in (*racers, person):
        process.close()
    return Round(against, ended, tries)


def _forked(world: World, body: Callable[[IO[str], IO[str]], None]) -> _Racer:
    """Let a process of its own do `body`, which gets where it speaks and where it listens."""
    said, say = os.pipe()
    hear, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        os.close(hear)
        return _Racer(pid, os.fdopen(said), os.fdopen(tell, "w"))
    try:
        os.close(said)
        os.close(tell)
        world.enter()
        with os.fdopen(say, "w") as out, os.fdopen(hear) as go:
            body(out, go)
    except BaseException:  # noqa: BLE001  the child must not go on as the parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _release(tag: str, against: str, out: IO[str], go: IO[str]) -> None:
    """Take a number, wait for the start, write. One that gets no number waits as well."""
    given, number = settings.load(), 0
    try:
        number, _ = ledger.reserve(given, given.model, Use(tag, ("1", "2", "3"), _TODAY))
        _wait(out, go)
        written = promote(given, promotion(given.model, tag, number, against))
        ended = Ended(tag, number, written.outcome, written.sentence)
    except SluiceError as error:
        if not number:
            _wait(out, go)
        ended = Ended(tag, number, "error", str(error), error.exit_code)
    print(msgspec.json.encode(ended).decode(), file=out, flush=True)


def _wait(out: IO[str], go: IO[str]) -> None:
    """Say that it is ready, and wait for the start."""
    print("ready", file=out, flush=True)
    go.readline()


def _edit(world: World, out: IO[str], _go: IO[str]) -> None:
    """Raise the replicas by one, as a person does: pull, edit, commit, push.

    All of it again where the push came too late.
    """
    url, chance, tries = world.env["SLUICE_MANIFESTS"], random.SystemRandom(), 0
    overlay = _overlay(world)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        _git_by_hand(Path(scratch), "clone", "--quiet", url, str(folder))
        for _ in range(EDITS):
            time.sleep(chance.uniform(0.1, 0.5))
            tries += 1
            while not _raise_replicas(folder, overlay):
                tries += 1
    print(tries, file=out, flush=True)


def _raise_replicas(folder: Path, overlay: str) -> bool:
    """Raise them by one on top of the tip; whether the push was taken."""
    _git_by_hand(folder, "fetch", "--quiet", "origin", "main")
    _git_by_hand(folder, "reset", "--quiet", "--hard", "origin/main")
    path = folder / overlay
    head, mark, rest = path.read_text().partition("    count: ")
    count, newline, tail = rest.partition("\n")
    more = int(count) + 1
    path.write_text(f"{head}{mark}{more}{newline}{tail}")
    _git_by_hand(folder, "commit", "--quiet", "--all", "--message", f"Scale to {more}")
    return _git_by_hand(folder, "push", "--quiet", "origin", "HEAD:main", check=False)


def _git_by_hand(folder: Path, *words: str, check: bool = True) -> bool:
    who = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
    return run(["git", *who, *words], cwd=folder, check=check).code == 0
