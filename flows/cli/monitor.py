"""`sluice monitor`: how good is what is live, and what has changed around it?"""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings

_ACT = 3


@dataclass(frozen=True)
class Wanted:
    """What is asked for: the log that is read, the file of the page, whether to say if a candidate
    is due, whether to note why, and the reason to close the breaker; empty for what is not wanted.
    """

    log: str
    page: Path | None = None
    dry_run: bool = False
    record: bool = False
    close: str = ""


def monitor(
    model: Model = "",
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
    page: Annotated[
        Path | None, typer.Option("--page", help="write a page into this HTML file")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say whether a candidate is due, and why")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="note in git why a candidate is wanted")
    ] = False,
    close: Annotated[
        str, typer.Option("--close-breaker", help="let candidates begin again; why")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say how good what is live is: fine, watch or act.

    From the prediction log, the labels that were added, and the evidence of the release. The exit
    code is 3 for act, else 0.

    Example: sluice monitor --page monitor.html
    """
    from flows.project.homes import load_for_releases

    settings = load_for_releases()
    today = datetime.datetime.now(datetime.UTC).date()
    wanted = Wanted(log, page, dry_run, record, close)
    raise typer.Exit(run_monitor(settings, model, today, wanted, as_json=as_json))


def run_monitor(
    settings: "Settings", model: str, today: datetime.date, wanted: Wanted, *, as_json: bool
) -> int:
    """Print the report for `today`, and what else is wanted; the exit code is 3 for act."""
    import msgspec

    from flows.monitoring import triggers
    from flows.monitoring.watch import place_of, watch
    from flows.views import monitor as view
    from flows.views.progress import working
    from sluice.monitor.report import ACT

    if wanted.close:
        return _close(settings, model, wanted.close, today)
    with working("Read the log"):
        report = watch(settings, model, place_of(settings, wanted.log), today)
    if wanted.page:
        from flows.adapters.files import write_atomic
        from flows.views.monitor_page import render

        write_atomic(wanted.page, render(report).encode())
    if wanted.record:
        with working("Write to the manifest repo"):
            triggers.record(settings, model, report)
    decision = None
    if wanted.dry_run or wanted.record:
        decision = triggers.look(settings, model, report, today)
    if as_json:
        document = {**msgspec.to_builtins(report), "candidate": msgspec.to_builtins(decision)}
        print(json.dumps(document, indent=1))
    else:
        view.show(report, decision)
    return _ACT if report.verdict == ACT else 0


def _close(settings: "Settings", model: str, why: str, today: datetime.date) -> int:
    """Close the breaker; the exit code is 0."""
    from flows.monitoring import triggers
    from flows.project.reason import check_reason
    from flows.views import written

    check_reason(why)
    written.show(triggers.close(settings, model, why, today), "Breaker closed")
    return 0
