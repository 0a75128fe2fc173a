"""`sluice approvals`: what waits for people, and what they said."""

import json
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings


def approvals(model: Model = "", as_json: AsJson = False) -> None:
    """Show what waits for approvals, and who said what.

    What does not count is listed with the reason: stale, copied, signed by nobody who may.

    Example: sluice approvals MODEL
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_approvals(load_for_releases(), model, as_json=as_json))


def run_approvals(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print what waits; the exit code is 0, 3 where its evidence was rejected."""
    from flows.decision import approved
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import approvals as view

    model_folder(model, settings.project)
    with working("Read what waits"):
        waiting = approved.waiting(settings, model, today())
    if as_json:
        print(json.dumps(view.document(model, waiting), indent=1))
    else:
        view.show(model, waiting)
    return 3 if waiting and waiting.count.rejected else 0
