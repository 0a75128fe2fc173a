"""The commands for what is live: going back, the quarantine, the images in the registry."""

from typing import Annotated

import typer

operations = typer.Typer(rich_markup_mode=None)
quarantine = typer.Typer(rich_markup_mode=None)
operations.add_typer(quarantine, name="quarantine")
anchor = typer.Typer(rich_markup_mode=None)
operations.add_typer(anchor, name="anchor")

Model = Annotated[str, typer.Argument(help="a folder under models/")]
OfModel = Annotated[str, typer.Option("--model", help="a folder under models/")]
Named = Annotated[
    str, typer.Argument(help="a digest, a tag, or at least seven characters of its beginning")
]
Reason = Annotated[str, typer.Option("--reason", help="why, for who looks later")]
AsJson = Annotated[bool, typer.Option("--json", help="print the outcome as JSON")]


@operations.command()
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
    from flows.cli.rollback import run_rollback

    raise typer.Exit(
        run_rollback(model, to, reason, dry_run=dry_run, boot=not no_boot, as_json=as_json)
    )


@operations.command()
def images(model: Model = "attrition", as_json: AsJson = False) -> None:
    """List the images in the registry: what is live, what can be gone back to, what may be deleted.

    Example: sluice images attrition
    """
    from flows.cli.rollback import run_images

    raise typer.Exit(run_images(model, as_json))


@quarantine.callback(invoke_without_command=True)
def listed(context: typer.Context, model: OfModel = "attrition", as_json: AsJson = False) -> None:
    """List what no release writes, since when and why; `add` puts something there, `lift` ends it.

    Example: sluice quarantine
    """
    from flows.cli.rollback import run_quarantine

    if context.invoked_subcommand is None:
        raise typer.Exit(run_quarantine(model, as_json))


@quarantine.command()
def add(
    digest: Named, reason: Reason, model: OfModel = "attrition", as_json: AsJson = False
) -> None:
    """Let no release write this image until the quarantine is lifted.

    Example: sluice quarantine add sha256:5f70bf18a086 --reason "trained on the broken export"
    """
    from flows.cli.rollback import run_quarantine_change

    raise typer.Exit(run_quarantine_change("add", model, digest, reason, as_json))


@quarantine.command()
def lift(
    digest: Named, reason: Reason, model: OfModel = "attrition", as_json: AsJson = False
) -> None:
    """Let releases write this image again; that it was in quarantine, and why, stays on record.

    Example: sluice quarantine lift sha256:5f70bf18a086 --reason "the export was right after all"
    """
    from flows.cli.rollback import run_quarantine_change

    raise typer.Exit(run_quarantine_change("lift", model, digest, reason, as_json))


@anchor.callback(invoke_without_command=True)
def shown(context: typer.Context, model: OfModel = "attrition", as_json: AsJson = False) -> None:
    """Show the anchor, the frozen release that every candidate must be as good as; `set` moves it.

    Example: sluice anchor
    """
    from flows.cli.rollback import run_anchor

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
    from flows.cli.rollback import run_anchor_set

    raise typer.Exit(run_anchor_set(model, release, reason, as_json))
