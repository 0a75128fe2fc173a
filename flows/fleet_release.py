"""The release of a fleet: from a table to one changed entry that serves every model by key."""

from dataclasses import replace
from functools import partial
from typing import Any

from prefect import flow

from flows.adapters.files import write_atomic
from flows.engine.outcome import Outcome
from flows.engine.perform import Runner
from flows.engine.request import Request
from flows.engine.store import Result
from flows.evidence.page import PAGE
from flows.facts.imaged import Imaged
from flows.fleet import pipeline
from flows.fleet.promote import FleetReport, evidence_files, promote
from flows.gitops import events, ledger
from flows.gitops.writer import Written
from flows.orchestration.fleet_plan import ended, folder_of, nothing_to_do, plan
from flows.orchestration.freshness import require_fresh
from flows.orchestration.registered import require_whole
from flows.orchestration.settled import settle
from flows.orchestration.whole_run import Asked, as_flow, plainly
from flows.release import deliver, proposed, seeded, show_refused
from flows.views import terminal
from flows.views.fleet_page import Headline, on_terminal, render
from sluice.errors import Refused
from sluice.fleet.changes import TABLE, Changes
from sluice.model.json_file import write_json


@flow(name="fleet", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def fleet(model: str, column: str, data: str | None = None, cache: bool = True) -> Any:
    """Take a table to a commit that changes those models of a fleet that are better."""
    return as_flow(Asked(model, data, cache), partial(_released, column))


def without_prefect(column: str, asked: Asked) -> Outcome:
    """The same release where no server of Prefect answers."""
    return plainly(asked, partial(_released, column))


def _released(column: str, request: Request, runner: Runner, run_id: str) -> Outcome:
    return settle(plan(request, column)) or carry_out(request, column, runner, run_id)


def carry_out(request: Request, column: str, runner: Runner, run_id: str = "") -> Outcome:
    """The whole release of a fleet; `run_id` is that of the flow run, kept in the commit."""
    page = request.tools.page
    try:
        require_fresh(request)
        lessons = pipeline.taught(request, column, runner)
        if lessons.is_live:
            require_whole(request)
            outcome = nothing_to_do(request)
            page.delivery(request, outcome)
            return outcome
        candidate = pipeline.written(lessons, runner)
        request = seeded(request)
        candidate = replace(candidate, candidate=replace(candidate.candidate, request=request))
        reserved = pipeline.reserve(candidate)
        page.number(request, reserved.number)
        changes = pipeline.judged(candidate, reserved, runner)
        if changes.changed:
            report = pipeline.joined(candidate, changes, reserved, runner)
            _publish(request, report.page, changes)
            outcome = _deliver(report, runner, run_id)
        else:
            _publish(request, _unchanged(request, changes), changes)
            outcome = ended(request, changes, "hold" if request.champion else "refused")
    except ledger.Waits as waits:
        sentence = f"{waits.what}. {waits.fix}"
        outcome = Outcome("waiting", sentence, request.model)
        page.delivery(request, outcome)
        return outcome
    except Refused as refused:
        return show_refused(request, refused)
    for line in on_terminal(changes):
        terminal.note(line)
    page.delivery(request, outcome)
    events.note(request.settings, request.model, candidate.key, request.data.sha256, outcome)
    return outcome


def _publish(request: Request, page: str, changes: Changes) -> None:
    """Lay page and table where people look. What lay there is of another release."""
    folder = folder_of(request)
    written = {PAGE: page.encode(), TABLE: write_json(changes).encode()}
    for old in sorted(folder.iterdir()) if folder.is_dir() else ():
        if old.is_file() and old.name not in written:
            old.unlink()
    for name, content in written.items():
        write_atomic(folder / name, content)


def _unchanged(request: Request, changes: Changes) -> str:
    sentence = changes.sentence
    shown = Headline(request.model, changes.column, sentence[:1].upper() + sentence[1:], 0, "")
    return render(shown, changes)


def _deliver(report: FleetReport, runner: Runner, run_id: str) -> Outcome:
    """From the verdicts to the commit."""

    def commit(imaged: Result[Imaged]) -> Written:
        for name, content in evidence_files(report).items():
            write_atomic(folder_of(report.request) / name, content)
        return promote(report, imaged, run_id)

    delivery = deliver(report.candidate, runner, commit)
    end = replace(
        ended(report.request, report.changes, delivery.outcome),
        verdict="PROMOTE",
        sentence=delivery.sentence,
        tag=report.candidate.tag,
    )
    if delivery.imaged is None:
        return end
    outcome = replace(
        end,
        sentence=f"{delivery.sentence}; {report.changes.sentence}",
        digest=delivery.imaged.digest,
        reference=delivery.imaged.reference,
        commit=delivery.written.commit,
        release=delivery.written.release or report.number,
    )
    return proposed(report.request, outcome, delivery.written.branch)
