"""`sluice history`: what happened to a model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings


def history(
    model: Model = "",
    page: Annotated[
        Path | None, typer.Option("--page", help="write a page into this HTML file")
    ] = None,
    runs: Annotated[
        bool,
        typer.Option("--runs", help="the runs on this machine: steps, seconds, how they ended"),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="print this many of the newest lines")] = 30,
    as_json: AsJson = False,
) -> None:
    """List what happened to a model, the newest last.

    Releases, verdicts, rollbacks, quarantine and edits by hand.

    Example: sluice history --page history.html
    """
    from flows.project.homes import load_for_releases

    settings = load_for_releases()
    if runs:
        raise typer.Exit(run_runs(settings, model, limit, as_json=as_json))
    raise typer.Exit(run_history(settings, model, page, limit, as_json=as_json))


def run_history(
    settings: "Settings", model: str, page: Path | None, limit: int, *, as_json: bool
) -> int:
    """Print what happened to a model, oldest first, or write it as a page."""
    import msgspec

    from flows.adapters.files import write_atomic
    from flows.audit.history import history
    from flows.gitops.events import chronicle
    from flows.project.models import model_folder
    from flows.views.past import history as view
    from flows.views.progress import working
    from flows.views.terminal import console

    model_folder(model, settings.project)
    with working("Read the manifest repo"):
        gathered = history(chronicle(settings), model)
    if settings.cluster:
        with working("Look at the canary"):
            gathered = msgspec.structs.replace(gathered, canary=_canary(settings, model))
    if page:
        from flows.views.past.history_page import render

        write_atomic(page, render(gathered).encode())
        gathered = msgspec.structs.replace(gathered, page=str(page))
    if as_json:
        print(json.dumps(msgspec.to_builtins(gathered), indent=1))
    else:
        view.history(console(stderr=False), gathered, 0 if page else limit)
    return 0


def run_runs(settings: "Settings", model: str, limit: int, *, as_json: bool) -> int:
    """Print the newest runs that are known here, oldest first; no Prefect is asked."""
    import msgspec

    from flows.engine.runs import kept
    from flows.project.models import model_folder
    from flows.views.past import history as view
    from flows.views.terminal import console

    model_folder(model, settings.project)
    found = kept(settings.home, model)[-limit:]
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
    else:
        view.runs(console(stderr=False), found, model)
    return 0


def _canary(settings: "Settings", model: str) -> str:
    """How far the canary of what is live is, in a line."""
    import datetime

    from flows.adapters import kubernetes
    from flows.canary.following import in_short
    from flows.gitops import manifest_repo

    now = datetime.datetime.now(datetime.UTC)
    live = manifest_repo.live(settings, model)
    return in_short(settings, model, live, kubernetes.seen, now)[0]
