"""`sluice drill kill`: die at every boundary, run again, and have what an undisturbed run has.

A round goes through the boundaries, before and after each: killed there once; killed there at every
retry too, and once more at some other boundary of the recovery. The next round takes another place
of each boundary. Then the process, or one of the programs that it started, is killed at a time that
is drawn.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from flows.adapters.server import descendants
from flows.drills.crash import trial
from flows.drills.crash.boundaries import POINTS
from flows.drills.crash.scenarios import Place, Scene, Undisturbed
from flows.drills.crash.state_comparison import differences, trees
from flows.drills.crash.world import World
from sluice.errors import SluiceError

HELD, BROKEN, INVALID = "held", "broken", "invalid"
_RETRIES = 1  # runs that are killed at the same place after the first
_DRAWS = 5  # moments that are drawn before one counts as not to be met
Rehearsed = Mapping[str, Undisturbed]
Mine = Callable[[int], bool]


@dataclass(frozen=True)
class Trial:
    """What was done to a run, whether it came to what an undisturbed run comes to, and if not,
    why.
    """

    kind: str
    place: str
    state: str
    said: str = ""
    kills: int = 0

    def document(self) -> dict[str, object]:
        """As JSON-able values."""
        return dict(vars(self))


def planned(rehearsed: Rehearsed) -> dict[str, list[Place]]:
    """Every side of every boundary, and where the scenes come to it: releases first, of these the
    quickest.
    """
    found: dict[str, list[tuple[bool, float, Place]]] = {
        f"{name}.{side}": [] for name in POINTS for side in ("before", "after")
    }
    for undisturbed in rehearsed.values():
        first: dict[str, Place] = {}
        for place in undisturbed.places:
            first.setdefault(place.path, place)
        order = list(dict.fromkeys(place.begin for place in undisturbed.places))
        for place in first.values():
            left = undisturbed.seconds * (1 - order.index(place.begin) / len(order))
            found[place.name].append((place.scene.name in ("rollback", "quarantine"), left, place))
    return {
        name: [place for *_, place in sorted(places, key=lambda one: one[:2])]
        for name, places in found.items()
    }


def matrix(
    world: World, rehearsed: Rehearsed, number: int, mine: Mine = lambda _: True
) -> Iterator[Trial]:
    """One round of it. A boundary that no scene comes to is invalid: nothing was proven about it.

    Of before and after, one is killed at every retry, in turn; in the next round it is the other.
    """
    for turn, (name, places) in enumerate(planned(rehearsed).items()):
        if not mine(turn // 2):
            continue
        if not places:
            yield Trial("once", name, INVALID, "no run comes to it")
            continue
        place = places[number % len(places)]
        wanted, chance = rehearsed[place.scene.name], random.Random(f"{number} {place.path}")  # noqa: S311
        yield once(world, wanted, place)
        over = place.scene.over.rpartition(".")[0] == name.rpartition(".")[0]
        if name != place.scene.over and (over or (turn // 2 + turn + number) % 2 == 0):
            yield again(world, wanted, place, chance)


def once(world: World, wanted: Undisturbed, place: Place) -> Trial:
    """Killed at a place; then a run that nothing happens to."""
    world.put_back(place.begin)
    play, env = player(world, place.scene)
    if not trial.run(world, env, play, trial.kill_at(place.path)).killed:
        return Trial("once", place.path, INVALID, "it was not killed")
    return recovered(world, wanted, "once", place.path, 1, place.name == place.scene.over)


def again(world: World, wanted: Undisturbed, place: Place, chance: random.Random) -> Trial:
    """Killed at a place, at the same place in each retry that comes to it, and anywhere in a run
    after these.
    """
    play, env = player(world, place.scene)
    # What was noted is the recovery of a single kill; this one may come to fewer boundaries, and is
    # drawn again then.
    most = max(1, len(_noted(world).read_text().splitlines()))
    for _ in range(_DRAWS):
        kills = _at_every_retry(world, place)
        if not kills:
            return Trial("again", place.path, INVALID, "it was not killed")
        number = chance.randint(1, most)
        if trial.run(world, env, play, trial.kill_after(number)).killed:
            return recovered(
                world,
                wanted,
                "again",
                f"{place.path}, boundary {number} of its recovery",
                kills + 1,
            )
        most = max(1, number - 1)
    return Trial(
        "again",
        place.path,
        INVALID,
        f"the recovery was over each time, at last before boundary {number}",
    )


def _at_every_retry(world: World, place: Place) -> int:
    """Put the world back and be killed at the place in a run and its retries; how often a run came
    there.
    """
    world.put_back(place.begin)
    play, env = player(world, place.scene)
    kills = sum(
        trial.run(world, env, play, trial.kill_at(place.path)).killed for _ in range(1 + _RETRIES)
    )
    if kills == 1:  # no retry comes there any more, and that one has done all the work
        world.put_back(place.begin)
        trial.run(world, env, play, trial.kill_at(place.path))
    return kills


def player(world: World, scene: Scene) -> tuple[trial.Play, dict[str, str]]:
    """A scene without anybody who remembers its steps, and its environment."""
    return lambda: scene.play(world, lambda _: None), scene.env(world)


def recovered(
    world: World, wanted: Undisturbed, kind: str, place: str, kills: int, over: bool = False
) -> Trial:
    """Run it again, undisturbed, unless it was over, and compare; notes the boundaries that this
    run came to.
    """
    play, env = player(world, wanted.scene)
    _noted(world).write_text("")
    end = trial.End(0, 0) if over else trial.run(world, env, play, trial.noted(_noted(world)))
    place = f"{wanted.scene.name}: {place}"
    if end.code:
        return Trial(
            kind, place, BROKEN, f"the recovery ended with {end.code}: {trial.log_of(world)}", kills
        )
    try:
        wrong = differences(wanted.end, trees(world, env))
    except (SluiceError, OSError, ValueError) as error:  # too broken to be looked at
        wrong = [repr(error)]
    return Trial(kind, place, BROKEN if wrong else HELD, "; ".join(wrong[:5]), kills)


def _noted(world: World) -> Path:
    return world.folder / "noted"


def at_random(world: World, rehearsed: Rehearsed, scenes: Sequence[str], number: int) -> Trial:
    """Killed at a time drawn from the whole of an undisturbed run: itself, or every other time one
    of its programs.
    """
    chance = random.Random(number)  # noqa: S311
    wanted = rehearsed[scenes[number % len(scenes)]]
    play, env = player(world, wanted.scene)
    kind, kill = (
        ("process", the_run_itself)
        if number // len(scenes) % 2 == 0
        else ("program", one_of_its_programs)
    )
    whole = wanted.seconds
    for _ in range(_DRAWS):
        world.put_back(wanted.scene.begin)
        moment, started = chance.uniform(0, whole), time.monotonic()
        pid = trial.start(world, env, play)
        said = kill(pid, moment)
        end = trial.ended(pid)
        if said:
            break
        # it is quicker than when it was rehearsed
        whole = min(whole, moment, time.monotonic() - started)
    else:
        return Trial(
            kind, wanted.scene.name, INVALID, "it was over each time before it could be killed"
        )
    return recovered(
        world,
        wanted,
        kind,
        f"{said} killed after {moment:.2f} s, which ended with {end.code}",
        1,
        end.code == 0,
    )


def the_run_itself(pid: int, moment: float) -> str:
    """Kill the run itself; empty where it is over."""
    time.sleep(moment)
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        return ""
    os.kill(pid, signal.SIGKILL)
    return "the run"


def one_of_its_programs(pid: int, moment: float) -> str:
    """Kill a program that the run has started, the first that is there from this moment on; empty
    for none.
    """
    time.sleep(moment)
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        for child in reversed(descendants(pid)):
            name = _name(child)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return name or "a program"
    return ""


def _name(pid: int) -> str:
    """The first words of a process's command."""
    try:
        return " ".join(psutil.Process(pid).cmdline())[:80].strip()
    except psutil.Error:
        return ""
