"""`sluice reconcile`: what became of a canary, written back to git."""

import datetime
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson, Model
from sluice.errors import SluiceError, UsageError, cause

if TYPE_CHECKING:
    from flows.canary.alive import Looks
    from flows.canary.reconcile import Asked, Look, Report
    from flows.project.settings import Settings

# Releases what was held; in words what came of it.
Wake = Callable[[datetime.datetime], str]


def reconcile(
    model: Model = "",
    watch: Annotated[bool, typer.Option("--watch", help="go on until interrupted")] = False,
    every: Annotated[
        float, typer.Option(min=1, help="seconds between two looks of --watch")
    ] = 15.0,
    port: Annotated[
        int, typer.Option(help="port that --watch tells at /livez on whether it still looks")
    ] = 0,
    patience: Annotated[
        float, typer.Option(min=0, help="hours that a canary may stay inconclusive")
    ] = 24.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be written, and write nothing")
    ] = False,
    wake: Annotated[
        bool, typer.Option("--wake", help="release the candidate that was held until then")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write back to git what became of the canary of a release.

    Passed: recorded. Harmful: the last healthy release live again, this one in quarantine. Not run
    or not measured: the same, and this one parked. What a person did stands. A candidate that is
    due is held while a canary runs; --wake releases it at the end. Needs SLUICE_CLUSTER.

    Example: sluice reconcile --watch
    """
    from functools import partial

    from flows.adapters import kubernetes
    from flows.canary.alive import Looks
    from flows.canary.reconcile import Asked
    from flows.cli.live.monitor import start_due
    from flows.project.homes import load_for_releases

    settings, asked = load_for_releases(), Asked(model, patience, dry_run)
    woken = partial(start_due, settings, model) if wake and not dry_run else None
    if watch:
        looks = _told_on(port) if port else Looks()
        run_watch(settings, asked, kubernetes.seen, every, looks, woken, as_json=as_json)
    raise typer.Exit(run_reconcile(settings, asked, kubernetes.seen, woken, as_json=as_json))


def run_reconcile(
    settings: "Settings",
    asked: "Asked",
    look: "Look",
    wake: Wake | None = None,
    *,
    as_json: bool,
) -> int:
    """Reconcile once, and say how it ended; `wake` releases what was held, where git knows the end.
    The exit code is 0.
    """
    import msgspec

    from flows.adapters.job_files import summarize
    from flows.canary import champion_alias
    from flows.canary import reconcile as room
    from flows.project.models import model_folder
    from flows.views.live import reconcile as view
    from flows.views.progress import working

    model_folder(asked.model, settings.project)
    with working("Look at the canary"):
        report = room.reconcile(settings, asked, look, _now())
        untold = champion_alias.follow(settings, asked.model) if room.settled(report) else ""
    if untold:
        say(untold)
    summarize(view.markdown(report))
    if as_json:
        print(json.dumps(msgspec.to_builtins(report), indent=1))
    else:
        view.show(report)
    if wake and room.settled(report):
        say(wake(_now()))
    return 0


def run_watch(
    settings: "Settings",
    asked: "Asked",
    look: "Look",
    every: float,
    looks: "Looks",
    wake: Wake | None = None,
    *,
    as_json: bool,
) -> None:
    """Reconcile again and again, and say what is new in a line; `looks` is told of each look, and
    `wake` releases what was held, after each end that git comes to know.

    A cluster or a host of git that is away is waited for; raises UsageError.
    """
    from flows.canary import champion_alias
    from flows.canary import reconcile as room
    from flows.project.models import model_folder

    model_folder(asked.model, settings.project)
    told, woken = "", 0
    while True:
        try:
            report = room.reconcile(settings, asked, look, _now())
            line = _line(report, as_json=as_json)
            untold = ""
            if line != told and room.settled(report):
                untold = champion_alias.follow(settings, asked.model)
            if untold:
                say(untold)
            if wake and room.settled(report) and report.release != woken:
                say(wake(_now()))
                woken = report.release
        except UsageError:
            raise
        except SluiceError as error:
            said = " ".join(str(error).split())
            line = json.dumps({"error": said}) if as_json else said
        if line != told:
            _tell(line, as_json=as_json)
        told = line
        looks.ended()
        time.sleep(every)


def _told_on(port: int) -> "Looks":
    """Looks that are told of on a port of every interface. Raises UsageError where it is taken."""
    from flows.canary import alive

    looks = alive.Looks()
    try:
        alive.serve(looks, "0.0.0.0", port)  # noqa: S104 - a probe comes from outside of the pod
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} cannot be listened on ({cause(error)})", "Choose another with --port."
        ) from None
    return looks


def _line(report: "Report", *, as_json: bool) -> str:
    import msgspec

    from flows.views.live.reconcile import sentence

    return json.dumps(msgspec.to_builtins(report)) if as_json else sentence(report)


def _tell(line: str, *, as_json: bool) -> None:
    import sys

    moment = "" if as_json else f"{_now().isoformat(timespec='seconds')}  "
    say(f"{moment}{line}", sys.stdout)
    sys.stdout.flush()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
