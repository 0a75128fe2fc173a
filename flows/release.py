"""The release: from a table to one changed entry in the manifest repo, in the order in which it
happens.
"""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.adapters.image.image_tools import REAL
from flows.adapters.registry import registry
from flows.decision import baselines, seals
from flows.engine import step as engine
from flows.engine.outcome import Outcome, record
from flows.engine.run import Run, begin
from flows.engine.step import Done
from flows.gitops import events, ledger, manifest_repo, pull_request, quarantine
from flows.orchestration import prefect_server, run_page
from flows.orchestration.plan import TO_IMAGE, ended
from flows.orchestration.tasks import commit, do, serve_bento, shown, track
from flows.project import settings
from flows.steps import evidence, gate, image, package, score, smoke, split, train, tune, validate
from flows.views import terminal
from sluice.errors import Refused

IMAGES = REAL


@flow(name="release", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def release(model: str = "attrition", data: str | None = None, cache: bool = True) -> Any:
    """Take a table to a commit that Argo CD syncs, or to a refusal with its reasons."""
    given = settings.load()
    terminal.link("Run", prefect_server.page(str(flow_run.id)))
    prefect_server.close_dead(given.home)
    manifest_repo.seed(given)
    with prefect_server.untagged():
        outcome = _release(begin(given, model, Path(data) if data else None, cache), {})
    record(given.home, outcome)
    name = "Refused" if outcome.exit_code == 3 else outcome.outcome.capitalize()
    return Completed(name=name, message=outcome.sentence)


def _release(run: Run, done: Done) -> Outcome:
    try:
        number, run = _judge(run, done)
        evidence.publish(run, done)
        run_page.evidence(run, done)
        if gate.promotes(done):
            seals.check(run, done)
    except Refused as refused:
        run_page.refusal(run, refused)
        _show(refused)
        name = "quarantined" if isinstance(refused, quarantine.Quarantined) else "refused"
        return Outcome(name, validate.public(refused), run.model)
    outcome = (
        _deliver(run, done, number) if gate.promotes(done) else ended(run, done, *gate.ending(done))
    )
    run_page.delivery(run, outcome)
    events.note(run, done, outcome)
    track(shown(run), shown(done), outcome.outcome == "promoted")
    return outcome


def _judge(run: Run, done: Done) -> tuple[int, Run]:
    """From the data to the verdict; the number of the release, and the run with what it was
    compared with.
    """
    for step in (validate, split, tune, train):
        do(step, run, done)
    quarantine.check(run.live, tag=package.tag(run, done))
    run = baselines.opposed(run, done)
    use = split.use(run, done, engine.key_of(score, run, done))
    number, uses = ledger.reserve(run.settings, run.model, use, int(run.champion.get("release", 0)))
    run_page.number(run, number)
    baselines.fetch(run)
    do(score, run, done)
    run = baselines.standing(run, done, uses, datetime.datetime.now(datetime.UTC).date())
    for step in (gate, evidence):
        do(step, run, done)
    return number, run


def _deliver(run: Run, done: Done, number: int) -> Outcome:
    """From the verdict to the commit: Bento, image, smoke run of that very image, one changed
    entry.
    """
    if not _can_deliver(run, done):
        do(package, run, done)
        serve_bento(shown(run), shown(done))
        said = (
            "image and commit were left out: no podman, buildah or docker works here (install"
            " podman, run again)"
        )
        return ended(run, done, "no builder", said)
    image.prepare(run, done)
    do(package, run, done)
    _build(run, done)
    written = commit(shown(run), shown(done), number, str(flow_run.id or ""))
    outcome = {"committed": "promoted", "already there": "nothing to do"}.get(
        written.outcome, written.outcome
    )
    end = ended(run, done, outcome, written.sentence, written.commit, written.release or number)
    text = (
        str(pull_request.place(run.settings, run.model, end.tag)) if outcome == "proposed" else ""
    )
    return replace(end, branch=written.branch, proposal=text)


def _build(run: Run, done: Done) -> None:
    """The image that its tag names in the registry, whoever pushed it, and the smoke run of that
    very image.
    """
    do(image, run, done)
    if registry.digest(run.place, package.tag(run, done)) != done["image"].facts["digest"]:
        do(image, replace(run, cache=False), done)
    do(smoke, run, done)


def _can_deliver(run: Run, done: Done) -> bool:
    """Whether image and smoke run were done before, or there is what does them."""
    if all(step.hit for step in engine.plan(TO_IMAGE, run, dict(done))):
        return True
    state = run.settings.home / "containers"
    return bool(IMAGES.builder(state) and IMAGES.runner(state))


def _show(refused: Refused) -> None:
    """What was refused, with examples: on the terminal, and nowhere else."""
    from flows.views.findings import table

    if isinstance(refused, validate.DataRefused):
        terminal.console().print(table(refused.report))
    terminal.console().print(f"{refused.what}\n  {refused.fix}", markup=False)
