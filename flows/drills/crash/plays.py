"""What is played to be killed: a release, a rollback and a quarantine, each in this process.

Left out is what takes long and is not what is tried: Prefect around a release, the own work of
BentoML and of the container engine, the service that is started. Drill tools are handed in for
these. Everything between and around them is done for real.
"""

import datetime
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from flows import release as releasing
from flows.adapters.image import wheels
from flows.adapters.plain_text import say
from flows.decision import seals
from flows.drills.crash import fake_images
from flows.engine import store
from flows.engine.code_identity import code_of, lock
from flows.engine.outcome import record
from flows.engine.perform import Plainly
from flows.engine.release_tools import Tools
from flows.engine.request import begin
from flows.engine.step import Step
from flows.engine.store import Result
from flows.gitops import manifest_repo, quarantine, rollback, smoke_released
from flows.gitops.rollback import Plan
from flows.gitops.writer import Written
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.root import ROOT
from flows.project.settings import Settings
from flows.steps.order import STEPS
from sluice.gitops.state import Champion
from sluice.model.artifact.model_artifact import Golden

P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")

# Told the name of each step before it is done.
Announce = Callable[[str], None]

_WHY = "a drill"
_ENDED = ("promoted", "nothing to do", "proposed")
_OTHERWISE = 5  # the exit code of a release that ended in another way
# Days after which fresh data may replace the champion: so few rows show no model to be better.
_LATER = datetime.timedelta(days=99)


@dataclass(frozen=True)
class Announcing:
    """Carries out steps plainly, and announces each of them before it is done."""

    place: Plainly
    announce: Announce

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step, from the store or done now."""
        self.announce(step.name)
        return self.place.do(step, *args, **kwargs)

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """The result of a step that is done anew, after it was announced once."""
        return self.place.again(step, *args, **kwargs)

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an action, which is announced by its title."""
        self.announce(title)
        return self.place.call(title, action, *args, **kwargs)


def prepare() -> None:
    """Find out once what is the same for every run: forked processes have it then."""
    for step in STEPS:
        code_of(step.module)
    code_of(*seals.RULES)
    lock()
    _requirements()


def release(data: Path | None, announce: Announce, *, use_cache: bool = True) -> int:
    """A whole release of a file, or of what the pointer names (None); its exit code."""
    given = settings.load()
    manifest_repo.seed(given)
    store.sweep(given.home)
    request = begin(given, drill_tools(), given.model, data, cache=use_cache)
    runner = Announcing(Plainly(given.home, given.model, cache=use_cache), announce)
    outcome = releasing.carry_out(request, runner)
    announce("record")
    record(given.home, outcome)
    return 0 if outcome.outcome in _ENDED else _OTHERWISE


def roll_back() -> int:
    """Back to the release before; its exit code."""
    given = settings.load()
    request = rollback.Request(given.model, rollback.PREVIOUS, _WHY)
    report = rollback.Report(_ignore_plan, _print_end)
    rollback.roll_back(given, request, _start, report)
    return 0


def bar_live() -> int:
    """Put the live release into quarantine by hand; its exit code."""
    given = settings.load()
    live = manifest_repo.live(given, given.model)
    if live is None or live.champion is None:
        return _OTHERWISE
    quarantine.add(given, given.model, live.champion.tag, _WHY)
    return 0


def drill_tools() -> Tools:
    """Tools that work at once, a service that always agrees, and a day on which data are fresh."""
    return replace(
        real_tools(),
        images=fake_images.images(_requirements()),
        check_service=_agree,
        today=_later,
    )


@cache
def _requirements() -> str:
    """What the image installs; uv is asked once in a process."""
    return wheels.requirements(ROOT)


def _agree(url: str, golden: Golden) -> float:
    """Nobody listens at the address of a drill, so nothing is asked."""
    del url, golden
    return 0.0


def _later() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date() + _LATER


def _start(given: Settings, champion: Champion) -> int:
    tools = drill_tools()
    return smoke_released.start(given, champion, tools.images.runner, tools.check_service)


def _ignore_plan(plan: Plan) -> None:
    """Nobody watches a drill."""


def _print_end(written: Written, plan: Plan | None) -> None:
    """Whoever asked for it knows: it is in the log before the rollback counts as ended."""
    del plan
    say(written.sentence, sys.stdout)
