"""Whole releases, as `sluice release` does them: Prefect, BentoML, a real image by a real builder, its smoke run.

They begin where the verdict is there already. What the builder keeps stays through all kills, as it does for a user.
"""

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flows.drills import trial
from flows.drills.kill import BROKEN, HELD, Trial, one_of_its_programs, the_run_itself
from flows.drills.scenes import Scene, rehearse
from flows.drills.trees import differences, trees
from flows.drills.world import World

_BEGIN = "whole release: before"


def play() -> int:
    """`sluice release --json`."""
    from flows.command import run_release

    return run_release("attrition", None, True, False)


def trials(world: World, count: int) -> Iterator[Trial]:
    """So many, killed at times drawn from the whole: every other time one of its programs instead of itself."""
    scene = _prepared(world)
    wanted = rehearse(world, scene)
    for number in range(count):
        chance = random.Random(number)  # noqa: S311
        kind, kill = (("whole process", the_run_itself), ("whole program", one_of_its_programs))[number % 2]
        world.put_back(_BEGIN)
        moment = chance.uniform(0, wanted.seconds)
        pid = trial.start(world, scene.env(world), play)
        said = kill(pid, moment)
        end = trial.ended(pid)
        place = f"{said or 'nothing'} killed after {moment:.1f} s, which ended with {end.code}"
        if not said:
            yield Trial(kind, place, "invalid", "it was over before it could be killed")
            continue
        again = trial.run(world, scene.env(world), play) if end.code else end
        wrong = [f"the recovery ended with {again.code}: {trial.log_of(world)}"] if again.code else []
        wrong += [] if again.code else differences(wanted.end, trees(world, scene.env(world)))
        wrong += _still_running()
        yield Trial(kind, place, BROKEN if wrong else HELD, "; ".join(wrong[:5]), 1)


def _prepared(world: World) -> Scene:
    """The world after a verdict; images are kept out of what is put back, and caches are the machine's own."""
    world.put_back("first release: package")
    (world.folder / "containers").mkdir()
    (world.home / "containers").symlink_to(world.folder / "containers")
    world.keep(_BEGIN)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Scene("whole release", _BEGIN, lambda *_: play(), {"XDG_CACHE_HOME": cache})


def _still_running() -> list[str]:
    """Runs that Prefect takes to be running, though nobody is."""
    database = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
    with closing(sqlite3.connect(database)) as connection:
        [[count]] = connection.execute("select count(*) from flow_run where state_type in ('RUNNING', 'PENDING')")
    return [f"Prefect takes {count} runs to be running"] if count else []
