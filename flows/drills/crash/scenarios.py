"""What is played to be killed: releases, rollbacks and what else writes.

Each scene begins in a world that another one left.
"""

import importlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from flows.drills.crash import plays, trial
from flows.drills.crash.plays import Announce
from flows.drills.crash.state_comparison import Trees, trees
from flows.drills.crash.world import World
from flows.steps import promote
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE

START = "start"
# What a release imports late: the process that forks imports it once.
_LATE = (
    "gx.validation",
    "great_expectations",
    "evidently",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "flows.evidence.pictures",
    "flows.adapters.drift",
    "skl2onnx",
    "onnxruntime",
    "optuna",
    "httpx2",
    "jinja2",
    "flows.gitops.rollback",
    "sklearn.linear_model",
    "sklearn.inspection",
)


@dataclass(frozen=True)
class Scene:
    """What is played, and the remembered world in which it begins.

    `change` is what differs in the environment (empty: unset); `over` is the side of a boundary
    behind which whoever asked has the answer, and asks for no more.
    """

    name: str
    begin: str
    play: Callable[[World, Announce], int]
    change: Mapping[str, str] = field(default_factory=dict)
    over: str = "-"

    def env(self, world: World) -> dict[str, str]:
        """The environment of its runs."""
        changed = {**world.env, **self.change}
        return {name: value for name, value in changed.items() if value or name not in self.change}


@dataclass(frozen=True)
class Place:
    """A boundary that the undisturbed run of a scene comes to.

    `begin` is the world that was remembered just before, `path` the boundary behind those that it
    is in, with its side.
    """

    scene: Scene
    begin: str
    path: str

    @property
    def name(self) -> str:
        """The boundary and its side, without those that it is in."""
        return self.path.rpartition("/")[2]


def _first(_: World, announce: Announce) -> int:
    return plays.release(None, announce)


def _more(world: World, announce: Announce) -> int:
    return plays.release(world.folder / "project" / "more.csv", announce)


def _again(_: World, announce: Announce) -> int:
    return plays.release(None, announce, use_cache=False)


def _roll_back(_world: World, _announce: Announce) -> int:
    return plays.roll_back()


def _bar_live(_world: World, _announce: Announce) -> int:
    return plays.bar_live()


AFTER_VERDICT = f"first release: {PACKAGE.name}"
TO_IMAGE = f"first release: {IMAGE.name}"
TO_COMMIT = f"first release: {promote.TITLE}"
SCENES = (
    Scene("first release", START, _first),
    Scene("second release", "first release: end", _more),
    Scene("rollback", "second release: end", _roll_back, over="rollback.end.after"),
    Scene("quarantine", "first release: end", _bar_live),
    Scene(
        "embedded",
        AFTER_VERDICT,
        _first,
        {"SLUICE_MANIFESTS": "", "SLUICE_REGISTRY": ""},
    ),
    Scene("proposal", TO_COMMIT, _first, {"SLUICE_MODE": "branch"}),
    Scene("second proposal", "proposal: end", _more, {"SLUICE_MODE": "branch"}),
    Scene("again", "first release: end", _again),
)


def preload() -> None:
    """Import and find out once what every forked process would have to."""
    for name in _LATE:
        with suppress(ImportError):
            importlib.import_module(name)
    plays.prepare()


@dataclass(frozen=True)
class Undisturbed:
    """A scene to which nothing happens: the places it comes to, what it leaves, its seconds."""

    scene: Scene
    places: tuple[Place, ...]
    end: Trees
    seconds: float


def rehearse(world: World, scene: Scene) -> Undisturbed:
    """Play a scene undisturbed, remembering the world at every step.

    Raises RuntimeError where it fails.
    """
    world.put_back(scene.begin)
    seen = world.folder / "seen"
    seen.write_text("")
    remembered = scene.begin

    def remember(step: str) -> None:
        nonlocal remembered
        remembered = f"{scene.name}: {step}"
        world.keep(remembered)

    started = time.monotonic()
    end = trial.run(
        world,
        scene.env(world),
        lambda: scene.play(world, remember),
        trial.note(seen, lambda: remembered),
    )
    seconds = time.monotonic() - started
    if end.code:
        raise RuntimeError(
            f"{scene.name}, undisturbed, ended with {end.code}:\n{trial.log_of(world)}"
        )
    left = trees(world, scene.env(world))
    world.keep(f"{scene.name}: end")
    return Undisturbed(scene, _places(scene, seen.read_text()), left, seconds)


def _places(scene: Scene, seen: str) -> tuple[Place, ...]:
    """The places of a run, once each, in the order in which it came to them."""
    lines = dict.fromkeys(seen.splitlines())
    places: list[Place] = []
    for line in lines:
        begin, path = line.split("\t")
        places.append(Place(scene, begin, path))
    return tuple(places)
