"""`sluice canary`: a canary, as it goes on."""

import datetime
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson, Model
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.canary.reconcile import Look
    from flows.project.settings import Settings


def canary(
    model: Model = "",
    every: Annotated[float, typer.Option(min=1, help="seconds between two looks")] = 5.0,
    page: Annotated[
        Path | None, typer.Option("--page", help="write its evidence into this HTML file")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a canary is, and follow it on a terminal.

    Steps, traffic, how the bounds of the judge close in, and what it waits for. It ends where the
    canary does; elsewhere than on a terminal, and for a page, it looks once. Needs SLUICE_CLUSTER.

    Example: sluice canary --page canary.html
    """
    from flows.adapters import kubernetes
    from flows.project.homes import load_for_releases

    settings = load_for_releases()
    raise typer.Exit(run_canary(settings, model, kubernetes.seen, every, page, as_json=as_json))


def run_canary(
    settings: "Settings",
    model: str,
    look: "Look",
    every: float,
    page: Path | None = None,
    *,
    as_json: bool,
) -> int:
    """Show it once, or until it ends on a terminal; the exit code is 0. With `page` it is written
    into that file. Raises UsageError where that cannot be.
    """
    import msgspec

    from flows.adapters.files import write_atomic
    from flows.canary.following import looked_at
    from flows.project.models import model_folder
    from flows.views.live import canary as view
    from flows.views.live.canary_page import render
    from flows.views.progress import working
    from flows.views.terminal import console

    model_folder(model, settings.project)
    if page and not page.resolve().parent.is_dir():
        raise UsageError(
            f"--page {page}: there is no folder {page.parent}",
            "Create it, or name a file in one that is there.",
        )
    with working("Look at the canary"):
        found = looked_at(settings, model, look, _now())
    if page:
        write_atomic(page, render(found).encode())
        say(f"The evidence of the canary is in {page}")
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
        return 0
    out = console(stderr=False)
    if page or not out.is_terminal or found.is_over:
        view.show(out, found)
        return 0
    with view.following(out) as shown:
        while not found.is_over:
            shown(found)
            time.sleep(every)
            found = looked_at(settings, model, look, _now())
    view.show(out, found)
    return 0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
