"""The release: from a table to one changed entry in the manifest repo, in the order of events."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from prefect import flow

from flows.decision import baselines, replayed
from flows.engine.outcome import Outcome
from flows.engine.perform import Plainly, Runner, lookup
from flows.engine.phases import Candidate, Case, Report
from flows.engine.request import Request
from flows.engine.store import Result
from flows.evidence.numbered import numbered
from flows.facts.imaged import Imaged
from flows.gitops import deploy_files, ledger, manifest_repo, pull_request, quarantine
from flows.gitops.writer import Written
from flows.orchestration import pipeline, rationed
from flows.orchestration.endings import ended, held_or_refused, note, remember_refusal, told
from flows.orchestration.freshness import require_fresh
from flows.orchestration.plan import PUT_BACK_TITLE, plan
from flows.orchestration.possible import UNBUILT
from flows.orchestration.rationed import Reserved
from flows.orchestration.registered import lost
from flows.orchestration.settled import settle
from flows.orchestration.whole_run import Asked, as_flow, plainly
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
    return as_flow(Asked(model, data, cache), _released)


def without_prefect(model: str, data: str | None, cache: bool) -> Outcome:
    """The same release where no server of Prefect answers: the same steps, and no page."""
    return plainly(Asked(model, data, cache), _released)


def _released(request: Request, runner: Runner, run_id: str) -> Outcome:
    """The release of a request, where something is left to do."""
    with working("Look up each step"):
        planned = plan(request)
        outcome = settle(planned)
    if outcome:
        return outcome
    if planned.report and planned.beside:
        return _put_back(planned.report, planned.beside, runner)
    # Not before: what is refused, or has nothing left to do, leaves nothing.
    with working("Look at the manifest repo"):
        request = seeded(request)
    return carry_out(request, runner, run_id)


def _put_back(report: Report, imaged: Imaged, runner: Runner) -> Outcome:
    """The end of a release whose image is live, and beside which the registry lost something: that
    is put back, and nothing else is left to do.
    """

    request = report.request
    number = request.live.release if request.live else 0

    def put() -> str:
        files = promote.evidence_files(report, imaged, number)
        return promote.put_back(request, imaged, files)

    try:
        found = runner.call(PUT_BACK_TITLE, put)
    except Refused as refused:
        return show_refused(request, refused)
    outcome = settle(plan(request))
    if outcome is None:
        raise SluiceError(f"the registry lost the {found} again", "Run it again.")
    outcome = replace(outcome, sentence=f"{promote.LIVE}; put back in the registry: {found}")
    request.tools.page.delivery(request, outcome)
    return outcome


def seeded(request: Request) -> Request:
    """The same request beside a manifest repo that is there, with what runs the model."""
    if request.live is None:
        manifest_repo.seed(request.settings)
        request = replace(request, live=manifest_repo.live(request.settings, request.model))
    return _deployable(request)


def _deployable(request: Request) -> Request:
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
    """From the verdict to the commit."""

    def commit(imaged: Result[Imaged]) -> Written:
        return promote.promote(report, imaged, number, run_id)

    delivery = deliver(report.candidate, runner, commit)
    if delivery.imaged is None:
        return ended(report, delivery.outcome, delivery.sentence)
    outcome = ended(
        report,
        delivery.outcome,
        delivery.sentence,
        image=delivery.imaged,
        commit=delivery.written.commit,
        release=delivery.written.release or number,
    )
    return proposed(report.request, outcome, delivery.written.branch)


@dataclass(frozen=True)
class Delivery:
    """How far a candidate came: the end in a word and a sentence, what was written, and its image;
    None where nothing here builds one.
    """

    outcome: str
    sentence: str
    imaged: Imaged | None
    written: Written


def deliver(
    candidate: Candidate, runner: Runner, commit: Callable[[Result[Imaged]], Written]
) -> Delivery:
    """Bento, image, smoke run of that very image, and the one entry that `commit` writes."""
    if not _can_deliver(candidate):
        packaged = runner.do(PACKAGE, candidate)
        runner.call("Serve Bento", smoke.ask_bento, candidate, packaged)
        return Delivery("no builder", UNBUILT, None, Written("no builder", UNBUILT))
    if not _is_delivered(candidate):
        have_base(candidate)
    imaged = _build(candidate, runner)
    written = runner.call(promote.TITLE, commit, imaged)
    outcome = _OUTCOMES.get(written.outcome, written.outcome)
    return Delivery(outcome, written.sentence, imaged.facts, written)


def proposed(request: Request, outcome: Outcome, branch: str) -> Outcome:
    """The outcome with branch and place of the text of its pull request, where it is proposed."""
    if outcome.outcome != "proposed":
        return outcome
    text = pull_request.place(request.settings, request.model, outcome.tag)
    return replace(outcome, branch=branch, proposal=str(text))


def have_base(candidate: Candidate) -> None:
    """Have the base of the image, which takes a minute where this machine has none yet.

    It is no step, so the spinner is its only sign of life; what is said of it stays on the screen.
    """
    said: list[str] = []
    with working("Make the base"):
        image.prepare(candidate, said.append)
    for sentence in said:
        candidate.request.tools.progress.say(sentence)


def _build(candidate: Candidate, runner: Runner) -> Result[Imaged]:
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


def _can_deliver(candidate: Candidate) -> bool:
    """Whether image and smoke run were done before, or there is what does them."""
    if _is_delivered(candidate):
        return True
    request = candidate.request
    state, images = request.settings.home / "containers", request.tools.images
    return images.builder(state) is not None and images.runner(state) is not None


def _is_delivered(candidate: Candidate) -> bool:
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
