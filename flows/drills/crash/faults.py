"""`sluice drill faults`: what is not killed may still fail.

Tried are a full or broken disk at every boundary that writes, and servers that hang up, answer 500,
lose an answer, stay silent or take no push. Each run has to end with a clear error and its exit
code, or get over the fault, and the next run comes to what an undisturbed one comes to.
"""

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flows.adapters import failpoints
from flows.drills.crash import trial
from flows.drills.crash.kill import (
    BROKEN,
    HELD,
    INVALID,
    Mine,
    Rehearsed,
    Trial,
    Tried,
    planned,
    player,
    recovered,
)
from flows.drills.crash.scenarios import TO_COMMIT, TO_IMAGE, Place, Undisturbed
from flows.drills.crash.world import World

# The boundaries that write to a disk, by name or by the beginning of it.
DISK = (
    "data.keep",
    "store.",
    "file.",
    "champion.keep",
    "champion.rename",
    "clone.write",
    "git.init",
    "git.tree",
    "seed.",
    "bento.",
    "shelf.",
    "image.context",
    "image.export",
    "image.seal",
    "layout.",
    "evidence.publish",
    "outcome.record",
    "proposal.write",
    "rollback.begin",
)
ERRORS = {"no space left": errno.ENOSPC, "input/output error": errno.EIO}


@dataclass(frozen=True)
class Fault:
    """What a server does wrong.

    Faulty are requests of this `method` with this `part` in their path, `times` of them (0: until
    it is mended), in a run that starts from the world `begin`.
    """

    server: str
    kind: str
    method: str
    part: str
    times: int
    begin: str

    @property
    def name(self) -> str:
        """The fault as people read it."""
        often = {0: "always", 1: "once"}.get(self.times, f"{self.times} times")
        return f"{self.server} {self.kind}: {self.method} {self.part}, {often}"


_SCENE = "first release"
_PATIENCE = 2.0  # seconds; less than the time for which a server is silent
_IMPATIENT = {
    "SLUICE_GIT_TIMEOUT": str(_PATIENCE),
    "SLUICE_REGISTRY_TIMEOUT": str(_PATIENCE),
}
_REGISTRY = (
    ("HEAD", "/manifests/"),
    ("POST", "/blobs/uploads/"),
    ("PUT", "/blobs/uploads/"),
    ("PUT", "/manifests/"),
    ("GET", "/blobs/"),
    ("GET", "/manifests/"),
)
_GIT = (
    ("GET", "git-upload-pack"),
    ("POST", "git-upload-pack"),
    ("GET", "git-receive-pack"),
    ("POST", "git-receive-pack"),
)


def faults() -> Iterator[Fault]:
    """All faults of the servers."""
    for kind in ("reset", "lost", "500", "silent"):
        for method, part in _REGISTRY:
            yield Fault("registry", kind, method, part, 1, TO_IMAGE)
        for method, part in _GIT:
            yield Fault("git", kind, method, part, 1, TO_COMMIT)
    for method, part in _REGISTRY[:4]:
        yield Fault("registry", "500", method, part, 0, TO_IMAGE)
    for method, part in _GIT:
        yield Fault("git", "500", method, part, 0, TO_COMMIT)


def on_disk(world: World, rehearsed: Rehearsed, number: int, mine: Mine) -> Iterator[Trial]:
    """An error of the disk at each boundary that writes, instead of what would be done there.

    `number` is that of the round: the next round has the other error. `mine` says which turns are
    tried in this process.
    """
    for turn, (name, places) in enumerate(planned(rehearsed).items()):
        before = name.startswith(DISK) and name.endswith(".before")
        if before and places and mine(turn // 2):
            error = list(ERRORS)[(turn // 2 + number) % len(ERRORS)]
            yield _refused(world, rehearsed, places[number % len(places)], error)


def _refused(world: World, rehearsed: Rehearsed, place: Place, error: str) -> Trial:
    world.put_back(place.begin)
    fired = world.folder / "fired"
    fired.unlink(missing_ok=True)
    play, env = player(world, place.scene)
    end = trial.run(world, env, play, _failing(place.path, ERRORS[error], fired))
    if not fired.is_file():
        return Trial(error, place.path, INVALID, "it did not happen")
    return _judged(world, rehearsed[place.scene.name], Tried(error, place.path), end)


def _failing(place: str, code: int, fired: Path) -> failpoints.Seen:
    """The system refuses at this place, once; the file `fired` says that it did."""

    def seen(here: str) -> None:
        if here == place and not fired.is_file():
            fired.write_text(here)
            raise OSError(code, os.strerror(code))

    return seen


def of_servers(world: World, rehearsed: Rehearsed, mine: Mine) -> Iterator[Trial]:
    """Each fault of a server; and a server that refuses every push."""
    for turn, fault in enumerate(faults()):
        if mine(turn):
            yield _failed(world, rehearsed, fault)
    if mine(0):
        yield rejected(world, rehearsed)


def _failed(world: World, rehearsed: Rehearsed, fault: Fault) -> Trial:
    world.put_back(fault.begin)
    play, env = player(world, rehearsed[_SCENE].scene)
    file = world.folder / f"{fault.server}.fault"
    left = fault.times or 10**9
    ordered = {"kind": fault.kind, "method": fault.method, "part": fault.part}
    file.write_text(json.dumps({**ordered, "left": left, "hits": 0}))
    end = trial.run(world, {**env, **_IMPATIENT}, play)
    hits = json.loads(file.read_text())["hits"]
    file.unlink()
    if not hits:
        return Trial(fault.server, fault.name, INVALID, "it did not happen")
    return _judged(world, rehearsed[_SCENE], Tried(fault.server, fault.name), end)


def rejected(world: World, rehearsed: Rehearsed) -> Trial:
    """A hook of the server refuses every push, as for branches that are protected."""
    world.put_back(TO_COMMIT)
    hook = world.repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho refused > refused\nexit 1\n")
    hook.chmod(0o755)
    play, env = player(world, rehearsed[_SCENE].scene)
    end = trial.run(world, env, play)
    hook.unlink()
    if not (world.repository / "refused").is_file():
        return Trial("git", "push rejected", INVALID, "it did not happen")
    return _judged(world, rehearsed[_SCENE], Tried("git", "push rejected"), end)


def _judged(world: World, wanted: Undisturbed, tried: Tried, end: trial.End) -> Trial:
    """Held are an error that a person can act on, or none, and a good end of the next run."""
    if end.code not in (0, 1, 2):
        sentence = f"it ended with {end.code}: {trial.log_of(world)}"
        return Trial(tried.kind, tried.place, BROKEN, sentence)
    message = "got over"
    if end.code:
        message = trial.log_of(world).strip().splitlines()[-1]
    after = recovered(world, wanted, tried, is_over=end.code == 0)
    if after.state == HELD:
        return replace(after, said=message)
    return after
