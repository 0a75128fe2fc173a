"""Whole releases, as `sluice release` does them: Prefect, BentoML, a real image by a real builder,
its smoke run.

They begin where the verdict is there already. What the builder keeps stays through all kills, as it
does for a user.
"""

import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flows.drills.crash import trial
from flows.drills.crash.kill import (
    BROKEN,
    HELD,
    INVALID,
    Trial,
    one_of_its_programs,
    the_run_itself,
)
from flows.drills.crash.scenarios import Scene, Undisturbed, rehearse
from flows.drills.crash.state_comparison import differences, trees
from flows.drills.crash.world import World
from flows.project.settings import ROOT

_BEGIN = "whole release: before"


def play() -> int:
    """`sluice release --json`, in the place of this process."""
    words = [sys.executable, "-c", "from flows.cli.main import main; main()", "release", "--json"]
    os.execve(sys.executable, words, {**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S606  a fork of ours, which it ends


def trials(world: World, count: int) -> Iterator[Trial]:
    """So many, killed at times drawn from the whole: every other time one of its programs instead
    of itself.
    """
    scene = _prepared(world)
    wanted = rehearse(world, scene)
    whole = wanted.seconds
    for number in range(count):
        found, whole = _killed(world, wanted, number, whole)
        yield found


def _killed(world: World, wanted: Undisturbed, number: int, whole: float) -> tuple[Trial, float]:
    """One of them, and how long the whole takes as far as is known: the builder has more in its
    cache each time.
    """
    chance, env = random.Random(number), wanted.scene.env(world)  # noqa: S311
    kind, kill = (("whole process", the_run_itself), ("whole program", one_of_its_programs))[
        number % 2
    ]
    for _ in range(5):
        world.put_back(_BEGIN)
        moment = chance.uniform(0, whole)
        pid = trial.start(world, env, play)
        said = kill(pid, moment)
        end = trial.ended(pid)
        if said:
            break
        whole = moment
    place = f"{said or 'nothing'} killed after {moment:.1f} s, which ended with {end.code}"
    if not said:
        return Trial(kind, place, INVALID, "it was over each time before it could be killed"), whole
    again = trial.run(world, env, play) if end.code else end
    wrong = (
        [f"the recovery ended with {again.code}: {trial.log_of(world)}"]
        if again.code
        else _wrong(world, wanted)
    )
    return Trial(kind, place, BROKEN if wrong else HELD, "; ".join(wrong[:5]), 1), whole


def _wrong(world: World, wanted: Undisturbed) -> list[str]:
    return differences(wanted.end, trees(world, wanted.scene.env(world))) + _still_running(world)


def _prepared(world: World) -> Scene:
    """The world after a verdict; images are kept out of what is put back, and caches are the
    machine's own.
    """
    world.put_back("first release: package")
    (world.folder / "containers").mkdir()
    (world.home / "containers").symlink_to(world.folder / "containers")
    world.keep(_BEGIN)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Scene("whole release", _BEGIN, lambda *_: play(), {"XDG_CACHE_HOME": cache})


def _still_running(world: World) -> list[str]:
    """Runs that Prefect takes to be running, though nobody is."""
    database = world.home / "prefect" / "prefect.db"
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database)) as connection:
        [[count]] = connection.execute(
            "select count(*) from flow_run where state_type in ('RUNNING', 'PENDING')"
        )
    return [f"Prefect takes {count} runs to be running"] if count else []
