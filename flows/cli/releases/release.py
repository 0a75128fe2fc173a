"""`sluice release`: a table to a commit, or to a refusal."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from flows.cli.options import AsJson, DataFile, Each, Model, NoCache

if TYPE_CHECKING:
    from flows.engine.outcome import Outcome
    from flows.orchestration.start import Releases
    from flows.project.settings import Settings

_DRY_RUN = (
    "\nA dry run: without SLUICE_REGISTRY and SLUICE_MANIFESTS, image and commit stay on this"
    " machine.\n"
)


def release(
    model: Model = "",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
    each: Each = "",
) -> None:
    """Take a table to a commit that Argo CD can sync.

    A release that is refused says why, and ends with exit code 3.

    Example: sluice release MODEL --data rows.csv
    """
    from flows.project.homes import load_for_data

    given = load_for_data(model, data)
    raise typer.Exit(
        run_release(given, model, data, as_json=as_json, cache=not no_cache, each=each)
    )


def run_release(
    settings: "Settings",
    model: str,
    data: Path | None,
    *,
    as_json: bool,
    cache: bool,
    each: str = "",
) -> int:
    """Release, or stop where every step is a HIT; print the outcome and return its exit code.

    `each` names the column that names the models of a fleet; empty for a single model.
    """
    from flows.project import data_source, homes
    from flows.project.models import unreviewed
    from flows.views import terminal

    terminal.begun(model, data_source.name_of(settings, model, data))
    if warning := unreviewed(settings.project, model):
        terminal.note(f"Warning: {warning}")
    if homes.is_demo(settings):
        terminal.note(homes.of_the_demo(settings))

    # Heavier than all of the above: a person reads the first line meanwhile.
    from flows.orchestration.real_tools import real_tools
    from flows.orchestration.start import start, start_fleet

    if each:
        load = partial(load_fleet, each)
        outcome = start_fleet(settings, load, model, data, cache=cache)
    else:
        outcome = start(settings, real_tools(), load_flow, model, data, cache=cache)
    _job_summary(settings, outcome)
    if as_json:
        print(json.dumps(asdict(outcome), indent=1))
    else:
        terminal.summary(outcome)
    return outcome.exit_code


def load_flow() -> "Releases":
    """The Prefect flow, and the same without it; Prefect is imported with it."""
    from flows.orchestration.start import Releases
    from flows.release import release, without_prefect

    return Releases(release, without_prefect)


def load_fleet(column: str) -> "Releases":
    """The same of a fleet whose models this column names."""
    from flows.fleet_release import fleet, without_prefect
    from flows.orchestration.start import Releases
    from flows.orchestration.whole_run import Asked

    def as_flow(model: str, data: str | None, cache: bool, *, return_state: Literal[True]) -> Any:
        return fleet(model, column, data, cache, return_state=return_state)

    def plainly(model: str, data: str | None, cache: bool) -> "Outcome":
        return without_prefect(column, Asked(model, data, cache))

    return Releases(as_flow, plainly)


def _job_summary(settings: "Settings", outcome: "Outcome") -> None:
    """Show the verdict on the page of a run of GitHub Actions, where this is one."""
    from flows.adapters.job_files import summarize
    from flows.adapters.plain_text import in_markdown
    from flows.views.wording import upper_first

    text = _summary(outcome)
    text += f"\n**{outcome.outcome.capitalize()}.** {in_markdown(outcome.sentence)}\n"
    if outcome.compared:
        text += f"\n**Champion.** {in_markdown(upper_first(outcome.compared))}\n"
    if not (settings.registry and settings.manifests):
        text += _DRY_RUN
    summarize(text)


def _summary(outcome: "Outcome") -> str:
    """The summary beside the evidence, in Markdown."""
    from flows.adapters.plain_text import in_markdown

    if outcome.evidence:
        summary = Path(outcome.evidence).with_name("summary.md")
        if summary.is_file():
            return summary.read_text(encoding="utf-8")
    return f"# Refused\n\n{in_markdown(outcome.sentence)}\n"
