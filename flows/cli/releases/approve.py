"""`sluice approve`: let a release go live, by name."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, EvidenceHash, Model

if TYPE_CHECKING:
    from flows.decision.approved import Waiting
    from flows.engine.outcome import Outcome
    from flows.project.settings import Settings


def approve(model: Model = "", evidence: EvidenceHash = "", as_json: AsJson = False) -> None:
    """Approve the evidence of the release that waits, by a signature.

    With --evidence it is refused where other evidence waits than the one that was read. Once enough
    people approved, the release goes on where its steps are done; elsewhere the next one does.

    Example: sluice approve MODEL
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_approve(load_for_releases(), model, evidence, as_json=as_json))


def run_approve(settings: "Settings", model: str, evidence: str, *, as_json: bool) -> int:
    """Approve what waits; the exit code is 0, or that of the release that goes on."""
    from flows.decision import approved
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import approvals as view

    model_folder(model, settings.project)
    with working("Read the evidence"):
        before = approved.require_waiting(settings, model, evidence, today())
    if not as_json:
        view.show(model, before)
    with working("Sign the approval"):
        after = approved.approve(settings, before.question, today())
    outcome = _go_on(settings, after) if after.count.enough else None
    if as_json:
        shown = view.document(model, after)
        print(json.dumps({**shown, "release": asdict(outcome) if outcome else None}, indent=1))
    else:
        view.ended("Approved", after, outcome)
    return outcome.exit_code if outcome else 0


def _go_on(settings: "Settings", waiting: "Waiting") -> "Outcome | None":
    """The end of the release that waited, where this machine has done all its steps; None
    elsewhere.
    """
    from flows.cli.releases.release import load_flow
    from flows.engine.request import begin
    from flows.orchestration.plan import plan
    from flows.orchestration.real_tools import real_tools
    from flows.orchestration.start import start
    from sluice.errors import SluiceError

    model, tools = waiting.question.model, real_tools()
    try:
        planned = plan(begin(settings, tools, model))
    except SluiceError:
        return None  # this machine has no data of that release, and needs none to approve it
    is_here = planned.candidate is not None and planned.candidate.tag == waiting.question.tag
    if planned.report is None or not is_here or planned.outcome is not None:
        return None
    return start(settings, tools, load_flow, model, None, cache=True)
