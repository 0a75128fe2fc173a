"""`sluice plan`: what a release would do."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, DataFile, Each, Model, NoCache

if TYPE_CHECKING:
    from flows.engine.planned import Planned
    from flows.project.settings import Settings


def plan(
    model: Model = "",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
    json_file: Annotated[
        Path | None, typer.Option("--json-file", help="write the same as JSON into this file, too")
    ] = None,
    each: Each = "",
) -> None:
    """Show what a release would do, and do nothing.

    Each step is a HIT or a MISS, with the cause; below them is the change to the manifest repo.
    What a release would refuse without doing anything, a plan refuses with the same exit code.

    Example: sluice plan MODEL
    """
    from flows.project.homes import load_for_data
    from sluice.errors import SluiceError

    try:
        given = load_for_data(model, data)
        code = run_plan(
            given, model, data, json_file, as_json=as_json, cache=not no_cache, each=each
        )
    except SluiceError as error:
        if json_file:
            refused = {"model": model, "refused": f"{error.what}. {error.fix}"}
            json_file.write_text(as_json_text(refused), encoding="utf-8")
        raise
    raise typer.Exit(code)


def run_plan(
    settings: "Settings",
    model: str,
    data: Path | None,
    json_file: Path | None = None,
    *,
    as_json: bool,
    cache: bool,
    each: str = "",
) -> int:
    """Print the plan; the exit code is that of a release which has nothing left to do, else 0.

    `each` names the column that names the models of a fleet; empty for a single model.
    """
    from flows.decision import told
    from flows.engine.request import begin
    from flows.orchestration.fleet_plan import plan as plan_fleet
    from flows.orchestration.plan import plan
    from flows.orchestration.real_tools import real_tools
    from flows.project import homes
    from flows.views import terminal
    from flows.views.progress import working
    from flows.views.releases import plan as view

    if homes.is_demo(settings):
        terminal.note(homes.of_the_demo(settings))
    with working("Look up each step"):
        request = begin(settings, real_tools(), model, data, cache=cache)
        planned = plan_fleet(request, each) if each else plan(request)
    document = {
        "model": model,
        "steps": [_document(step) for step in planned.steps],
        "verdict": told.of(planned.report.decision).line if planned.report else "",
        "diff": planned.diff,
        "outcome": planned.outcome.sentence if planned.outcome else "",
        "barred": planned.barred.sentence if planned.barred else "",
    }
    if json_file:
        json_file.write_text(as_json_text(document), encoding="utf-8")
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        view.show(planned.steps, planned.diff, planned.outcome, planned.barred)
    return planned.outcome.exit_code if planned.outcome else 0


def as_json_text(document: object) -> str:
    """A document as it is written into a file."""
    return json.dumps(document, indent=1)


def _document(step: "Planned") -> dict[str, object]:
    return {"step": step.step, "title": step.title, "hit": step.hit, "cause": step.cause}
