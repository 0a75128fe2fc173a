"""The monitor as a run of Prefect: what is live of a model is looked at, and the run ends by its
verdict.
"""

import datetime
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.adapters.files import write_atomic
from flows.adapters.plain_text import in_markdown
from flows.adapters.private_files import keep_private
from flows.engine.outcome import forget, recorded
from flows.monitoring import triggers
from flows.monitoring.candidate import Tried, require_own_rows, run_due
from flows.monitoring.live_figures import track
from flows.monitoring.watch import watch
from flows.orchestration import prefect_server
from flows.orchestration.real_tools import today
from flows.orchestration.run_page import artifact_key, failed, name_and_tag, state_of_monitor
from flows.orchestration.start import ReleaseFlow
from flows.project import homes
from flows.project.log_place import place_of
from flows.project.settings import Settings
from flows.release import release
from flows.views import terminal
from flows.views.live import monitor as view
from flows.views.live.monitor_page import render
from sluice.errors import SluiceError
from sluice.monitor.report import Report


@flow(name="monitor", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def monitor(model: str, record: bool = False, start: bool = False) -> Any:
    """Say how good what is live is; with `record`, note in git why a candidate is wanted, and with
    `start`, release it where it is due.
    """
    keep_private()
    prefect_server.without_tracebacks()
    try:
        given = homes.load_for_releases()
        with prefect_server.followed(given.home, str(flow_run.id)), prefect_server.untagged():
            report = _look(given, Wanted(model, record, start))
    except SluiceError as error:
        return failed(error)
    return state_of_monitor(report)


@dataclass(frozen=True)
class Wanted:
    """Whose monitor, whether to note why a candidate is wanted, and whether to release it."""

    model: str
    record: bool
    start: bool


def _look(given: Settings, wanted: Wanted) -> Report:
    """The report, after it was shown on the page of the run."""
    day, model = today(), wanted.model
    report = watch(given, model, place_of(given), day)
    tried = None
    if wanted.start:
        now = datetime.datetime.now(datetime.UTC)
        tried = run_due(given, model, report, now, partial(_released, given, model))
    elif wanted.record:
        triggers.record(given, model, report)
        tried = Tried(triggers.look(given, model, report, day))
    if tried:
        terminal.note(track(given, report))
    report = msgspec.structs.replace(report, story=triggers.story_of(given, model))
    view.show(report, tried)
    _show(given.home, report, tried)
    overlay = given.overlay
    name_and_tag(f"{model}: {report.verdict}", [model, report.verdict.upper(), overlay])
    return report


def _released(given: Settings, model: str) -> tuple[str, str]:
    """Release the candidate as a run below this one. Raises SluiceError where it came to no end."""
    require_own_rows(given, model)
    forget(given.home, model)
    below: ReleaseFlow = release
    state = below(model, None, True, return_state=True)
    outcome = recorded(given.home, model, "last")
    if outcome is None:
        raise SluiceError(
            f"the release ended as {state.name}: {state.message}",
            "Run it again; what was done is kept.",
        )
    return outcome.outcome, outcome.sentence


def _show(home: Path, report: Report, tried: Tried | None) -> None:
    """The verdict with what was found as an artifact, and the page with its pictures as a file."""
    page = home / "monitor" / report.model / "monitor.html"
    write_atomic(page, render(report).encode())
    create_markdown_artifact(
        view.markdown(report, tried, f"in {page}, on the machine of this run"),
        key=artifact_key(report.model, "monitor"),
        description=in_markdown(f"{report.verdict.upper()}: {report.sentence}"),
    )
