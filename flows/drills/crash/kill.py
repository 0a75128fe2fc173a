"""`sluice drill kill`: die at every boundary, run again, and have what an undisturbed run has.

A round goes through the boundaries, before and after each. A run is killed there once. Another one
is killed there, again at every retry, and once more at another boundary of the recovery. The next
round takes another place of each boundary. Then the process, or one of the programs that it
started, is killed at a moment that is drawn.
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
_SHOWN = 5  # differences that a trial tells
Rehearsed = Mapping[str, Undisturbed]
# Whether the turn of this number belongs to this process.
Mine = Callable[[int], bool]
# Kills after some seconds; what was killed, empty where the run was over before.
Killer = Callable[[int, float], str]


@dataclass(frozen=True)
class Tried:
    """What was done to a run: of which kind, where, and how often it was killed."""

    kind: str
    place: str
    kills: int = 0


@dataclass(frozen=True)
class Trial:
    """What was done to a run, and whether it came to what an undisturbed run comes to.

    `said` is the reason where it did not.
    """

    kind: str
    place: str
    state: str
    said: str = ""
    kills: int = 0

    def document(self) -> dict[str, object]:
        """The trial as JSON-able values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Shot:
    """A run that was to be killed at a moment, in seconds after its start.

    `victim` is what was killed, empty where the run was over before; `whole` is how long a run
    takes, as far as is known now.
    """

    victim: str
    moment: float
    end: trial.End
    whole: float

    @property
    def place(self) -> str:
        """Where it was killed, in words."""
        victim = self.victim or "nothing"
        return f"{victim} killed after {self.moment:.2f} s, which ended with {self.end.code}"


def planned(rehearsed: Rehearsed) -> dict[str, list[Place]]:
    """Every side of every boundary, and where the scenes come to it.

    Releases come first, of these the quickest.
    """
    ranked: dict[str, list[tuple[bool, float, Place]]] = {
        f"{name}.{side}": [] for name in POINTS for side in ("before", "after")
    }
    for undisturbed in rehearsed.values():
        is_release = undisturbed.scene.name not in ("rollback", "quarantine")
        for place, seconds in _first_of_each(undisturbed):
            ranked[place.name].append((not is_release, seconds, place))
    return {
        name: [place for *_, place in sorted(places, key=_rank)] for name, places in ranked.items()
    }


def _rank(ranked: tuple[bool, float, Place]) -> tuple[bool, float]:
    return ranked[:2]


def _first_of_each(undisturbed: Undisturbed) -> Iterator[tuple[Place, float]]:
    """The first place of each path, and about how many seconds a run takes that begins there."""
    worlds = list(dict.fromkeys(place.begin for place in undisturbed.places))
    first: dict[str, Place] = {}
    for place in undisturbed.places:
        first.setdefault(place.path, place)
    for place in first.values():
        left = 1 - worlds.index(place.begin) / len(worlds)
        yield place, undisturbed.seconds * left


def matrix(
    world: World, rehearsed: Rehearsed, number: int, mine: Mine = lambda _: True
) -> Iterator[Trial]:
    """One round through the boundaries; `number` is that of the round.

    A boundary that no scene comes to is invalid: nothing was proven about it. Of before and after,
    one is killed at every retry, in turn; in the next round it is the other.
    """
    for turn, (name, places) in enumerate(planned(rehearsed).items()):
        if not mine(turn // 2):
            continue
        if not places:
            yield Trial("once", name, INVALID, "no run comes to it")
            continue
        place = places[number % len(places)]
        wanted = rehearsed[place.scene.name]
        yield once(world, wanted, place)
        if _is_retried(place, turn, number):
            yield again(world, wanted, place, random.Random(f"{number} {place.path}"))  # noqa: S311


def _is_retried(place: Place, turn: int, number: int) -> bool:
    """Whether this side of the boundary is the one that is killed at every retry."""
    over = place.scene.over
    if place.name == over:
        return False
    is_other_side = over.rpartition(".")[0] == place.name.rpartition(".")[0]
    return is_other_side or (turn // 2 + turn + number) % 2 == 0


def once(world: World, wanted: Undisturbed, place: Place) -> Trial:
    """A run is killed at a place; then one is left undisturbed."""
    world.put_back(place.begin)
    play, env = player(world, place.scene)
    if not trial.run(world, env, play, trial.kill_at(place.path)).killed:
        return Trial("once", place.path, INVALID, "it was not killed")
    is_over = place.name == place.scene.over
    return recovered(world, wanted, Tried("once", place.path, 1), is_over=is_over)


def again(world: World, wanted: Undisturbed, place: Place, chance: random.Random) -> Trial:
    """A run is killed at a place, and so is each retry that comes there; then one anywhere."""
    play, env = player(world, place.scene)
    # What was noted is the recovery of a single kill; this one may come to fewer boundaries, and is
    # drawn again then.
    most = max(1, len(noted(world).read_text().splitlines()))
    number = most
    for _ in range(_DRAWS):
        kills = _at_every_retry(world, place)
        if not kills:
            return Trial("again", place.path, INVALID, "it was not killed")
        number = chance.randint(1, most)
        if trial.run(world, env, play, trial.kill_after(number)).killed:
            where = f"{place.path}, boundary {number} of its recovery"
            return recovered(world, wanted, Tried("again", where, kills + 1))
        most = max(1, number - 1)
    sentence = f"the recovery was over each time, at last before boundary {number}"
    return Trial("again", place.path, INVALID, sentence)


def _at_every_retry(world: World, place: Place) -> int:
    """Be killed at the place in a run and in its retries; how often a run came there."""
    world.put_back(place.begin)
    play, env = player(world, place.scene)
    ends = [trial.run(world, env, play, trial.kill_at(place.path)) for _ in range(1 + _RETRIES)]
    kills = sum(1 for end in ends if end.killed)
    if kills == 1:  # no retry comes there any more, and that one has done all the work
        world.put_back(place.begin)
        trial.run(world, env, play, trial.kill_at(place.path))
    return kills


def player(world: World, scene: Scene) -> tuple[trial.Play, dict[str, str]]:
    """A scene whose steps nobody remembers, and its environment."""

    def play() -> int:
        return scene.play(world, _ignore)

    return play, scene.env(world)


def _ignore(step: str) -> None:
    """Nobody remembers the step."""


def recovered(world: World, wanted: Undisturbed, tried: Tried, *, is_over: bool = False) -> Trial:
    """Run it again undisturbed, unless it is over, and compare what is there with what is wanted.

    The boundaries that this run comes to are noted.
    """
    play, env = player(world, wanted.scene)
    noted(world).write_text("")
    end = trial.End(0, 0)
    if not is_over:
        end = trial.run(world, env, play, trial.note(noted(world)))
    wrong = _wrong(world, wanted, end)
    place = f"{wanted.scene.name}: {tried.place}"
    state = BROKEN if wrong else HELD
    return Trial(tried.kind, place, state, "; ".join(wrong[:_SHOWN]), tried.kills)


def _wrong(world: World, wanted: Undisturbed, end: trial.End) -> list[str]:
    """How a recovery differs from an undisturbed run; empty where it does not."""
    if end.code:
        return [f"the recovery ended with {end.code}: {trial.log_of(world)}"]
    try:
        return differences(wanted.end, trees(world, wanted.scene.env(world)))
    except (SluiceError, OSError, ValueError) as error:  # too broken to be looked at
        return [repr(error)]


def noted(world: World) -> Path:
    """The boundaries that the last recovery came to, a line each."""
    return world.folder / "noted"


def at_random(world: World, rehearsed: Rehearsed, scenes: Sequence[str], number: int) -> Trial:
    """A run is killed at a moment drawn from the whole of it.

    Every other time it is not the run itself, but one of its programs.
    """
    wanted = rehearsed[scenes[number % len(scenes)]]
    play, env = player(world, wanted.scene)
    kind, kill = _killer(number // len(scenes))

    def start() -> int:
        world.put_back(wanted.scene.begin)
        return trial.start(world, env, play)

    shot = shoot(start, kill, random.Random(number), wanted.seconds)  # noqa: S311
    if not shot.victim:
        sentence = "it was over each time before it could be killed"
        return Trial(kind, wanted.scene.name, INVALID, sentence)
    return recovered(world, wanted, Tried(kind, shot.place, 1), is_over=shot.end.code == 0)


def _killer(number: int) -> tuple[str, Killer]:
    if number % 2 == 0:
        return "process", the_run_itself
    return "program", one_of_its_programs


def shoot(start: Callable[[], int], kill: Killer, chance: random.Random, whole: float) -> Shot:
    """Start a run and kill it at a moment drawn from `whole`, in seconds; again where it was over.

    A run that was over before is quicker than was known: `whole` is less then.
    """
    shot = Shot("", 0.0, trial.End(0, 0), whole)
    for _ in range(_DRAWS):
        moment, started = chance.uniform(0, shot.whole), time.monotonic()
        pid = start()
        victim = kill(pid, moment)
        end = trial.ended(pid)
        if victim:
            return Shot(victim, moment, end, shot.whole)
        spent = time.monotonic() - started
        shot = Shot("", moment, end, min(shot.whole, moment, spent))
    return shot


def the_run_itself(pid: int, moment: float) -> str:
    """Kill the run itself after so many seconds; what was killed, empty where it is over."""
    time.sleep(moment)
    if _is_over(pid):
        return ""
    os.kill(pid, signal.SIGKILL)
    return "the run"


def one_of_its_programs(pid: int, moment: float) -> str:
    """Kill a program that the run has started, the first that is there after so many seconds.

    Returns its command, empty where there was none until the run was over.
    """
    time.sleep(moment)
    while not _is_over(pid):
        for child in reversed(descendants(pid)):
            name = _command(child)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return name or "a program"
    return ""


def _is_over(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _command(pid: int) -> str:
    """The first words of a process's command; empty where it is gone."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return ""
    return " ".join(words)[:80].strip()
