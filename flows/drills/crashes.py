"""`sluice drill kill`, `faults` and `race`: on servers and in folders of their own, and the line that matters.

Nothing of the user's is touched: no setting of this shell reaches what is killed.
"""

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape

from flows import orchestration, terminal
from flows.drills import faults, kill, race, scenes
from flows.drills.kill import HELD, INVALID, Trial
from flows.drills.world import World, servers
from flows.progress import say

_AT_RANDOM = ("first release", "second release", "rollback", "embedded")


def drill_kill(rounds: int, times: int, images: int, as_json: bool) -> int:
    """Kill everywhere; 0 where every run came to what an undisturbed one has, else 1."""
    started = time.monotonic()
    with world() as made:
        found = list(_kills(made, rounds, times, images))
    return told("kill", found, time.monotonic() - started, as_json)


def _kills(made: World, rounds: int, times: int, images: int) -> Iterator[Trial]:
    rehearsed = rehearse(made, scenes.SCENES)
    for number in range(rounds):
        yield from watched(kill.matrix(made, rehearsed, number), f"round {number + 1} of {rounds}")
    yield from watched((kill.at_random(made, rehearsed, _AT_RANDOM, n) for n in range(times)), "at random")
    if images:
        from flows.drills import whole

        yield from watched(whole.trials(made, images), "whole releases")


def drill_faults(rounds: int, as_json: bool) -> int:
    """Let disks and servers fail everywhere; 0 where every run ended in good order, else 1."""
    started = time.monotonic()
    with world(bad=True) as made:
        rehearsed = rehearse(made, scenes.SCENES)
        found = [
            trial for number in range(rounds) for trial in watched(faults.on_disk(made, rehearsed, number), "disk")
        ]
        found += watched(faults.of_servers(made, rehearsed), "servers")
    return told("faults", found, time.monotonic() - started, as_json)


def drill_race(rounds: int, as_json: bool) -> int:
    """Race; 0 where nothing was lost and the newest won each time, else 1."""
    with world() as made:
        raced = list(race.rounds(made, rounds))
        wrong = race.judged(made, raced)
    written = sum(one["outcome"] == "committed" for each in raced for one in each.told)
    promotions = race.RACERS * len(raced)
    lost = sum(each.tries for each in raced) - race.EDITS * len(raced)
    # A race in which nobody meets anybody proves nothing.
    wrong += ["nobody met anybody"] if written == promotions and raced else []
    said = f"{len(raced)} rounds: {written} committed, {promotions - written} superseded, the person lost {lost} races"
    if as_json:
        print(json.dumps({"rounds": len(raced), "committed": written, "promotions": promotions,
                          "races_lost_by_person": lost, "wrong": wrong}, indent=1))  # fmt: skip
        return bool(wrong)
    out = terminal.console(stderr=False)
    for one in wrong:
        out.print(f"[bold red]wrong[/]  {escape(one)}")
    out.print(f"[bold]{said}; {_bound(len(wrong), promotions)}.[/]")
    return bool(wrong)


@contextmanager
def world(bad: bool = False) -> Iterator[World]:
    """Servers and folders that are gone afterwards; everything is imported before anything is forked."""
    with tempfile.TemporaryDirectory(prefix="sluice-drill-") as scratch:
        (Path(scratch) / "prefect").mkdir()
        orchestration.prepare(Path(scratch))
        scenes.preload()
        with servers(Path(scratch) / "world", bad) as made:
            made.keep(scenes.START)
            yield made


def rehearse(made: World, played: Sequence[scenes.Scene]) -> dict[str, scenes.Undisturbed]:
    """Each scene once, undisturbed."""
    found = {}
    for scene in played:
        say(f"{scene.name}, undisturbed")
        found[scene.name] = scenes.rehearse(made, scene)
    return found


def watched(trials: Iterable[Trial], what: str) -> Iterator[Trial]:
    """The same, with a line about each that did not hold, and one now and then."""
    for number, trial in enumerate(trials, 1):
        if trial.state != HELD or number % 25 == 0:
            say(f"{what}: {number}, {trial.kind} {trial.place}: {trial.state}")
        yield trial


def told(kind: str, found: Sequence[Trial], seconds: float, as_json: bool) -> int:
    """All of it as JSON, or what did not hold and how many did; 0 where all held."""
    held = sum(trial.state == HELD for trial in found)
    kills = sum(trial.kills for trial in found)
    if as_json:
        trials = [trial.document() for trial in found]
        about = {"drill": kind, "n": len(found), "held": held, "kills": kills, "seconds": round(seconds)}
        print(json.dumps({**about, "trials": trials}, indent=1))
        return int(held != len(found))
    out = terminal.console(stderr=False)
    for name in dict.fromkeys(trial.kind for trial in found):
        of = [trial for trial in found if trial.kind == name]
        out.print(f"{name:<20} {sum(trial.state == HELD for trial in of)} of {len(of)}")
    for trial in found:
        if trial.state != HELD:
            out.print(f"[bold red]{trial.state}[/]  {trial.kind}: {escape(trial.place)}\n  {escape(trial.said)}")
    invalid = sum(trial.state == INVALID for trial in found)
    after = f" after {kills} kills" if kills else ""
    some = f", {invalid} of them invalid" if invalid else ""
    said = f"{held} of {len(found)} came to what an undisturbed run has{after}{some}, in {seconds:.0f} s"
    out.print(f"[bold {'green' if held == len(found) else 'red'}]{said}; {_bound(len(found) - held, len(found))}.[/]")
    return int(held != len(found))


def _bound(wrong: int, count: int) -> str:
    """What no failure in so many rounds says, and no more."""
    if wrong or not count:
        return f"{wrong} failures in {count}"
    return f"0 failures in {count}: the true rate is below {min(3 / count, 1.0):.2%} (95 %)"
