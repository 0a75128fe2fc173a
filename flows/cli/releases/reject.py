"""`sluice reject`: end a release that waits."""

import json
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, EvidenceHash, Model, Reason
from flows.project.reason import check_reason

if TYPE_CHECKING:
    from flows.project.settings import Settings


def reject(
    reason: Reason, model: Model = "", evidence: EvidenceHash = "", as_json: AsJson = False
) -> None:
    """Reject the evidence of the release that waits, for good.

    It is final for that evidence. It is signed where there is a key, and counts without one:
    nobody needs a name to stop it.

    Example: sluice reject MODEL --reason "the new office is missing"
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_reject(load_for_releases(), model, reason, evidence, as_json=as_json))


def run_reject(
    settings: "Settings", model: str, reason: str, evidence: str, *, as_json: bool
) -> int:
    """Reject what waits; the exit code is 0."""
    from flows.decision import approved
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import approvals as view

    check_reason(reason)
    model_folder(model, settings.project)
    with working("Write the rejection"):
        before = approved.require_waiting(settings, model, evidence, today())
        said = approved.Rejection(approved.author(settings), reason)
        after = approved.reject(settings, before.question, said, today())
    if as_json:
        print(json.dumps(view.document(model, after), indent=1))
    else:
        view.ended("Rejected", after, None)
    return 0
