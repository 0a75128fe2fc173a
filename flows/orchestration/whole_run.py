"""A run from what is asked to an outcome that is kept: with Prefect's page, or without Prefect."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect.runtime import deployment, flow_run

from flows.adapters.private_files import keep_private
from flows.engine import runs, store
from flows.engine.outcome import Outcome, record
from flows.engine.perform import Plainly, Runner
from flows.engine.release_tools import Tools
from flows.engine.request import Request, begin
from flows.engine.runs import StepLine
from flows.orchestration import prefect_server
from flows.orchestration.real_tools import real_tools
from flows.orchestration.run_page import PrefectPage, WhileItAnswers, failed, state_of
from flows.orchestration.shown import Shown
from flows.orchestration.start import tidy
from flows.orchestration.tasks import AsTasks
from flows.project import homes
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.progress import working
from sluice.errors import SluiceError

# From a request to its end; the text is the id of the flow run, which the commit keeps.
Release = Callable[[Request, Runner, str], Outcome]


@dataclass(frozen=True)
class Asked:
    """What a release is asked for: the model, a file where it is not the pointer's, the cache."""

    model: str
    data: str | None
    cache: bool

    @property
    def path(self) -> Path | None:
        """The file, None for that of the pointer."""
        return Path(self.data) if self.data else None


def as_flow(asked: Asked, release: Release) -> Any:
    """The release as the flow run that goes on: the state that the run ends in."""
    keep_private()
    prefect_server.without_tracebacks()
    try:
        return state_of(_followed(asked, release))
    except SluiceError as error:
        if not deployment.id:
            raise  # the command says it
        return failed(error)


def _followed(asked: Asked, release: Release) -> Outcome:
    given = homes.load_for_data(asked.model, asked.path)
    if deployment.id:
        tidy(given.home)
        store.sweep(given.home)
    run = str(flow_run.id)
    terminal.link("Run", prefect_server.page(run))
    page = WhileItAnswers(PrefectPage(), terminal.note)
    steps: list[StepLine] = []
    runner = AsTasks(Plainly(given.home, asked.model, cache=asked.cache), steps.append)
    with prefect_server.followed(given.home, run):
        page.show(prefect_server.claim, given.home, run)
        page.show(prefect_server.close_dead, given.home)
        with prefect_server.untagged():
            tools = replace(real_tools(), page=page)
            return _to_an_end(given, tools, asked, release, runner, steps)


def plainly(asked: Asked, release: Release) -> Outcome:
    """The same release where no server of Prefect answers: the same steps, and no page."""
    keep_private()
    given = homes.load_for_data(asked.model, asked.path)
    steps: list[StepLine] = []
    runner = Shown(Plainly(given.home, asked.model, cache=asked.cache), note=steps.append)
    return _to_an_end(given, real_tools(), asked, release, runner, steps)


def _to_an_end(
    given: Settings,
    tools: Tools,
    asked: Asked,
    release: Release,
    runner: Runner,
    steps: list[StepLine],
) -> Outcome:
    """The release to an outcome that is kept; `steps` fills as `runner` works.

    A line of the run is kept too.
    """
    began, started = datetime.datetime.now(datetime.UTC), time.monotonic()
    run = str(flow_run.id or "")
    with working("Look up each step"):
        request = begin(given, tools, asked.model, asked.path, cache=asked.cache)
    outcome = release(request, runner, run)
    record(given.home, outcome)
    seconds = time.monotonic() - started
    page = prefect_server.page(run) if run else ""
    runs.keep(
        given.home, runs.of(outcome, steps, began.isoformat(timespec="seconds"), seconds, page)
    )
    tools.page.steps(outcome.model, steps)
    tools.page.ended(outcome)
    return outcome
