"""`sluice release`: a table to a commit, or to a refusal."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from flows.cli.options import AsJson, DataFile, Model, NoCache

if TYPE_CHECKING:
    from flows.engine.outcome import Outcome
    from flows.project.settings import Settings


def release(
    model: Model = "attrition",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
) -> None:
    """Take a table to a commit that Argo CD syncs, or to a refusal with reasons.

    Example: sluice release attrition --data employees.csv
    """
    raise typer.Exit(run_release(model, data, as_json, no_cache))


def run_release(model: str, data: Path | None, as_json: bool, no_cache: bool) -> int:
    """A release, or nothing where a plan shows that nothing is to be done; its exit code."""
    from flows.project import settings
    from flows.views import terminal

    given = settings.load()
    given.home.mkdir(parents=True, exist_ok=True)
    outcome = _settled(given, model, data, no_cache) or _engine(given, model, data, no_cache)
    _job_summary(given, outcome)
    if as_json:
        print(json.dumps(asdict(outcome), indent=1))
    else:
        terminal.summary(outcome)
    return outcome.exit_code


def _job_summary(given: "Settings", outcome: "Outcome") -> None:
    """The verdict for the page of a GitHub Actions run."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        return
    summary = Path(outcome.evidence).with_name("summary.md") if outcome.evidence else None
    text = (
        summary.read_text(encoding="utf-8")
        if summary and summary.is_file()
        else f"# Refused\n\n{outcome.sentence}\n"
    )
    text += f"\n**{outcome.outcome.capitalize()}.** {outcome.sentence}\n"
    if not given.registry or not given.manifests:
        text += (
            "\nA dry run: without SLUICE_REGISTRY and SLUICE_MANIFESTS, image and commit stay on"
            " this machine.\n"
        )
    with open(page, "a", encoding="utf-8") as file:
        file.write(text)


def _settled(given: "Settings", model: str, data: Path | None, no_cache: bool) -> "Outcome | None":
    """The outcome of a release in which every step is a HIT."""
    from flows.engine.outcome import record
    from flows.engine.run import begin
    from flows.gitops.events import note
    from flows.orchestration import prefect_server
    from flows.orchestration.plan import plan
    from flows.steps.evidence import publish
    from flows.views import terminal

    if no_cache:
        return None
    planned = plan(begin(given, model, data))
    if planned.outcome:
        for step in (step for step in planned.steps if step.step in planned.done):
            terminal.step(step.title, "hit", 0.0, planned.done[step.step].facts)
        if "evidence" in planned.done:
            publish(planned.run, planned.done)
        record(given.home, planned.outcome)
        note(planned.run, planned.done, planned.outcome)
        # rare, and worth the seconds that Prefect takes to start
        if prefect_server.killed(given.home):
            prefect_server.prepare(given.home)
            prefect_server.close_dead(given.home)
    return planned.outcome


def _engine(given: "Settings", model: str, data: Path | None, no_cache: bool) -> "Outcome":
    """The release as a Prefect flow; the outcome that it left."""
    from flows.engine import store
    from flows.engine.outcome import Outcome, forget, recorded
    from flows.orchestration import prefect_server
    from sluice.errors import SluiceError

    prefect_server.end_orphans(given.home)
    store.sweep(given.home)
    prefect_server.prepare(given.home)
    from flows.release import release

    forget(given.home, model)
    with prefect_server.marked(given.home):
        state: Any = release(model, str(data) if data else None, not no_cache, return_state=True)
    if not state.is_completed():
        state.result()
        raise SluiceError(
            f"the release ended as {state.name}: {state.message}",
            "Run it again; what was done is kept.",
        )
    outcome = recorded(given.home, model, "last")
    if not outcome:
        raise SluiceError("the release left no outcome", "Run it again with --debug.")
    return Outcome(**outcome)
