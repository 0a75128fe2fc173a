"""`sluice quarantine`: the images that no release writes."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, ImageName, OfModel, Reason, check_reason

if TYPE_CHECKING:
    from flows.gitops.writer import Written
    from flows.project.settings import Settings

quarantine = typer.Typer(rich_markup_mode=None)


@quarantine.callback(invoke_without_command=True)
def listed(context: typer.Context, model: OfModel = "attrition", as_json: AsJson = False) -> None:
    """List what no release writes, since when and why; `add` puts something there, `lift` ends it.

    Example: sluice quarantine
    """
    if context.invoked_subcommand is None:
        raise typer.Exit(run_quarantine(model, as_json))


@quarantine.command()
def add(
    digest: ImageName, reason: Reason, model: OfModel = "attrition", as_json: AsJson = False
) -> None:
    """Let no release write this image until the quarantine is lifted.

    Example: sluice quarantine add sha256:5f70bf18a086 --reason "trained on the broken export"
    """
    raise typer.Exit(run_add(model, digest, reason, as_json))


@quarantine.command()
def lift(
    digest: ImageName, reason: Reason, model: OfModel = "attrition", as_json: AsJson = False
) -> None:
    """Let releases write this image again; that it was in quarantine, and why, stays on record.

    Example: sluice quarantine lift sha256:5f70bf18a086 --reason "the export was right after all"
    """
    raise typer.Exit(run_lift(model, digest, reason, as_json))


def run_quarantine(model: str, as_json: bool) -> int:
    """Print the quarantine."""
    import msgspec

    from flows.gitops import quarantine as room
    from flows.views import quarantine as view

    found = room.listed(_settings(model), model)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
    else:
        view.show(found)
    return 0


def run_add(model: str, digest: str, reason: str, as_json: bool) -> int:
    """Put an image into quarantine."""
    from flows.gitops import quarantine as room

    check_reason(reason)
    return _print(room.add(_settings(model), model, digest, reason), "In quarantine", as_json)


def run_lift(model: str, digest: str, reason: str, as_json: bool) -> int:
    """Lift the quarantine of an image."""
    from flows.gitops import quarantine as room

    check_reason(reason)
    return _print(room.lift(_settings(model), model, digest, reason), "Lifted", as_json)


def _settings(model: str) -> "Settings":
    from flows.project import settings
    from flows.project.models import model_folder

    given = settings.load()
    model_folder(model, given.project)
    return given


def _print(written: "Written", committed: str, as_json: bool) -> int:
    from flows.views import written as view

    if as_json:
        print(json.dumps(asdict(written), indent=1))
    else:
        view.show(written, committed)
    return 0
