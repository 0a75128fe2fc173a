"""Starting a release from the command line: without Prefect where nothing is left to do."""

import datetime
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from flows.adapters.image import left_containers
from flows.adapters.private_files import close_folder, keep_private
from flows.adapters.server import Starting
from flows.engine import runs, store
from flows.engine.outcome import Outcome, forget, record, recorded
from flows.engine.release_tools import Tools
from flows.engine.request import begin
from flows.engine.runs import StepLine
from flows.orchestration import lost_server, prefect_server, temporary_server
from flows.orchestration.plan import Plan, plan
from flows.orchestration.settled import settle
from flows.project.settings import Settings
from flows.steps.order import STEPS
from flows.steps.tune import TUNE
from flows.views import terminal
from flows.views.progress import working
from flows.views.wording import upper_first
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


class ReleaseFlow(Protocol):
    """The Prefect flow `release` of `flows/release.py`.

    It cannot be imported here: Prefect reads its settings when it is imported.
    """

    def __call__(
        self, model: str, data: str | None, cache: bool, *, return_state: Literal[True]
    ) -> "State[Any]":
        """Release a model from a file, or from the data that its pointer names where it is None."""
        ...


class PlainRelease(Protocol):
    """The same release without Prefect."""

    def __call__(self, model: str, data: str | None, cache: bool) -> Outcome:
        """Release a model as `ReleaseFlow` does; the outcome is kept."""
        ...


@dataclass(frozen=True)
class Releases:
    """The release as a Prefect flow, and what does the same where no server of Prefect answers."""

    flow: ReleaseFlow
    plainly: PlainRelease


_AGAIN = "Run it again; what was done is kept."
LoadFlow = Callable[[], Releases]


@dataclass(frozen=True)
class Wanted:
    """What the flow is asked for; `trains` says that data are read and a model is trained."""

    model: str
    data: str | None
    cache: bool
    trains: bool


def start(
    settings: Settings,
    tools: Tools,
    load_flow: LoadFlow,
    model: str,
    data: Path | None,
    *,
    cache: bool,
) -> Outcome:
    """Release a model. Raises SluiceError where the release came to no end of its own."""
    keep_private()
    tidy(settings.home)
    began, started = datetime.datetime.now(datetime.UTC), time.monotonic()
    with working("Look up each step"):
        planned = plan(begin(settings, tools, model, data, cache=cache))
    outcome = settle(planned)
    if outcome:
        record(settings.home, outcome)
        _keep_line(settings.home, outcome, planned, began, time.monotonic() - started)
        _close_killed(settings.home)
        return outcome
    trains = any(step.step == TUNE.name and not step.hit for step in planned.steps)
    wanted = Wanted(model, str(data) if data else None, cache, trains)
    return _with_prefect(settings.home, load_flow, wanted)


def start_fleet(
    settings: Settings, load_flow: LoadFlow, model: str, data: Path | None, *, cache: bool
) -> Outcome:
    """Release a fleet. Raises SluiceError where the release came to no end of its own."""
    keep_private()
    tidy(settings.home)
    wanted = Wanted(model, str(data) if data else None, cache, trains=False)
    return _with_prefect(settings.home, load_flow, wanted)


def _keep_line(
    home: Path, outcome: Outcome, planned: Plan, began: datetime.datetime, seconds: float
) -> None:
    """Keep the line of a run that had nothing left to do."""
    titles = {step.name: step.title for step in STEPS}
    steps = [StepLine(titles[step.step], "hit", 0.0) for step in planned.steps if step.hit]
    runs.keep(home, runs.of(outcome, steps, began.isoformat(timespec="seconds"), seconds))


def tidy(home: Path) -> None:
    """What every release begins with: nobody else can read the folder, and containers that dead
    ones left are gone.
    """
    close_folder(home)
    left_containers.remove(home / "containers")


def _close_killed(home: Path) -> None:
    """Tell Prefect of runs whose process was killed.

    Rare, and worth the seconds that Prefect takes to start.
    """
    if not prefect_server.killed(home):
        return
    prefect_server.prepare(home)
    engine = temporary_server.start(home)
    # A view that does not start is asked again next time: the release has come to its end.
    with suppress(SluiceError):
        if engine:
            temporary_server.wait(engine)
        else:
            prefect_server.require_configured()
        prefect_server.close_dead(home)


def _with_prefect(home: Path, load_flow: LoadFlow, wanted: Wanted) -> Outcome:
    """The release as a Prefect flow; the outcome that it left."""
    prefect_server.end_orphans(home)
    store.sweep(home)
    prefect_server.prepare(home)
    with prefect_server.marked(home) as mark:
        with working("Start Prefect"):
            engine = temporary_server.start(home)
            releases = load_flow()
            forget(home, wanted.model)
            if engine and wanted.trains:
                _preload()
            missing = _missing_server(engine)
        if missing:
            terminal.note(_without(missing))
            return releases.plainly(wanted.model, wanted.data, wanted.cache)
        return _followed(home, releases, wanted, mark)


def _missing_server(engine: Starting | None) -> SluiceError | None:
    """Why no server of Prefect answers, the one that was started here or the one that is set; None
    where one does.
    """
    try:
        if engine:
            temporary_server.wait(engine)
        else:
            prefect_server.require_configured()
    except SluiceError as error:
        return error
    return None


def _without(error: SluiceError) -> str:
    """The line that says why a release goes on without Prefect: the last of a server's log, or the
    error where there is none.
    """
    cause = error.what.splitlines()[-1]
    return f"{upper_first(cause)}. The release goes on without Prefect."


def _followed(home: Path, releases: Releases, wanted: Wanted, mark: str) -> Outcome:
    """The release as a flow; plainly to its end where Prefect's server goes away."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    state: State[Any] | None = None
    try:
        with prefect_server.tagged(mark):
            state = releases.flow(wanted.model, wanted.data, wanted.cache, return_state=True)
    except (HTTPError, PrefectException, RuntimeError):
        if prefect_server.answers():
            raise
    gone = not prefect_server.answers()
    if gone:
        lost_server.remember()
    # A refusal is no completed run for Prefect, and an outcome like any other here.
    outcome = recorded(home, wanted.model, "last")
    if outcome:
        return outcome
    if gone:
        terminal.note("Prefect does not answer any more: the release goes on without it.")
        return releases.plainly(wanted.model, wanted.data, wanted.cache)
    if state is None:
        raise SluiceError("the release ended without a state", _AGAIN)
    state.result()
    raise SluiceError(
        f"the release ended as {state.name}: {state.message}",
        _AGAIN,
    )


def _preload() -> None:
    """Import what the first steps need while Prefect's server, on another core, still loads."""
    from gx import suite
    from sluice.model.fit import training

    suite.engine()
    training.preload()
