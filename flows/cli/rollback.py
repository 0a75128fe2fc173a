"""`sluice rollback`: the last healthy release live again."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model, Reason, check_reason

if TYPE_CHECKING:
    from flows.gitops.rollback import Plan
    from flows.gitops.writer import Written
    from flows.project.settings import Settings
    from sluice.gitops.state import Champion


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
    from flows.gitops import rollback as room
    from flows.project import settings
    from flows.project.models import model_folder
    from flows.views import rollback as view

    check_reason(reason)
    given = settings.load()
    model_folder(model, given.project)

    def show_plan(plan: "Plan") -> None:
        if not as_json:
            view.show(plan)

    def show_end(written: "Written", plan: "Plan | None") -> None:
        _print(written, _both_ends(plan, dry_run=dry_run), as_json=as_json)
        sys.stdout.flush()

    request = room.Request(model, to, reason, dry_run)
    room.roll_back(given, request, _start if boot else None, room.Report(show_plan, show_end))
    return 0


def _start(given: "Settings", release: "Champion") -> None:
    """Start the image, and say how it went."""
    from flows.gitops import smoke_released
    from flows.orchestration.real_tools import real_tools
    from flows.views.terminal import console

    began = time.monotonic()
    console().print(f"  starting {release.tag} to see that it answers")
    tools = real_tools()
    agreed = smoke_released.start(given, release, tools.images.runner, tools.check_service)
    console().print(f"  {agreed} golden records agree ({time.monotonic() - began:.1f} s)")


def _both_ends(plan: "Plan | None", *, dry_run: bool) -> dict[str, object]:
    """What is left and what is gone back to; nothing where a rollback had ended before."""
    if plan is None:
        return {}
    return {
        "from": _brief(plan.bad),
        "to": _brief(plan.target),
        "diff": plan.diff,
        "dry_run": dry_run,
    }


def _brief(release: "Champion") -> dict[str, object]:
    return {
        "release": release.release,
        "tag": release.tag,
        "digest": release.digest,
        "image": release.image,
    }


def _print(written: "Written", about: Mapping[str, object], *, as_json: bool) -> None:
    from flows.views import written as view

    if as_json:
        print(json.dumps({**asdict(written), **about}, indent=1))
    else:
        view.show(written, "Rolled back")
