"""`sluice drill faults`: what is not killed may still fail. A full or broken disk at every boundary
that meets one, and servers that hang up, answer 500, lose an answer, stay silent or take no push.

Each has to end as a clear error with its exit code (or be got over), and the next run comes to what
an undisturbed one comes to.
"""

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
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
    planned,
    player,
    recovered,
)
from flows.drills.crash.scenarios import TO_COMMIT, TO_IMAGE, Place
from flows.drills.crash.world import World

DISK = (
    "data.keep",
    "store.",
    "file.",
    "champion.keep",
    "champion.rename",
    "clone.write",
    "git.init",
    "git.checkout",
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
    """What a server does wrong: with which requests, how often (0: until it is mended)."""

    server: str
    kind: str
    method: str
    part: str
    times: int
    begin: str

    @property
    def name(self) -> str:
        """As people read it."""
        often = "always" if not self.times else f"{self.times} times" if self.times > 1 else "once"
        return f"{self.server} {self.kind}: {self.method} {self.part}, {often}"


_PATIENCE = 2.0  # seconds; less than the time for which a server is silent
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
    """All of the servers'."""
    for kind in ("reset", "lost", "500", "silent"):
        for method, part in _REGISTRY:
            yield Fault("registry", kind, method, part, 1, TO_IMAGE)
        for method, part in _GIT:
            yield Fault("git", kind, method, part, 1, TO_COMMIT)
    for server, requests in (("registry", _REGISTRY), ("git", _GIT)):
        for method, part in requests[:4]:
            begin = TO_IMAGE if server == "registry" else TO_COMMIT
            yield Fault(server, "500", method, part, 0, begin)


def on_disk(world: World, rehearsed: Rehearsed, number: int, mine: Mine) -> Iterator[Trial]:
    """An error at each boundary that meets a disk, instead of what would be done there; in the next
    round the other.
    """
    for turn, (name, places) in enumerate(planned(rehearsed).items()):
        if name.startswith(DISK) and name.endswith(".before") and places and mine(turn // 2):
            said = list(ERRORS)[(turn // 2 + number) % len(ERRORS)]
            yield _refused(world, rehearsed, places[number % len(places)], said, ERRORS[said])


def _refused(world: World, rehearsed: Rehearsed, place: Place, said: str, code: int) -> Trial:
    world.put_back(place.begin)
    note = world.folder / "fired"
    note.unlink(missing_ok=True)
    play, env = player(world, place.scene)
    end = trial.run(world, env, play, _failing(place.path, code, note))
    if not note.is_file():
        return Trial(said, place.path, INVALID, "it did not happen")
    return _told(world, rehearsed, said, place.path, place.scene.name, end)


def _failing(place: str, code: int, note: Path) -> failpoints.Seen:
    """The system refuses at this place, once."""

    def seen(here: str) -> None:
        if here == place and not note.is_file():
            note.write_text(here)
            raise OSError(code, os.strerror(code))

    return seen


def of_servers(world: World, rehearsed: Rehearsed, mine: Mine) -> Iterator[Trial]:
    """Each fault of a server; and a server that refuses every push."""
    for turn, fault in enumerate(faults()):
        if mine(turn):
            yield _failed(world, rehearsed, fault)
    if mine(0):
        yield _rejected(world, rehearsed)


def _failed(world: World, rehearsed: Rehearsed, fault: Fault) -> Trial:
    world.put_back(fault.begin)
    scene = rehearsed["first release"].scene
    play, env = player(world, scene)
    file = world.folder / f"{fault.server}.fault"
    left = fault.times or 10**9
    told = {"kind": fault.kind, "method": fault.method, "part": fault.part, "left": left, "hits": 0}
    file.write_text(json.dumps(told))
    end = trial.run(
        world,
        {
            **env,
            "SLUICE_GIT_TIMEOUT": str(_PATIENCE),
            "SLUICE_REGISTRY_TIMEOUT": str(_PATIENCE),
        },
        play,
    )
    hits = json.loads(file.read_text())["hits"]
    file.unlink()
    if not hits:
        return Trial(fault.server, fault.name, INVALID, "it did not happen")
    return _told(world, rehearsed, fault.server, fault.name, scene.name, end)


def _rejected(world: World, rehearsed: Rehearsed) -> Trial:
    """A hook of the server, as branches are protected."""
    world.put_back(TO_COMMIT)
    hook = world.repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho refused > refused\nexit 1\n")
    hook.chmod(0o755)
    play, env = player(world, rehearsed["first release"].scene)
    end = trial.run(world, env, play)
    hook.unlink()
    if not (world.repository / "refused").is_file():
        return Trial("git", "push rejected", INVALID, "it did not happen")
    return _told(world, rehearsed, "git", "push rejected", "first release", end)


def _told(
    world: World, rehearsed: Rehearsed, kind: str, name: str, scene: str, end: trial.End
) -> Trial:
    """An error that a person can act on, or none; and then what an undisturbed run comes to."""
    if end.code not in (0, 1, 2):
        return Trial(kind, name, BROKEN, f"it ended with {end.code}: {trial.log_of(world)}")
    said = "got over" if not end.code else trial.log_of(world).strip().splitlines()[-1]
    after = recovered(world, rehearsed[scene], kind, name, 0, end.code == 0)
    return Trial(kind, after.place, after.state, after.said if after.state != HELD else said)
