"""`sluice drill kill`, `faults` and `race`: on servers and in folders of their own.

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
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git
from flows.drills.crash import faults, kill, race, scenarios, trial
from flows.drills.crash.kill import HELD, INVALID, Mine, Trial
from flows.drills.crash.world import World, servers
from flows.orchestration import prefect_server
from flows.project.root import ROOT
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.escape import escape
from flows.views.progress import say
from sluice.errors import SluiceError
from sluice.percent import percent

Work = Callable[[World, Mine], Iterator[Trial]]
_WORKERS = 2  # more would wait for the disk
_AT_RANDOM = ("first release", "second release", "rollback", "embedded")


@dataclass(frozen=True)
class Played:
    """The model that releases play, in the project of the settings."""

    settings: Settings
    model: str


def drill_kill(played: Played, rounds: int, times: int, images: int, *, as_json: bool) -> int:
    """Kill everywhere; 0 where every run came to what an undisturbed one has, else 1.

    `rounds` go through all boundaries, `times` more kills are at moments that are drawn, and
    `images` are of whole releases.
    """

    def work(world: World, mine: Mine) -> Iterator[Trial]:
        scenes = scenarios.SCENES if rounds or times else scenarios.SCENES[:1]
        rehearsed = rehearse(world, scenes)
        for number in range(rounds):
            trials = kill.matrix(world, rehearsed, number, mine)
            yield from watched(trials, f"round {number + 1} of {rounds}")
        yield from watched(_drawn(world, rehearsed, times, mine), "at random")
        if images and mine(0):  # two builders at once would only wait for each other
            from flows.drills.crash import whole_releases

            yield from watched(whole_releases.trials(world, images), "whole releases")

    return spread(Drill("kill", work, played), as_json=as_json)


def _drawn(world: World, rehearsed: kill.Rehearsed, times: int, mine: Mine) -> Iterator[Trial]:
    for number in range(times):
        if mine(number):
            yield kill.at_random(world, rehearsed, _AT_RANDOM, number)


def drill_faults(played: Played, rounds: int, *, as_json: bool) -> int:
    """Let disks and servers fail everywhere; 0 where every run ended in good order, else 1."""

    def work(world: World, mine: Mine) -> Iterator[Trial]:
        rehearsed = rehearse(world, scenarios.SCENES)
        for number in range(rounds):
            trials = faults.on_disk(world, rehearsed, number, mine)
            yield from watched(trials, f"round {number + 1} of {rounds}")
        yield from watched(faults.of_servers(world, rehearsed, mine), "servers")

    return spread(Drill("faults", work, played, bad_servers=True), as_json=as_json)


@dataclass(frozen=True)
class Drill:
    """What is tried, on which servers; `work` yields the trials of one process."""

    kind: str
    work: Work
    played: Played
    bad_servers: bool = False


def spread(drill: Drill, *, as_json: bool) -> int:
    """Share the trials among processes with a world each, and print what became of them all."""
    started, workers = time.monotonic(), min(os.cpu_count() or 1, _WORKERS)
    trials: list[Trial] = []
    with prepared() as scratch, same_sources(ROOT):
        shares = [Share(scratch / str(number), number, workers, drill) for number in range(workers)]
        running = [share.start() for share in shares]
        ends = [trial.ended(pid) for pid in running]
        for share in shares:
            trials += share.trials()
    if any(end.code for end in ends):
        raise SluiceError("a drill broke off; what it said stands above", "Run it again.")
    return told(drill.kind, trials, time.monotonic() - started, as_json=as_json)


@dataclass(frozen=True)
class Share:
    """The trials of one process, numbered from 0 of `workers`, in a world of its own."""

    folder: Path
    number: int
    workers: int
    drill: Drill

    @property
    def file(self) -> Path:
        """Where its trials are written down, a line each."""
        return self.folder.with_suffix(".trials")

    def mine(self, turn: int) -> bool:
        """Whether a turn is tried in this process."""
        return turn % self.workers == self.number

    def start(self) -> int:
        """Try them in a process of its own; its id."""
        self.file.write_text("")
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            self._work()
            code = 0
        except BaseException:  # noqa: BLE001  the child must not go on as the parent
            traceback.print_exc()
        finally:
            os._exit(code)

    def _work(self) -> None:
        bad, played = self.drill.bad_servers, self.drill.played
        made = servers(self.folder, played.settings, played.model, bad=bad)
        with made as world, self.file.open("a") as out:
            world.keep(scenarios.START)
            for tried in self.drill.work(world, self.mine):
                print(json.dumps(tried.document()), file=out, flush=True)

    def trials(self) -> list[Trial]:
        """What became of them."""
        return [Trial(**json.loads(line)) for line in self.file.read_text().splitlines()]


def drill_race(played: Played, rounds: int, *, as_json: bool) -> int:
    """Race; 0 where nothing was lost and the newest won each time, else 1."""
    with (
        prepared() as scratch,
        servers(scratch / "race", played.settings, played.model) as world,
    ):
        raced = list(race.rounds(world, rounds))
        wrong = race.judged(world, raced)
    ended = [racer for one in raced for racer in one.ended]
    written = sum(1 for racer in ended if racer.outcome == "committed")
    lost = sum(one.tries - race.EDITS for one in raced)
    if written == len(ended):  # a race in which nobody meets anybody proves nothing
        wrong.append("nobody met anybody")
    figures = {
        "rounds": len(raced),
        "committed": written,
        "promotions": len(ended),
        "races_lost_by_person": lost,
    }
    if as_json:
        print(json.dumps({**figures, "wrong": wrong}, indent=1))
        return int(bool(wrong))
    out = terminal.console(stderr=False)
    for sentence in wrong:
        out.print(f"[bold red]wrong[/]  {escape(sentence)}")
    out.print(
        f"[bold]{len(raced)} rounds: {written} committed, {len(ended) - written} superseded, the"
        f" person lost {lost} races; {_bound(len(wrong), len(ended))}.[/]"
    )
    return int(bool(wrong))


@contextmanager
def same_sources(folder: Path) -> Iterator[None]:
    """Say so where the commit of the sources is another one when the block ends.

    A release writes that commit down, and what releases leave is compared.
    """
    before = git.head(folder)
    yield
    now = git.head(folder)
    if now != before:
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


def rehearse(world: World, scenes: Sequence[scenarios.Scene]) -> dict[str, scenarios.Undisturbed]:
    """Each scene once, undisturbed, by its name."""
    rehearsed: dict[str, scenarios.Undisturbed] = {}
    for scene in scenes:
        say(f"{scene.name}, undisturbed")
        rehearsed[scene.name] = scenarios.rehearse(world, scene)
    return rehearsed


def watched(trials: Iterable[Trial], title: str) -> Iterator[Trial]:
    """The same trials, with a line about each that did not hold, and about every 25th."""
    for number, tried in enumerate(trials, 1):
        if tried.state != HELD or number % 25 == 0:
            say(f"{title}: {number}, {tried.kind} {tried.place}: {tried.state}")
        yield tried


def told(kind: str, trials: Sequence[Trial], seconds: float, *, as_json: bool) -> int:
    """Print all trials as JSON, or those that did not hold and how many did; 0 where all held."""
    if as_json:
        _print_json(kind, trials, seconds)
    else:
        _print_text(trials, seconds)
    return 0 if trials and _held(trials) == len(trials) else 1


def _held(trials: Sequence[Trial]) -> int:
    return sum(1 for tried in trials if tried.state == HELD)


def _kills(trials: Sequence[Trial]) -> int:
    return sum(tried.kills for tried in trials)


def _print_json(kind: str, trials: Sequence[Trial], seconds: float) -> None:
    document = {
        "drill": kind,
        "n": len(trials),
        "held": _held(trials),
        "kills": _kills(trials),
        "seconds": round(seconds),
        "trials": [tried.document() for tried in trials],
    }
    print(json.dumps(document, indent=1))


def _print_text(trials: Sequence[Trial], seconds: float) -> None:
    out = terminal.console(stderr=False)
    for kind in dict.fromkeys(tried.kind for tried in trials):
        of_kind = [tried for tried in trials if tried.kind == kind]
        out.print(f"{kind:<20} {_held(of_kind)} of {len(of_kind)}")
    for tried in trials:
        if tried.state != HELD:
            out.print(f"[bold red]{tried.state}[/]  {tried.kind}: {escape(tried.place)}")
            out.print(f"  {escape(tried.said)}")
    colour = "green" if _held(trials) == len(trials) else "red"
    out.print(f"[bold {colour}]{_sentence(trials, seconds)}[/]")


def _sentence(trials: Sequence[Trial], seconds: float) -> str:
    """How many held, after how many kills, in which time, and what that says."""
    held, kills = _held(trials), _kills(trials)
    invalid = sum(1 for tried in trials if tried.state == INVALID)
    after = f" after {kills} kills" if kills else ""
    some = f", {invalid} of them invalid" if invalid else ""
    return (
        f"{held} of {len(trials)} came to what an undisturbed run has{after}{some}, in"
        f" {seconds:.0f} s; {_bound(len(trials) - held, len(trials))}."
    )


def _bound(wrong: int, count: int) -> str:
    """What no failure in so many rounds says, and no more."""
    if not count:
        return "nothing was tried, which proves nothing"
    if wrong:
        return f"{wrong} failures in {count}"
    return f"0 failures in {count}: the true rate is below {percent(min(3 / count, 1.0), 2)} (95 %)"
