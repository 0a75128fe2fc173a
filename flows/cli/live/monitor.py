"""`sluice monitor`: how good is what is live, and what has changed around it?"""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.monitoring.candidate import Release
    from flows.monitoring.watch import Look
    from flows.project.settings import Settings
    from sluice.monitor.report import Report

_ACT = 3


@dataclass(frozen=True)
class Wanted:
    """What is asked for: the log that is read, the files of page and metrics, whether to say if a
    candidate is due, whether to note why, whether to begin it, the reason to close the breaker, and
    the file of Evidently's page; empty for what is not wanted.
    """

    log: str
    page: Path | None = None
    metrics: Path | None = None
    dry_run: bool = False
    record: bool = False
    start: bool = False
    close: str = ""
    drift: Path | None = None


def monitor(
    model: Model = "",
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
    page: Annotated[
        Path | None, typer.Option("--page", help="write a page into this HTML file")
    ] = None,
    drift: Annotated[
        Path | None,
        typer.Option(
            "--drift", help="write Evidently's page on the last seven days into this file"
        ),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="write metrics of Prometheus into this file")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say whether a candidate is due, and why")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="note in git why a candidate is wanted")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", help="note it, and release a candidate where one is due")
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
    now = datetime.datetime.now(datetime.UTC)
    wanted = Wanted(log, page, metrics, dry_run, record, start, close, drift)
    release = _release(settings, model)
    raise typer.Exit(run_monitor(settings, model, now, wanted, release, as_json=as_json))


def run_monitor(
    settings: "Settings",
    model: str,
    now: datetime.datetime,
    wanted: Wanted,
    release: "Release",
    *,
    as_json: bool,
) -> int:
    """Print the report for the day of `now`, and what else is wanted; `release` releases a
    candidate. The exit code is 3 for act.
    """
    import msgspec

    from flows.adapters.job_files import summarize
    from flows.monitoring import triggers
    from flows.monitoring.candidate import Tried, run_due
    from flows.monitoring.watch import look
    from flows.project.log_place import place_of
    from flows.views.live import monitor as view
    from flows.views.progress import working
    from sluice.monitor.report import ACT

    today = now.astimezone(datetime.UTC).date()
    if wanted.close:
        return _close(settings, model, wanted.close, today)
    with working("Read the log"):
        found = look(settings, model, place_of(settings, wanted.log), today)
    report = found.report
    tried = None
    if wanted.start and not wanted.dry_run:
        tried = run_due(settings, model, report, now, release)
    elif wanted.record and not wanted.dry_run:
        with working("Write to the manifest repo"):
            triggers.record(settings, model, report)
    if tried is None and (wanted.dry_run or wanted.record):
        tried = Tried(triggers.look(settings, model, report, today))
    # After a candidate, so that it is told too.
    report = msgspec.structs.replace(report, story=triggers.story_of(settings, model))
    if wanted.page:
        from flows.adapters.files import write_atomic
        from flows.views.live.monitor_page import render

        write_atomic(wanted.page, render(report).encode())
    if wanted.drift:
        _write_drift(found, wanted.drift)
    if wanted.metrics:
        _write_metrics(settings, report, now, wanted.metrics)
    if wanted.record or wanted.start:
        _track(settings, report)
    pictures = f"in {wanted.page.name}, which this run keeps" if wanted.page else ""
    summarize(view.markdown(report, tried, pictures))
    if as_json:
        told = {
            "candidate": msgspec.to_builtins(tried.decision) if tried else None,
            "ran": msgspec.to_builtins(tried.ran) if tried else None,
        }
        print(json.dumps({**msgspec.to_builtins(report), **told}, indent=1))
    else:
        view.show(report, tried)
    return _ACT if report.verdict == ACT else 0


def _write_drift(found: "Look", file: Path) -> None:
    """Write Evidently's page on the last seven days that have rows. Raises UsageError for none."""
    from flows.adapters.drift import page_of_days
    from flows.adapters.files import write_atomic
    from flows.views.progress import working
    from sluice.errors import UsageError
    from sluice.monitor.data import histogram_of, last_week

    days, watched = last_week(found.days), found.watched
    live = histogram_of(days, watched.reference)
    if not live:
        raise UsageError(f"{file} is not written: no day has a row", "Look again when one has.")
    when = f"{days[0].day} to {days[-1].day}" if len(days) > 1 else days[0].day
    with working("Compare the columns"):
        page = page_of_days(watched.reference, live, watched.contract, watched.policy.drift, when)
    write_atomic(file, page.encode())


def _write_metrics(
    settings: "Settings", report: "Report", now: datetime.datetime, file: Path
) -> None:
    """Write the metrics whole, for every user to read: a collector is another one."""
    from flows.adapters.files import write_atomic
    from flows.monitoring import triggers
    from flows.views.live.monitor_metrics import render

    monitor = triggers.monitor_policy(settings, report.model)
    breaker = triggers.breaker_is_open(settings, report.model)
    write_atomic(file, render(report, monitor, now, breaker_open=breaker).encode())
    file.chmod(0o644)


def _track(settings: "Settings", report: "Report") -> None:
    """Log the live figures on the version of the release in MLflow, and say where."""
    from flows.adapters.plain_text import say
    from flows.monitoring.live_figures import track
    from flows.views.progress import working

    with working("Track"):
        told = track(settings, report)
    say(told)


def _close(settings: "Settings", model: str, why: str, today: datetime.date) -> int:
    """Close the breaker; the exit code is 0."""
    from flows.monitoring import triggers
    from flows.project.reason import check_reason
    from flows.views.releases import written

    check_reason(why)
    written.show(triggers.close(settings, model, why, today), "Breaker closed")
    return 0


def start_due(settings: "Settings", model: str, now: datetime.datetime) -> str:
    """Release the candidate that is due, as `--start` does; in words what came of it."""
    from flows.monitoring.candidate import run_due
    from flows.monitoring.watch import watch
    from flows.project.log_place import place_of

    today = now.astimezone(datetime.UTC).date()
    report = watch(settings, model, place_of(settings), today)
    tried = run_due(settings, model, report, now, _release(settings, model))
    if tried.ran is not None:
        return f"A candidate that was held was released, {tried.ran.outcome}: {tried.ran.sentence}"
    if not tried.decision.reasons:
        return "No candidate was held."
    return f"A candidate is held still: {tried.decision.sentence}"


def _release(settings: "Settings", model: str) -> "Release":
    """What releases a candidate from the data that the pointer names, as `sluice release` does."""

    def release() -> tuple[str, str]:
        from flows.cli.releases.release import load_flow
        from flows.monitoring.candidate import require_own_rows
        from flows.orchestration.real_tools import real_tools
        from flows.orchestration.start import start

        require_own_rows(settings, model)
        outcome = start(settings, real_tools(), load_flow, model, None, cache=True)
        return outcome.outcome, outcome.sentence

    return release
