"""`sluice drill kill`, `faults` and `race`: on servers and in folders of their own, and the line
that matters.

Nothing of the user's is touched: no setting of this shell reaches what is killed.
"""

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.adapters.git import git
from flows.drills.crash import faults, kill, race, scenarios, trial
from flows.drills.crash.kill import HELD, INVALID, Mine, Trial
from flows.drills.crash.world import World, servers
from flows.orchestration import prefect_server
from flows.project.settings import ROOT
from flows.views import terminal
from flows.views.escape import escape
from flows.views.progress import say
from sluice.errors import SluiceError

Work = Callable[[World, Mine], Iterator[Trial]]
_WORKERS = 2  # more would wait for the disk
_AT_RANDOM = ("first release", "second release", "rollback", "embedded")


def drill_kill(rounds: int, times: int, images: int, as_json: bool) -> int:
    """Kill everywhere; 0 where every run came to what an undisturbed one has, else 1."""

    def work(made: World, mine: Mine) -> Iterator[Trial]:
        rehearsed = rehearse(made, scenarios.SCENES if rounds or times else scenarios.SCENES[:1])
        for number in range(rounds):
            yield from watched(
                kill.matrix(made, rehearsed, number, mine), f"round {number + 1} of {rounds}"
            )
        drawn = (
            kill.at_random(made, rehearsed, _AT_RANDOM, number)
            for number in range(times)
            if mine(number)
        )
        yield from watched(drawn, "at random")
        if images and mine(0):  # two builders at once would only wait for each other
            from flows.drills.crash import whole_releases

            yield from watched(whole_releases.trials(made, images), "whole releases")

    return spread("kill", work, as_json)


def drill_faults(rounds: int, as_json: bool) -> int:
    """Let disks and servers fail everywhere; 0 where every run ended in good order, else 1."""

    def work(made: World, mine: Mine) -> Iterator[Trial]:
        rehearsed = rehearse(made, scenarios.SCENES)
        for number in range(rounds):
            yield from watched(
                faults.on_disk(made, rehearsed, number, mine), f"round {number + 1} of {rounds}"
            )
        yield from watched(faults.of_servers(made, rehearsed, mine), "servers")

    return spread("faults", work, as_json, bad=True)


def spread(kind: str, work: Work, as_json: bool, bad: bool = False) -> int:
    """Share the trials out among processes with a world each, and tell what became of them all."""
    started, workers = time.monotonic(), min(os.cpu_count() or 1, _WORKERS)
    with prepared() as scratch, same_sources(ROOT):
        running = [
            _worker(scratch / str(number), number, workers, work, bad) for number in range(workers)
        ]
        ends = [trial.ended(pid) for pid in running]
        lines = [
            line
            for n in range(workers)
            for line in (scratch / f"{n}.found").read_text().splitlines()
        ]
    if any(end.code for end in ends):
        raise SluiceError("a drill broke off; what it said stands above", "Run it again.")
    return told(
        kind, [Trial(**json.loads(line)) for line in lines], time.monotonic() - started, as_json
    )


def _worker(folder: Path, number: int, workers: int, work: Work, bad: bool) -> int:
    """A process that does its share and writes down each trial; its id."""
    file = folder.with_suffix(".found")
    file.write_text("")
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with servers(folder, bad) as made, file.open("a") as out:
            made.keep(scenarios.START)
            for found in work(made, lambda turn: turn % workers == number):
                print(json.dumps(found.document()), file=out, flush=True)
        code = 0
    except BaseException:  # noqa: BLE001  the child must not go on as the parent
        traceback.print_exc()
    finally:
        os._exit(code)


def drill_race(rounds: int, as_json: bool) -> int:
    """Race; 0 where nothing was lost and the newest won each time, else 1."""
    with prepared() as scratch, servers(scratch / "race") as made:
        raced = list(race.rounds(made, rounds))
        wrong = race.judged(made, raced)
    written = sum(one["outcome"] == "committed" for each in raced for one in each.told)
    promotions = race.RACERS * len(raced)
    lost = sum(each.tries for each in raced) - race.EDITS * len(raced)
    # A race in which nobody meets anybody proves nothing.
    wrong += ["nobody met anybody"] if written == promotions else []
    said = (
        f"{len(raced)} rounds: {written} committed, {promotions - written} superseded, the person"
        f" lost {lost} races"
    )
    if as_json:
        print(
            json.dumps(
                {
                    "rounds": len(raced),
                    "committed": written,
                    "promotions": promotions,
                    "races_lost_by_person": lost,
                    "wrong": wrong,
                },
                indent=1,
            )
        )
        return bool(wrong)
    out = terminal.console(stderr=False)
    for one in wrong:
        out.print(f"[bold red]wrong[/]  {escape(one)}")
    out.print(f"[bold]{said}; {_bound(len(wrong), promotions)}.[/]")
    return bool(wrong)


@contextmanager
def same_sources(folder: Path) -> Iterator[None]:
    """Say so where the sources are others afterwards: a release writes their commit down, and trees
    are compared.
    """
    before = git.head(folder)
    yield
    if (now := git.head(folder)) != before:
        say(
            f"the sources changed meanwhile ({before} before, {now} now): what is broken may say no"
            " more; run it again"
        )


@contextmanager
def prepared() -> Iterator[Path]:
    """A folder that is gone afterwards, with all imported that a fork would import again."""
    with tempfile.TemporaryDirectory(prefix="sluice-drill-") as scratch:
        (Path(scratch) / "prefect").mkdir()
        prefect_server.prepare(Path(scratch))
        scenarios.preload()
        yield Path(scratch)


def rehearse(made: World, played: Sequence[scenarios.Scene]) -> dict[str, scenarios.Undisturbed]:
    """Each scene once, undisturbed."""
    found = {}
    for scene in played:
        say(f"{scene.name}, undisturbed")
        found[scene.name] = scenarios.rehearse(made, scene)
    return found


def watched(trials: Iterable[Trial], what: str) -> Iterator[Trial]:
    """The same, with a line about each that did not hold, and one now and then."""
    for number, found in enumerate(trials, 1):
        if found.state != HELD or number % 25 == 0:
            say(f"{what}: {number}, {found.kind} {found.place}: {found.state}")
        yield found


def told(kind: str, found: Sequence[Trial], seconds: float, as_json: bool) -> int:
    """All of it as JSON, or what did not hold and how many did; 0 where all held."""
    held = sum(one.state == HELD for one in found)
    kills = sum(one.kills for one in found)
    if as_json:
        trials = [one.document() for one in found]
        about = {
            "drill": kind,
            "n": len(found),
            "held": held,
            "kills": kills,
            "seconds": round(seconds),
        }
        print(json.dumps({**about, "trials": trials}, indent=1))
        return int(held != len(found) or not found)
    out = terminal.console(stderr=False)
    for name in dict.fromkeys(one.kind for one in found):
        of = [one for one in found if one.kind == name]
        out.print(f"{name:<20} {sum(one.state == HELD for one in of)} of {len(of)}")
    for one in (one for one in found if one.state != HELD):
        out.print(
            f"[bold red]{one.state}[/]  {one.kind}: {escape(one.place)}\n  {escape(one.said)}"
        )
    invalid = sum(one.state == INVALID for one in found)
    after = f" after {kills} kills" if kills else ""
    some = f", {invalid} of them invalid" if invalid else ""
    said = (
        f"{held} of {len(found)} came to what an undisturbed run has{after}{some}, in"
        f" {seconds:.0f} s"
    )
    out.print(
        f"[bold {'green' if held == len(found) else 'red'}]{said};"
        f" {_bound(len(found) - held, len(found))}.[/]"
    )
    return int(held != len(found) or not found)


def _bound(wrong: int, count: int) -> str:
    """What no failure in so many rounds says, and no more."""
    if not count:
        return "nothing was tried, which proves nothing"
    if wrong:
        return f"{wrong} failures in {count}"
    return f"0 failures in {count}: the true rate is below {min(3 / count, 1.0):.2%} (95 %)"
