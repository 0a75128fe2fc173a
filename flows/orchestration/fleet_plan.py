"""What the release of a fleet would do, known from keys, manifest repo and registry."""

from pathlib import Path

from flows.adapters.engine import require_engine
from flows.engine.outcome import Outcome
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.evidence.page import PAGE
from flows.fleet import pipeline
from flows.fleet.artifact import JOIN, TUNE_FLEET, WRITE
from flows.fleet.pipeline import FleetCandidate, Reserved
from flows.gitops import manifest_repo, promotion, quarantine
from flows.orchestration.plan import (
    LookUp,
    Missing,
    Plan,
    RefusedBefore,
    diff_of,
    stopped,
    with_waiting,
)
from flows.orchestration.possible import require_possible
from flows.orchestration.registered import lost, require_whole
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from flows.steps.smoke import SMOKE
from flows.steps.split import SPLIT
from flows.steps.validate import VALIDATE
from sluice.errors import Refused
from sluice.fleet.changes import Changes

# The steps of a fleet in their order, by name and title; the shards of one kind are one line.
_STEPS = (
    *((step.name, step.title) for step in (VALIDATE, SPLIT, TUNE_FLEET)),
    ("teach", "Train shards"),
    (WRITE.name, WRITE.title),
    ("judge", "Judge shards"),
    *((step.name, step.title) for step in (JOIN, PACKAGE, IMAGE, SMOKE)),
)


def plan(request: Request, column: str) -> Plan:
    """Look every step of a fleet up, in order; nothing is done, nothing is written. Raises what the
    release of it would raise.
    """
    require_engine(request.settings.engine)
    look = LookUp(request)
    candidate: Candidate | None = None
    outcome: Outcome | None = None
    diff = ""
    try:
        lessons = pipeline.taught(request, column, look)
        if lessons.is_live:
            require_whole(request)
            outcome = nothing_to_do(request)
        else:
            fleet = pipeline.written(lessons, look)
            candidate = fleet.candidate
            changes = _judged_before(fleet, look)
            if changes.changed:
                diff = _joined_before(fleet, changes, look)
            else:
                outcome = ended(request, changes, "hold" if request.champion else "refused")
    except (Missing, RefusedBefore, Refused) as stop:
        outcome = stopped(request, candidate, stop)
    if outcome is None:
        require_possible(request, None)
    barred = promotion.barred(request.live, quarantine.present()) if request.live else None
    barred = None if outcome else barred
    steps = with_waiting(look, _STEPS)
    return Plan(request, steps, candidate, None, outcome, "" if barred else diff, barred)


def _reserved_before(fleet: FleetCandidate) -> Reserved:
    reserved = pipeline.reserved_before(fleet)
    if reserved is None:
        raise Missing("ledger")
    return reserved


def _judged_before(fleet: FleetCandidate, look: LookUp) -> Changes:
    return pipeline.judged(fleet, _reserved_before(fleet), look)


def _joined_before(fleet: FleetCandidate, changes: Changes, look: LookUp) -> str:
    """The change to the manifest repo, where the image is there."""
    joined = pipeline.joined(fleet, changes, _reserved_before(fleet), look).candidate
    imaged = look.do(IMAGE, joined, look.do(PACKAGE, joined))
    look.require_kept(IMAGE, lost(joined, imaged.facts))
    look.do(SMOKE, joined, imaged)
    return diff_of(fleet.candidate.request, imaged.facts)


def nothing_to_do(request: Request) -> Outcome:
    champion = request.champion
    return Outcome(
        "nothing to do",
        "the fleet that is live was made from these very models",
        request.model,
        verdict="PROMOTE",
        tag=champion.tag if champion else "",
        digest=champion.digest if champion else "",
        release=champion.release if champion else 0,
        evidence=str(folder_of(request) / PAGE),
    )


def folder_of(request: Request) -> Path:
    """Where people and workflows find the newest evidence of a model."""
    return request.settings.home / "evidence" / request.model


def ended(request: Request, changes: Changes, outcome: str) -> Outcome:
    """The end of a fleet of which no model is another one."""
    return Outcome(
        outcome,
        changes.sentence,
        request.model,
        verdict="HOLD" if outcome == "hold" else "INSUFFICIENT",
        evidence=str(folder_of(request) / PAGE),
        summary=f"A model for each {changes.column}",
        overlay=manifest_repo.apart(request.settings).rstrip("/"),
    )
