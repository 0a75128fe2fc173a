"""`sluice anchor`: the frozen reference of a model."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, OfModel, Unnamed, only_model

if TYPE_CHECKING:
    from flows.project.settings import Settings

anchor = typer.Typer(rich_markup_mode=None)


@anchor.callback(invoke_without_command=True)
def shown(context: typer.Context, model: Unnamed = "", as_json: AsJson = False) -> None:
    """Show the release that candidates must be as good as.

    Example: sluice anchor
    """
    if context.invoked_subcommand is None:
        from flows.project.homes import load_for_releases

        raise typer.Exit(run_anchor(load_for_releases(), model or only_model(), as_json=as_json))


@anchor.command("set")
def set_(
    release: Annotated[
        str, typer.Argument(help="champion, or the tag or digest of an earlier release")
    ],
    model: OfModel = "",
    as_json: AsJson = False,
) -> None:
    """Make another release the anchor.

    It shows how far that falls behind the anchor before. It needs overrides/MODEL/anchor.toml in a
    commit that somebody signed whom the protected branch allows.

    Example: sluice anchor set champion
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_anchor_set(load_for_releases(), model, release, as_json=as_json))


@anchor.command()
def approve(
    release: Annotated[
        str, typer.Argument(help="champion, or the tag or digest of an earlier release")
    ],
    model: OfModel = "",
    as_json: AsJson = False,
) -> None:
    """Approve a move of the anchor that somebody else has signed.

    Where the policy asks for several people before production, as many have to: who signed
    overrides/MODEL/anchor.toml is one of them. It shows how far the release falls, and signs that.

    Example: sluice anchor approve champion
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_anchor_approve(load_for_releases(), model, release, as_json=as_json))


def run_anchor(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print the anchor; the exit code is 0."""
    import msgspec

    from flows.gitops import manifest_repo
    from flows.project.models import model_folder
    from flows.views.gating import anchor as view
    from flows.views.progress import working

    model_folder(model, settings.project)
    with working("Read the manifest repo"):
        live = manifest_repo.live(settings, model)
    manifest_repo.require_anchor(settings, model, live)
    record = live.anchor if live else None
    if as_json:
        print(json.dumps({"model": model, "anchor": msgspec.to_builtins(record)}, indent=1))
    else:
        view.show(model, record)
    return 0


def run_anchor_set(settings: "Settings", model: str, release: str, *, as_json: bool) -> int:
    """Make another release the anchor; the exit code is 0."""
    from flows.decision import anchor_move
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.gating import anchor as view
    from flows.views.progress import working
    from flows.views.releases import written as ending

    model_folder(model, settings.project)
    with working("Compare the releases"):
        move = anchor_move.prepare(settings, model, release)
    written = anchor_move.carry_out(settings, move, today(), view.say)
    if as_json:
        print(json.dumps({**asdict(written), "falls": list(move.shown)}, indent=1))
    else:
        ending.show(written, "Anchored")
    return 0


def run_anchor_approve(settings: "Settings", model: str, release: str, *, as_json: bool) -> int:
    """Approve that another release becomes the anchor; the exit code is 0."""
    from flows.decision import anchor_move, approved
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.gating import anchor as view
    from flows.views.progress import working

    model_folder(model, settings.project)
    with working("Compare the releases"):
        move = anchor_move.prepare(settings, model, release)
    who = approved.author(settings)
    count = anchor_move.approve(settings, move, who, today(), view.say)
    if as_json:
        names = [voice.signer for voice in count.approved]
        told = {"required": count.required, "enough": count.enough, "approved": names}
        print(json.dumps({**told, "falls": list(move.shown)}, indent=1))
    else:
        view.show_count(move.pair.release.tag, count)
    return 0
