"""Whole releases, as `sluice release` does them: Prefect, BentoML, a real image, its smoke run.

They begin where the verdict is there already. What the builder keeps stays through all kills, as it
does for a user.
"""

import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from flows.drills.crash import trial
from flows.drills.crash.kill import (
    BROKEN,
    HELD,
    INVALID,
    Shot,
    Trial,
    Tried,
    one_of_its_programs,
    recovered,
    shoot,
    the_run_itself,
)
from flows.drills.crash.plays import Announce
from flows.drills.crash.scenarios import AFTER_VERDICT, Scene, Undisturbed, rehearse
from flows.drills.crash.world import World
from flows.project.root import ROOT

_BEGIN = "whole release: before"


def play() -> int:
    """`sluice release --json`, in the place of this process."""
    words = [sys.executable, "-c", "from flows.cli.main import main; main()", "release", "--json"]
    os.execve(sys.executable, words, {**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S606  a fork of ours, which it ends


def trials(world: World, count: int) -> Iterator[Trial]:
    """So many releases, each killed at a moment drawn from the whole of one.

    Every other time it is not the release itself, but one of its programs.
    """
    wanted = rehearse(world, _prepared(world))
    # The builder has more in its cache each time, so that a release gets quicker.
    whole = wanted.seconds
    for number in range(count):
        shot = _shot(world, wanted, number, whole)
        yield _judged(world, wanted, number, shot)
        whole = shot.whole


def _shot(world: World, wanted: Undisturbed, number: int, whole: float) -> Shot:
    """A release that was killed; `whole` is how many seconds it takes at most."""

    def start() -> int:
        world.put_back(_BEGIN)
        return trial.start(world, wanted.scene.env(world), play)

    kill = the_run_itself if number % 2 == 0 else one_of_its_programs
    return shoot(start, kill, random.Random(number), whole)  # noqa: S311


def _judged(world: World, wanted: Undisturbed, number: int, shot: Shot) -> Trial:
    kind = "whole process" if number % 2 == 0 else "whole program"
    if not shot.victim:
        sentence = "it was over each time before it could be killed"
        return Trial(kind, shot.place, INVALID, sentence)
    after = recovered(world, wanted, Tried(kind, shot.place, 1), is_over=shot.end.code == 0)
    running = _still_running(world)
    if after.state == HELD and running:
        return replace(after, state=BROKEN, said=running)
    return after


def _prepared(world: World) -> Scene:
    """The scene that begins after a verdict.

    Images are kept out of what is put back, and caches are the machine's own.
    """
    world.put_back(AFTER_VERDICT)
    (world.folder / "containers").mkdir()
    (world.home / "containers").symlink_to(world.folder / "containers")
    world.keep(_BEGIN)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Scene("whole release", _BEGIN, _play, {"XDG_CACHE_HOME": cache})


def _play(_world: World, _announce: Announce) -> int:
    return play()


def _still_running(world: World) -> str:
    """How many runs Prefect takes to be running, though nobody is; empty for none."""
    database = world.home / "prefect" / "prefect.db"
    if not database.is_file():
        return ""
    with closing(sqlite3.connect(database)) as connection:
        [[count]] = connection.execute(
            "select count(*) from flow_run where state_type in ('RUNNING', 'PENDING')"
        )
    return f"Prefect takes {count} runs to be running" if count else ""
