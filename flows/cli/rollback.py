"""`sluice rollback`: the last healthy release live again."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import AsJson, Model, Reason, check_reason

if TYPE_CHECKING:
    from flows.gitops.writer import Written
    from flows.project.settings import Settings


def rollback(
    reason: Reason,
    model: Model = "attrition",
    to: Annotated[str, typer.Option("--to", help="previous, a tag or a digest")] = "previous",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show the change, and write nothing")
    ] = False,
    no_boot: Annotated[
        bool, typer.Option("--no-boot", help="go back without starting the image first")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the last healthy release live again, and put the one that is live into quarantine.

    Needs the manifest repo and the registry (to read), and neither Prefect nor MLflow.

    Example: sluice rollback --reason "flags everybody in sales"
    """
    raise typer.Exit(
        run_rollback(model, to, reason, dry_run=dry_run, boot=not no_boot, as_json=as_json)
    )


def run_rollback(
    model: str, to: str, reason: str, *, dry_run: bool, boot: bool, as_json: bool
) -> int:
    """Go back, or show what that would change."""
    from flows.gitops import rollback, smoke_released
    from flows.gitops.writer import Written
    from flows.project import settings
    from flows.project.models import model_folder
    from flows.views import rollback as view
    from flows.views.terminal import console

    check_reason(reason)
    given = settings.load()
    model_folder(model, given.project)
    begun = rollback.unfinished(given, model, to)
    if begun:
        return _ended(given, model, begun, {}, as_json)
    plan = rollback.plan(given, model, to, reason)
    about = {
        "from": _brief(plan.bad),
        "to": _brief(plan.target),
        "diff": plan.diff,
        "dry_run": dry_run,
    }
    if not as_json:
        view.show(plan)
    smoke_released.find(given, plan.target)
    number, tag = int(plan.target["release"]), plan.target["tag"]
    if dry_run:
        sentence = f"release {number} ({tag}) would be live; nothing was written"
        return _print(Written("dry run", sentence, release=number), about, as_json)
    if boot:
        started = time.monotonic()
        console().print(f"  starting {tag} to see that it answers")
        agreed = smoke_released.start(given, plan.target)
        console().print(f"  {agreed} golden records agree ({time.monotonic() - started:.1f} s)")
    return _ended(given, model, rollback.write(given, plan), about, as_json)


def _ended(
    given: "Settings", model: str, written: "Written", about: Mapping[str, Any], as_json: bool
) -> int:
    """Print how it ended, and only then forget that it was begun: a person to whom nothing was
    printed runs it again, and that must not go back one release further.
    """
    from flows.gitops import rollback

    code = _print(written, about, as_json)
    sys.stdout.flush()
    rollback.forget(given, model)
    return code


def _brief(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("release", "tag", "digest", "image")}


def _print(written: "Written", about: Mapping[str, Any], as_json: bool) -> int:
    from flows.views import written as view

    if as_json:
        print(json.dumps({**asdict(written), **about}, indent=1))
    else:
        view.show(written, "Rolled back")
    return 0
