"""The release of a fleet: from a table to one changed entry that serves every model by key."""

import datetime
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import deployment, flow_run

from flows.adapters.engine import require_engine
from flows.adapters.files import write_atomic
from flows.adapters.private_files import keep_private
from flows.engine import runs, store
from flows.engine.outcome import Outcome, record
from flows.engine.perform import Plainly, Runner
from flows.engine.release_tools import Tools
from flows.engine.request import Request, begin
from flows.engine.runs import StepLine
from flows.evidence.page import PAGE
from flows.fleet import pipeline
from flows.fleet.promote import TITLE, FleetReport, evidence_files, promote
from flows.gitops import events, ledger, manifest_repo, pull_request
from flows.orchestration import prefect_server
from flows.orchestration.freshness import require_fresh
from flows.orchestration.possible import UNBUILT
from flows.orchestration.real_tools import real_tools
from flows.orchestration.run_page import PrefectPage, WhileItAnswers, failed, state_of
from flows.orchestration.shown import Shown
from flows.orchestration.start import tidy
from flows.orchestration.tasks import AsTasks
from flows.project import homes
from flows.project.settings import Settings
from flows.release import (
    build,
    can_deliver,
    deployable,
    have_base,
    is_delivered,
    show_refused,
)
from flows.steps import smoke
from flows.steps.package import PACKAGE
from flows.views import terminal
from flows.views.fleet_page import Headline, on_terminal, render
from sluice.errors import Refused, SluiceError
from sluice.fleet.changes import TABLE, Changes
from sluice.model.json_file import write_json

_OUTCOMES = {"committed": "promoted", "already there": "nothing to do"}


@dataclass(frozen=True)
class Asked:
    """What a release of a fleet is asked for: the model, the column that names its models, a file
    where it is not the pointer's, the cache.
    """

    model: str
    column: str
    data: str | None
    cache: bool


@flow(name="fleet", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def fleet(model: str, column: str, data: str | None = None, cache: bool = True) -> Any:
    """Take a table to a commit that changes those models of a fleet that are better."""
    keep_private()
    prefect_server.without_tracebacks()
    try:
        return state_of(_as_flow(Asked(model, column, data, cache)))
    except SluiceError as error:
        if not deployment.id:
            raise  # the command says it
        return failed(error)


def _as_flow(asked: Asked) -> Outcome:
    """The release as the run that goes on."""
    given = homes.load_for_data(asked.model, Path(asked.data) if asked.data else None)
    if deployment.id:
        tidy(given.home)
        store.sweep(given.home)
    run = str(flow_run.id)
    terminal.link("Run", prefect_server.page(run))
    page = WhileItAnswers(PrefectPage(), terminal.note)
    steps: list[StepLine] = []
    runner = AsTasks(Plainly(given.home, asked.model, cache=asked.cache), steps.append)
    with prefect_server.followed(given.home, run):
        page.show(prefect_server.claim, given.home, run)
        page.show(prefect_server.close_dead, given.home)
        with prefect_server.untagged():
            return _to_an_end(given, replace(real_tools(), page=page), asked, runner, steps)


def without_prefect(asked: Asked) -> Outcome:
    """The same release where no server of Prefect answers."""
    keep_private()
    given = homes.load_for_data(asked.model, Path(asked.data) if asked.data else None)
    steps: list[StepLine] = []
    runner = Shown(Plainly(given.home, asked.model, cache=asked.cache), note=steps.append)
    return _to_an_end(given, real_tools(), asked, runner, steps)


def _to_an_end(
    given: Settings, tools: Tools, asked: Asked, runner: Runner, steps: list[StepLine]
) -> Outcome:
    """The release, from what is asked to an outcome that is kept, with a line of the run."""
    began, started = datetime.datetime.now(datetime.UTC), time.monotonic()
    require_engine(given.engine)
    data = Path(asked.data) if asked.data else None
    request = begin(given, tools, asked.model, data, cache=asked.cache)
    run = str(flow_run.id or "")
    outcome = carry_out(request, asked.column, runner, run)
    record(given.home, outcome)
    seconds = time.monotonic() - started
    page = prefect_server.page(run) if run else ""
    runs.keep(
        given.home, runs.of(outcome, steps, began.isoformat(timespec="seconds"), seconds, page)
    )
    tools.page.steps(outcome.model, steps)
    tools.page.ended(outcome)
    return outcome


def carry_out(request: Request, column: str, runner: Runner, run_id: str = "") -> Outcome:
    """The whole release of a fleet; `run_id` is that of the flow run, kept in the commit."""
    page = request.tools.page
    try:
        require_fresh(request)
        candidate = pipeline.taught(request, column, runner)
        if candidate.is_live:
            return _nothing_to_do(request)
        request = _seeded(request)
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
            outcome = _ended(request, changes, "hold" if request.champion else "refused")
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


def _seeded(request: Request) -> Request:
    """The same request beside a manifest repo that is there."""
    if request.live is None:
        manifest_repo.seed(request.settings)
        request = replace(request, live=manifest_repo.live(request.settings, request.model))
    return deployable(request)


def _nothing_to_do(request: Request) -> Outcome:
    champion = request.champion
    outcome = Outcome(
        "nothing to do",
        "the fleet that is live was made from these very models",
        request.model,
        verdict="PROMOTE",
        tag=champion.tag if champion else "",
        digest=champion.digest if champion else "",
        release=champion.release if champion else 0,
        evidence=str(_folder(request) / PAGE),
    )
    request.tools.page.delivery(request, outcome)
    return outcome


def _folder(request: Request) -> Path:
    """Where people and workflows find the newest evidence of a model."""
    return request.settings.home / "evidence" / request.model


def _publish(request: Request, page: str, changes: Changes) -> None:
    """Lay page and table where people look. What lay there is of another release."""
    folder = _folder(request)
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


def _ended(request: Request, changes: Changes, outcome: str) -> Outcome:
    """The end of a fleet of which no model is another one."""
    return Outcome(
        outcome,
        changes.sentence,
        request.model,
        verdict="HOLD" if outcome == "hold" else "INSUFFICIENT",
        evidence=str(_folder(request) / PAGE),
        summary=f"A model for each {changes.column}",
        overlay=manifest_repo.apart(request.settings).rstrip("/"),
    )


def _deliver(report: FleetReport, runner: Runner, run_id: str) -> Outcome:
    """From the verdicts to the commit: Bento, image, smoke run of that very image, one entry."""
    request, candidate = report.request, report.candidate
    ended = _ended(request, report.changes, "hold")
    told = replace(ended, verdict="PROMOTE", tag=candidate.tag)
    if not can_deliver(candidate):
        packaged = runner.do(PACKAGE, candidate)
        runner.call("Serve Bento", smoke.ask_bento, candidate, packaged)
        return replace(told, outcome="no builder", sentence=UNBUILT)
    if not is_delivered(candidate):
        have_base(candidate)
    imaged = build(candidate, runner)
    for name, content in evidence_files(report).items():
        write_atomic(_folder(request) / name, content)
    written = runner.call(TITLE, promote, report, imaged, run_id)
    outcome = replace(
        told,
        outcome=_OUTCOMES.get(written.outcome, written.outcome),
        sentence=f"{written.sentence}; {report.changes.sentence}",
        digest=imaged.facts.digest,
        reference=imaged.facts.reference,
        commit=written.commit,
        release=written.release or report.number,
    )
    if outcome.outcome != "proposed":
        return outcome
    text = pull_request.place(request.settings, request.model, outcome.tag)
    return replace(outcome, branch=written.branch, proposal=str(text))
