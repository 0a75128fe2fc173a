"""`sluice quarantine`: the images that no release writes."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.options import (
    AsJson,
    ImageName,
    OfModel,
    Reason,
    Unnamed,
    only_model,
)
from flows.project.reason import check_reason

if TYPE_CHECKING:
    from flows.gitops.writer import Written
    from flows.project.settings import Settings

quarantine = typer.Typer(rich_markup_mode=None)


@quarantine.callback(invoke_without_command=True)
def listed(context: typer.Context, model: Unnamed = "", as_json: AsJson = False) -> None:
    """List the images that no release may write, and why.

    Example: sluice quarantine
    """
    if context.invoked_subcommand is None:
        from flows.project.homes import load_for_releases

        raise typer.Exit(
            run_quarantine(load_for_releases(), model or only_model(), as_json=as_json)
        )


@quarantine.command()
def add(digest: ImageName, reason: Reason, model: OfModel = "", as_json: AsJson = False) -> None:
    """Let no release write this image until it is lifted.

    Example: sluice quarantine add 5f70bf18a086 --reason "broken export"
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_add(load_for_releases(), model, digest, reason, as_json=as_json))


@quarantine.command()
def lift(digest: ImageName, reason: Reason, model: OfModel = "", as_json: AsJson = False) -> None:
    """Let releases write this image again.

    That it was in quarantine, and why, stays on record.

    Example: sluice quarantine lift 5f70bf18a086 --reason "export was right"
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_lift(load_for_releases(), model, digest, reason, as_json=as_json))


def run_quarantine(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print the quarantine; the exit code is 0."""
    import msgspec

    from flows.gitops import quarantine as room
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import quarantine as view

    model_folder(model, settings.project)
    with working("Read the manifest repo"):
        entries = room.listed(settings, model)
    if as_json:
        print(json.dumps(msgspec.to_builtins(entries), indent=1))
    else:
        view.show(entries)
    return 0


def run_add(settings: "Settings", model: str, digest: str, reason: str, *, as_json: bool) -> int:
    """Put an image into quarantine; the exit code is 0."""
    from flows.gitops import quarantine as room
    from flows.project.models import model_folder
    from flows.views.progress import working

    check_reason(reason)
    model_folder(model, settings.project)
    with working("Write to the manifest repo"):
        written = room.add(settings, model, digest, reason)
    return _print(written, "In quarantine", as_json=as_json)


def run_lift(settings: "Settings", model: str, digest: str, reason: str, *, as_json: bool) -> int:
    """Lift the quarantine of an image; the exit code is 0."""
    from flows.gitops import quarantine as room
    from flows.project.models import model_folder
    from flows.views.progress import working

    check_reason(reason)
    model_folder(model, settings.project)
    with working("Write to the manifest repo"):
        written = room.lift(settings, model, digest, reason)
    return _print(written, "Lifted", as_json=as_json)


def _print(written: "Written", committed: str, *, as_json: bool) -> int:
    from flows.views.releases import written as view

    if as_json:
        print(json.dumps(asdict(written), indent=1))
    else:
        view.show(written, committed)
    return 0
