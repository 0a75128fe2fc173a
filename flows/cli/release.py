"""`sluice release`: a table to a commit, or to a refusal."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
    from flows.orchestration.real_tools import real_tools
    from flows.orchestration.start import start
    from flows.project import settings
    from flows.views import terminal

    given = settings.load()
    outcome = start(given, real_tools(), model, data, cache=not no_cache)
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
