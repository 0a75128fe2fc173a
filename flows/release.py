"""The release: from a table to one changed entry in the manifest repo, in the order of events."""

import datetime
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import deployment, flow_run

from flows.adapters.private_files import keep_private
from flows.decision import baselines, replayed
from flows.engine import runs, store
from flows.engine.outcome import Outcome, record
from flows.engine.perform import Plainly, Runner, lookup
from flows.engine.phases import Candidate, Case, Report
from flows.engine.release_tools import Tools
from flows.engine.request import Request, begin
from flows.engine.runs import StepLine
from flows.engine.store import Result
from flows.evidence.numbered import numbered
from flows.facts.imaged import Imaged
from flows.gitops import deploy_files, ledger, manifest_repo, pull_request, quarantine
from flows.orchestration import pipeline, prefect_server, rationed
from flows.orchestration.endings import ended, held_or_refused, note, remember_refusal, told
from flows.orchestration.freshness import require_fresh
from flows.orchestration.plan import plan
from flows.orchestration.possible import UNBUILT
from flows.orchestration.rationed import Reserved
from flows.orchestration.real_tools import real_tools
from flows.orchestration.registered import lost
from flows.orchestration.run_page import PrefectPage, WhileItAnswers, failed, state_of
from flows.orchestration.settled import settle
from flows.orchestration.shown import Shown
from flows.orchestration.start import tidy
from flows.orchestration.tasks import AsTasks
from flows.project import homes
from flows.project.settings import Settings
from flows.steps import image, promote, recheck, smoke
from flows.steps.evidence import publish
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from flows.steps.smoke import SMOKE
from flows.steps.validate import DataRefused, public
from flows.views import terminal
from flows.views.progress import working
from flows.views.wording import upper_first
from sluice.errors import Refused, SluiceError

_OUTCOMES = {"committed": "promoted", "already there": "nothing to do"}


@flow(name="release", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def release(model: str, data: str | None = None, cache: bool = True) -> Any:
    """Take a table to a commit that Argo CD syncs, or to a refusal with its reasons."""
    keep_private()
    prefect_server.without_tracebacks()
    asked = Asked(model, data, cache)
    try:
        return state_of(_as_flow(asked))
    except SluiceError as error:
        if not deployment.id:
            raise  # the command says it
        return failed(error)


def _as_flow(asked: "Asked") -> Outcome:
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


def without_prefect(model: str, data: str | None, cache: bool) -> Outcome:
    """The same release where no server of Prefect answers: the same steps, and no page."""
    keep_private()
    given = homes.load_for_data(model, Path(data) if data else None)
    steps: list[StepLine] = []
    runner = Shown(Plainly(given.home, model, cache=cache), note=steps.append)
    return _to_an_end(given, real_tools(), Asked(model, data, cache), runner, steps)


@dataclass(frozen=True)
class Asked:
    """What a release is asked for: the model, a file where it is not the pointer's, the cache."""

    model: str
    data: str | None
    cache: bool


def _to_an_end(
    given: Settings, tools: Tools, asked: Asked, runner: Runner, steps: list[StepLine]
) -> Outcome:
    """The release, from what is asked to an outcome that is kept; `steps` fills as `runner` works.

    A line of the run is kept too.
    """
    began, started = datetime.datetime.now(datetime.UTC), time.monotonic()
    path = Path(asked.data) if asked.data else None
    with working("Look up each step"):
        request = begin(given, tools, asked.model, path, cache=asked.cache)
        outcome = settle(plan(request))
    if outcome is None:
        with working("Look at the manifest repo"):
            if request.live is None:
                # Not before: what is refused, or has nothing left to do, leaves nothing.
                manifest_repo.seed(given)
                request = replace(request, live=manifest_repo.live(given, asked.model))
            request = deployable(request)
        outcome = carry_out(request, runner, str(flow_run.id or ""))
    record(given.home, outcome)
    seconds = time.monotonic() - started
    page = prefect_server.page(str(flow_run.id)) if flow_run.id else ""
    runs.keep(
        given.home, runs.of(outcome, steps, began.isoformat(timespec="seconds"), seconds, page)
    )
    tools.page.steps(outcome.model, steps)
    tools.page.ended(outcome)
    return outcome


def deployable(request: Request) -> Request:
    """The same request; in the embedded manifest repo a model without an entry is given what runs
    it.
    """
    given, model, live = request.settings, request.model, request.live
    if given.manifests or live is None or live.champion or live.entry.digest:
        return request
    deploy_files.write(given, model)
    return replace(request, live=manifest_repo.live(given, model))


def carry_out(request: Request, runner: Runner, run_id: str = "") -> Outcome:
    """The whole release; `run_id` is that of the flow run, kept in the commit."""
    page = request.tools.page
    try:
        require_fresh(request)
        candidate = pipeline.train(request, runner)
        case = pipeline.oppose(candidate)
        with working("Reserve the use of the holdout"):
            reserved = _reserve(case)
        report = pipeline.judge(reserved.case, reserved.counted, runner)
        judged = numbered(report, reserved.number)
        with working("Decide anew"):
            publish(report, judged)
            page.evidence(report)
            promotes = _may_go_live(report)
        if promotes:
            outcome = _deliver(report, runner, reserved.number, run_id)
        else:
            outcome = held_or_refused(report)
        publish(report, told(judged, outcome))
    except ledger.Waits as waits:
        return _waiting(candidate, waits)
    except Refused as refused:
        return show_refused(request, refused)
    page.delivery(request, outcome)
    note(report, outcome)
    runner.call("Track", request.tools.track, report, outcome)
    return outcome


def _may_go_live(report: Report) -> bool:
    """Whether verdict and replay promote: those that are worked out anew, not those remembered.

    Raises Refused where anything that it rests on is not what it was.
    """
    return replayed.may_go_live(report) and recheck.check(report).promotes


def _reserve(case: Case) -> Reserved:
    """The case that has the look, its number, and how often its holdout decided before.

    They are on the ledger branch before anything is scored.
    """
    reserved = rationed.reserve(case)
    request = reserved.case.request
    request.tools.page.number(request, reserved.number)
    baselines.fetch(reserved.case)
    return reserved


def _waiting(candidate: Candidate, waits: ledger.Waits) -> Outcome:
    """The end of a candidate that waits for the look of its ration: it is neither refused nor
    judged.
    """
    request = candidate.request
    sentence = f"{waits.what}. {waits.fix}"
    outcome = Outcome("waiting", sentence, request.model, tag=candidate.tag)
    request.tools.page.delivery(request, outcome)
    return outcome


def show_refused(request: Request, refused: Refused) -> Outcome:
    """What was refused: with examples on the terminal, and nowhere else."""
    from flows.views.findings import table

    request.tools.page.refusal(request, refused)
    remember_refusal(request, refused)
    console = terminal.console()
    if isinstance(refused, DataRefused):
        console.print(table(refused.report))
    console.print(f"{upper_first(refused.what)}\n  {refused.fix}", markup=False)
    barred = isinstance(refused, quarantine.Quarantined)
    return Outcome("quarantined" if barred else "refused", public(refused), request.model)


def _deliver(report: Report, runner: Runner, number: int, run_id: str) -> Outcome:
    """From the verdict to the commit: Bento, image, smoke run of that very image, one entry."""
    candidate = report.candidate
    if not can_deliver(candidate):
        packaged = runner.do(PACKAGE, candidate)
        runner.call("Serve Bento", smoke.ask_bento, candidate, packaged)
        return ended(report, "no builder", UNBUILT)
    if not is_delivered(candidate):
        have_base(candidate)
    imaged = build(candidate, runner)
    written = runner.call(promote.TITLE, promote.promote, report, imaged, number, run_id)
    outcome = ended(
        report,
        _OUTCOMES.get(written.outcome, written.outcome),
        written.sentence,
        image=imaged.facts,
        commit=written.commit,
        release=written.release or number,
    )
    if outcome.outcome != "proposed":
        return outcome
    text = pull_request.place(report.request.settings, report.request.model, outcome.tag)
    return replace(outcome, branch=written.branch, proposal=str(text))


def have_base(candidate: Candidate) -> None:
    """Have the base of the image, which takes a minute where this machine has none yet.

    It is no step, so the spinner is its only sign of life; what is said of it stays on the screen.
    """
    said: list[str] = []
    with working("Make the base"):
        image.prepare(candidate, said.append)
    for sentence in said:
        candidate.request.tools.progress.say(sentence)


def build(candidate: Candidate, runner: Runner) -> Result[Imaged]:
    """The image that its tag names in the registry, whoever pushed it, after its smoke run."""
    packaged = runner.do(PACKAGE, candidate)
    place = Plainly(
        candidate.request.settings.home, candidate.request.model, candidate.request.cache
    )
    before = lookup(place, IMAGE, candidate, packaged)
    if before and lost(candidate, before.facts):
        imaged = runner.again(IMAGE, candidate, packaged)
    else:
        imaged = runner.do(IMAGE, candidate, packaged)
    if lost(candidate, imaged.facts):
        imaged = runner.again(IMAGE, candidate, packaged)
    runner.do(SMOKE, candidate, imaged)
    return imaged


def can_deliver(candidate: Candidate) -> bool:
    """Whether image and smoke run were done before, or there is what does them."""
    if is_delivered(candidate):
        return True
    request = candidate.request
    state, images = request.settings.home / "containers", request.tools.images
    return images.builder(state) is not None and images.runner(state) is not None


def is_delivered(candidate: Candidate) -> bool:
    """Whether Bento, image and smoke run were done before, and the registry has that whole."""
    request = candidate.request
    place = Plainly(request.settings.home, request.model, cache=request.cache)
    packaged = lookup(place, PACKAGE, candidate)
    if packaged is None:
        return False
    imaged = lookup(place, IMAGE, candidate, packaged)
    if imaged is None or lookup(place, SMOKE, candidate, imaged) is None:
        return False
    return not lost(candidate, imaged.facts)
