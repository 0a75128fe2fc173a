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
    """Show the anchor, the frozen release that every candidate must be as good as; `set` moves it.

    Example: sluice anchor
    """
    if context.invoked_subcommand is None:
        raise typer.Exit(run_anchor(model, as_json))


@anchor.command("set")
def set_(
    release: Annotated[
        str, typer.Argument(help="champion, or the tag or digest of an earlier release")
    ],
    reason: Reason,
    model: OfModel = "attrition",
    as_json: AsJson = False,
) -> None:
    """Make another release the anchor; who did it and why is kept in the commit.

    Example: sluice anchor set champion --reason "the new contract asks other questions"
    """
    raise typer.Exit(run_anchor_set(model, release, reason, as_json))


def run_anchor(model: str, as_json: bool) -> int:
    """Print the anchor."""
    import msgspec

    from flows.gitops import manifest_repo
    from flows.views import anchor as view

    now = manifest_repo.live(_settings(model), model)
    found = now.anchor if now else None
    if as_json:
        print(json.dumps({"model": model, "anchor": msgspec.to_builtins(found)}, indent=1))
    else:
        view.show(model, found)
    return 0


def run_anchor_set(model: str, release: str, reason: str, as_json: bool) -> int:
    """Make another release the anchor."""
    from flows.gitops import anchor as room
    from flows.views import written as view

    check_reason(reason)
    written = room.move(_settings(model), model, release, reason)
    if as_json:
        print(json.dumps(asdict(written), indent=1))
    else:
        view.show(written, "Anchored")
    return 0


def _settings(model: str) -> "Settings":
    from flows.project import settings
    from flows.project.models import model_folder

    given = settings.load()
    model_folder(model, given.project)
    return given
