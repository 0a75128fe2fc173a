"""`sluice rollback`: the last healthy release live again."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model, Reason

if TYPE_CHECKING:
    from flows.gitops.rollback import Plan
    from flows.gitops.writer import Written
    from flows.project.settings import Settings
    from sluice.gitops.state import Champion


def rollback(
    reason: Reason,
    model: Model = "",
    to: Annotated[str, typer.Option("--to", help="previous, a tag or a digest")] = "previous",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show the change, and write nothing")
    ] = False,
    no_boot: Annotated[
        bool, typer.Option("--no-boot", help="go back without starting the image first")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the last healthy release live again.

    The release that is live goes into quarantine. Needs the manifest repo and the registry (to
    read), and neither Prefect nor MLflow.

    Example: sluice rollback --reason "flags everybody in sales"
    """
    from flows.project.homes import load_for_releases

    wanted = Wanted(model, to, reason, dry_run=dry_run, boot=not no_boot)
    raise typer.Exit(run_rollback(load_for_releases(), wanted, as_json=as_json))


@dataclass(frozen=True)
class Wanted:
    """A rollback that is asked for: `to` is `previous`, a tag or a digest; `boot` starts its image
    first; `dry_run` writes nothing.
    """

    model: str
    to: str
    reason: str
    dry_run: bool = False
    boot: bool = True


def run_rollback(settings: "Settings", wanted: Wanted, *, as_json: bool) -> int:
    """Go back, or show what that would change; the exit code is 0."""
    from flows.gitops import rollback as room
    from flows.project.models import model_folder
    from flows.project.reason import check_reason
    from flows.views.releases import rollback as view

    check_reason(wanted.reason)
    model_folder(wanted.model, settings.project)

    def show_plan(plan: "Plan") -> None:
        if not as_json:
            view.show(plan)

    def show_end(written: "Written", plan: "Plan | None") -> None:
        _print(written, _about(plan, dry_run=wanted.dry_run), as_json=as_json)
        sys.stdout.flush()

    request = room.Request(wanted.model, wanted.to, wanted.reason, wanted.dry_run)
    starter = _boot if wanted.boot else None
    room.roll_back(settings, request, starter, room.Report(show_plan, show_end))
    return 0


def _about(plan: "Plan | None", *, dry_run: bool) -> dict[str, object]:
    """What `--json` says of a rollback besides how it ended; nothing where it ended before."""
    if plan is None:
        return {}
    return {
        "from": _brief(plan.bad),
        "to": _brief(plan.target) | {"proof": plan.proof},
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


def _boot(settings: "Settings", release: "Champion") -> None:
    """Start the image that becomes live, and compare its answers with the golden records."""
    from flows.adapters.image import image_tools
    from flows.gitops import smoke_released
    from flows.steps.smoke import check_service
    from flows.views.progress import say, working

    started = time.monotonic()
    say(f"starting release {release.release} to see that it answers")
    with working("Start the image"):
        agreed = smoke_released.start(settings, release, image_tools.runner, check_service)
    say(f"{agreed} golden records agree ({time.monotonic() - started:.1f} s)")


def _print(written: "Written", about: Mapping[str, object], *, as_json: bool) -> None:
    from flows.views.releases import written as view

    if as_json:
        print(json.dumps({**asdict(written), **about}, indent=1))
    else:
        view.show(written, "Rolled back")
