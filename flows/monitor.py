"""The monitor as a run of Prefect: what is live of a model is looked at, and the run ends by its
verdict.
"""

from pathlib import Path
from typing import Any

import msgspec
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.adapters.files import write_atomic
from flows.adapters.plain_text import in_markdown
from flows.adapters.private_files import keep_private
from flows.monitoring import triggers
from flows.monitoring.candidate import Tried
from flows.monitoring.watch import watch
from flows.orchestration import prefect_server
from flows.orchestration.real_tools import today
from flows.orchestration.run_page import artifact_key, failed, name_and_tag, state_of_monitor
from flows.project import homes
from flows.project.log_place import place_of
from flows.project.settings import Settings
from flows.views.live import monitor as view
from flows.views.live.monitor_page import render
from sluice.errors import SluiceError
from sluice.monitor.report import Report


@flow(name="monitor", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def monitor(model: str, record: bool = False) -> Any:
    """Say how good what is live is; with `record`, note in git why a candidate is wanted."""
    keep_private()
    prefect_server.without_tracebacks()
    try:
        given = homes.load_for_releases()
        with prefect_server.followed(given.home, str(flow_run.id)), prefect_server.untagged():
            report = _look(given, model, record=record)
    except SluiceError as error:
        return failed(error)
    return state_of_monitor(report)


def _look(given: Settings, model: str, *, record: bool) -> Report:
    """The report, after it was shown on the page of the run."""
    day = today()
    report = watch(given, model, place_of(given), day)
    tried = None
    if record:
        triggers.record(given, model, report)
        tried = Tried(triggers.look(given, model, report, day))
    report = msgspec.structs.replace(report, story=triggers.story_of(given, model))
    view.show(report, tried)
    _show(given.home, report, tried)
    overlay = given.overlay
    name_and_tag(f"{model}: {report.verdict}", [model, report.verdict.upper(), overlay])
    return report


def _show(home: Path, report: Report, tried: Tried | None) -> None:
    """The verdict with what was found as an artifact, and the page with its pictures as a file."""
    page = home / "monitor" / report.model / "monitor.html"
    write_atomic(page, render(report).encode())
    create_markdown_artifact(
        view.markdown(report, tried, f"in {page}, on the machine of this run"),
        key=artifact_key(report.model, "monitor"),
        description=in_markdown(f"{report.verdict.upper()}: {report.sentence}"),
    )
