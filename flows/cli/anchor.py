"""`sluice anchor`: the frozen reference of a model."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, OfModel, Reason, check_reason

if TYPE_CHECKING:
    from flows.project.settings import Settings

anchor = typer.Typer(rich_markup_mode=None)


@anchor.callback(invoke_without_command=True)
def shown(context: typer.Context, model: OfModel = "attrition", as_json: AsJson = False) -> None:
    """Show the release that candidates must be as good as.

    Example: sluice anchor
    """
    if context.invoked_subcommand is None:
        from flows.project.settings import load

        raise typer.Exit(run_anchor(load(), model, as_json=as_json))


@anchor.command("set")
def set_(
    release: Annotated[
        str, typer.Argument(help="champion, or the tag or digest of an earlier release")
    ],
    reason: Reason,
    model: OfModel = "attrition",
    as_json: AsJson = False,
) -> None:
    """Make another release the anchor.

    Who did it and why is recorded in the commit.

    Example: sluice anchor set champion --reason "the new contract asks other questions"
    """
    from flows.project.settings import load

    raise typer.Exit(run_anchor_set(load(), model, release, reason, as_json=as_json))


def run_anchor(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print the anchor; the exit code is 0."""
    import msgspec

    from flows.gitops import manifest_repo
    from flows.project.models import model_folder
    from flows.views import anchor as view

    model_folder(model, settings.project)
    live = manifest_repo.live(settings, model)
    record = live.anchor if live else None
    if as_json:
        print(json.dumps({"model": model, "anchor": msgspec.to_builtins(record)}, indent=1))
    else:
        view.show(model, record)
    return 0


def run_anchor_set(
    settings: "Settings", model: str, release: str, reason: str, *, as_json: bool
) -> int:
    """Make another release the anchor; the exit code is 0."""
    from flows.gitops import anchor as room
    from flows.project.models import model_folder
    from flows.views import written as view

    check_reason(reason)
    model_folder(model, settings.project)
    written = room.move(settings, model, release, reason)
    if as_json:
        print(json.dumps(asdict(written), indent=1))
    else:
        view.show(written, "Anchored")
    return 0
