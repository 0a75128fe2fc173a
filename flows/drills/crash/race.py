"""`sluice drill race`: eight promotions against the same champion at once, and a person in the same
file.

Of those that were compared with the same champion the newest must win, the others are superseded,
and the person loses no edit. Each racer is a process of its own; what they leave is judged by
`race_checker`, from the history alone.
"""

import json
import os
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from flows.adapters.git import git
from flows.adapters.process import run
from flows.drills.crash.race_checker import history, problems, winners
from flows.drills.crash.world import World
from flows.gitops import ledger
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate.ledger import Use
from sluice.gitops import trailers
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference

RACERS = 8
EDITS = 4  # of the person, a round
FIRST = "f" * 16
MODEL = "attrition"
_OVERLAY = "overlays/production/kustomization.yaml"
_ANNA = "Anna <anna@example.com>"
_REPLICAS = "replicas:\n  - name: attrition\n    count: 1\n"


@dataclass(frozen=True)
class Round:
    """One round: the champion that all were compared with, what became of each, how often the
    person had to try.
    """

    against: str
    told: tuple[dict[str, Any], ...]
    tries: int

    @property
    def newest(self) -> dict[str, Any]:
        """The one with the highest number."""
        return max(self.told, key=lambda one: int(one["number"]))

    def wrong(self) -> list[str]:
        """What must not be; empty where nothing is."""
        found = [
            f"{one['tag']}: {one['sentence']}"
            for one in self.told
            if one["code"] or one["outcome"] not in ("committed", "superseded")
        ]
        newest = self.newest
        return found + (
            [] if newest["outcome"] == "committed" else [f"release {newest['number']} did not win"]
        )


def rounds(world: World, count: int) -> Iterator[Round]:
    """Race so often; each round is against the winner of the one before."""
    prepare(world)
    against = FIRST
    for number in range(1, count + 1):
        done = _round(world, number, against)
        yield done
        against = str(done.newest["tag"])


def prepare(world: World) -> None:
    """A first champion, and replicas that a person may edit."""
    given = _settings(world)
    with git.clone(given.remote, given.branch) as repo:
        path = repo.path / _OVERLAY
        path.write_text(path.read_text().replace("images:\n", f"{_REPLICAS}images:\n", 1))
        git.commit(repo, "Set replicas\n", _ANNA)
        git.push(repo)
    promote(given, promotion(FIRST, 0, ""))


def judged(world: World, raced: list[Round]) -> list[str]:
    """Everything that is wrong with what they left; empty where nothing is."""
    commits = history(world.repository, "main")
    wrong = [*problems(commits, MODEL), *(said for one in raced for said in one.wrong())]
    newest = {one.against: one.newest["number"] for one in raced}
    found = {against: number for against, number in winners(commits).items() if against != "none"}
    wrong += [] if found == newest else [f"the winners are {found}, and should be {newest}"]
    count = f"count: {1 + EDITS * len(raced)}\n"
    text = git.git("show", f"main:{_OVERLAY}", cwd=world.repository)
    return wrong + ([] if count in text else ["an edit of the person is gone"])


def promotion(tag: str, number: int, against: str) -> Promotion:
    """A release of a made-up image with this tag."""
    entry = ImageEntry(f"sluice.local/{MODEL}", f"sluice.local/{MODEL}", tag, f"sha256:{tag * 4}")
    name = promotion_id(MODEL, entry, number)
    record = trailers.Promotion(
        promotion_id=name,
        model=MODEL,
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
        against=_reference(against) if against else None,
        promotion=name,
    )
    return Promotion(MODEL, champion, f"Release {number}", "A drill.", record)


def _reference(tag: str) -> Reference:
    return Reference(tag, f"sha256:{tag * 4}", f"model of {tag}")


def _settings(world: World) -> Settings:
    return settings.Settings(home=world.home, manifests=world.env["SLUICE_MANIFESTS"])


def _round(world: World, number: int, against: str) -> Round:
    """Everybody takes a number before anybody writes."""
    tags = [f"{number:08x}{racer:08x}" for racer in range(1, RACERS + 1)]
    racers = [_forked(world, partial(_release, tag, against)) for tag in tags]
    for _, said, _ in racers:
        said.readline()
    person = _forked(world, lambda out, _: _edit(world, out))
    for _, _, go in racers:
        go.write("go\n")
        go.close()
    told = tuple(
        {**json.loads(said.readline()), "tag": tag}
        for (_, said, _), tag in zip(racers, tags, strict=True)
    )
    tries = int(person[1].readline())
    for pid, said, go in (*racers, person):
        os.waitpid(pid, 0)
        said.close()
        go.close()
    return Round(against, told, tries)


def _forked(world: World, body: Callable[[IO[str], IO[str]], None]) -> tuple[int, IO[str], IO[str]]:
    """A process of its own: its id, what it says, and where it listens."""
    (said, say), (hear, tell) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        os.close(hear)
        return pid, os.fdopen(said), os.fdopen(tell, "w")
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
    """Take a number, wait for the start, write."""
    given = settings.load()
    number, _ = ledger.reserve(given, MODEL, Use(tag, "split", (1, 2, 3)))
    print(number, file=out, flush=True)
    go.readline()
    try:
        written = promote(given, promotion(tag, number, against))
        told: dict[str, Any] = {"outcome": written.outcome, "sentence": written.sentence, "code": 0}
    except SluiceError as error:
        told = {"outcome": "error", "sentence": str(error), "code": error.exit_code}
    print(json.dumps({"number": number, **told}), file=out, flush=True)


def _edit(world: World, out: IO[str]) -> None:
    """Raise the replicas by one, as a person does: pull, edit, commit, push, and again where that
    was too late.
    """
    url, chance, tries = world.env["SLUICE_MANIFESTS"], random.SystemRandom(), 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        _typed(Path(scratch), "clone", "--quiet", url, str(folder))
        for _ in range(EDITS):
            time.sleep(chance.uniform(0.1, 0.5))
            tries += 1
            while not _raised(folder):
                tries += 1
    print(tries, file=out, flush=True)


def _raised(folder: Path) -> bool:
    _typed(folder, "fetch", "--quiet", "origin", "main")
    _typed(folder, "reset", "--quiet", "--hard", "origin/main")
    path = folder / _OVERLAY
    head, mark, rest = path.read_text().partition("    count: ")
    count, newline, tail = rest.partition("\n")
    path.write_text(f"{head}{mark}{int(count) + 1}{newline}{tail}")
    _typed(folder, "commit", "--quiet", "--all", "--message", f"Scale to {int(count) + 1}")
    return _typed(folder, "push", "--quiet", "origin", "HEAD:main", check=False)


def _typed(folder: Path, *words: str, check: bool = True) -> bool:
    who = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
    return run(["git", *who, *words], cwd=folder, check=check).code == 0
