"""`sluice plan`: what a release would do."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, DataFile, Model, NoCache

if TYPE_CHECKING:
    from flows.engine.planned import Planned


def plan(
    model: Model = "attrition",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
) -> None:
    """Show what a release would do: HIT or MISS a step, with the cause. Nothing is done.

    Example: sluice plan attrition
    """
    raise typer.Exit(run_plan(model, data, as_json, no_cache))


def run_plan(model: str, data: Path | None, as_json: bool, no_cache: bool) -> int:
    """Print the plan."""
    from flows.engine.request import begin
    from flows.orchestration.plan import plan
    from flows.orchestration.real_tools import real_tools
    from flows.project import settings
    from flows.views import terminal
    from flows.views.escape import escape

    request = begin(settings.load(), real_tools(), model, data, cache=not no_cache)
    planned = plan(request)
    nothing = planned.outcome.sentence if planned.outcome else ""
    if as_json:
        print(
            json.dumps(
                {
                    "steps": [_document(step) for step in planned.steps],
                    "diff": planned.diff,
                    "outcome": nothing,
                },
                indent=1,
            )
        )
        return 0
    out = terminal.console(stderr=False)
    out.print(terminal.plan(planned.steps, planned.diff))
    misses = sum(not step.hit for step in planned.steps)
    word = "Refused" if planned.outcome and planned.outcome.exit_code else "Nothing to do"
    out.print(
        f"[bold]{word}: {escape(nothing)}.[/]" if nothing else f"[bold]{misses} steps would run.[/]"
    )
    return 0


def _document(step: "Planned") -> dict[str, object]:
    return {"step": step.step, "title": step.title, "hit": step.hit, "cause": step.cause}
