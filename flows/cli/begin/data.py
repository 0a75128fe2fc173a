"""`sluice data`: which data a model is trained on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, OfModel

if TYPE_CHECKING:
    from flows.project.data_merge import Wanted
    from flows.project.settings import Settings

data = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@data.callback()
def _root() -> None:
    """Say which data a model is trained on, and look what is where.

    Example: sluice data status
    """


@data.command()
def add(
    what: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="a file, an address, or a .dvc file")
    ],
    model: OfModel = "",
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            help="refuse other bytes, and an address that SLUICE_DATA_FROM does not list",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let data/<model>.toml name a file of the project, one at an address, or one that DVC keeps.

    Addresses are https://, s3://, gs:// and az://. It is read, and its SHA-256 is written beside
    it. What was cut off goes on.

    Example: sluice data add employees.csv
    """
    from flows.project.settings import load

    raise typer.Exit(run_add(load(), model, what, expect, as_json=as_json))


@data.command()
def status(as_json: AsJson = False) -> None:
    """Show what the pointer of each model names, and whether it is here.

    Exit code 1 where a release would not find it.

    Example: sluice data status
    """
    from flows.project.settings import load

    raise typer.Exit(run_status(load(), as_json=as_json))


@data.command()
def merge(
    rows: Annotated[Path, typer.Argument(help="CSV or Parquet file of new labelled rows")],
    features: Annotated[
        list[Path] | None,
        typer.Option(
            "--features",
            metavar="FILE",
            help="a file of what was known of the rows, with the time of each record",
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(help="the column that rows and features share; the group or the id if unset"),
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="write this file, and leave the one of the pointer alone")
    ] = None,
    model: OfModel = "",
    as_json: AsJson = False,
) -> None:
    """Add new labelled rows to the table of a model, each as it was known on its day.

    A row takes the newest record of each file of features that was known by its day. Rows that the
    table has already change nothing, but for a corrected outcome. Exit code 3 for rows that were
    written after their day, or that the contract refuses; nothing is written then.

    Example: sluice data merge new.csv --features known.csv
    """
    from flows.project.data_merge import Wanted
    from flows.project.homes import load_for_releases

    wanted = Wanted(rows, tuple(features or ()), on, to)
    raise typer.Exit(run_merge(load_for_releases(), model, wanted, as_json=as_json))


def run_add(
    settings: "Settings", model: str, what: str, expected: str | None = None, *, as_json: bool
) -> int:
    """Write the pointer; the exit code is 0."""
    import msgspec

    from flows.project.data_pointer import add
    from flows.views.begin import data as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Read the data"):
        added = add(settings, model, what, expected)
    if as_json:
        print(json.dumps(msgspec.to_builtins(added), indent=1))
    else:
        view.added(console(stderr=False), added)
    return 0


def run_status(settings: "Settings", *, as_json: bool) -> int:
    """Print what is where; 1 where a release would not find its data."""
    import msgspec

    from flows.project.data_pointer import standing
    from flows.views.begin import data as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Look at the data"):
        found = standing(settings)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
    else:
        view.standing(console(stderr=False), found)
    return 1 if any(one.state in ("missing", "changed", "wrong") for one in found) else 0


def run_merge(settings: "Settings", model: str, wanted: "Wanted", *, as_json: bool) -> int:
    """Merge and say what came; 3 where the merged table breaks the contract."""
    import msgspec

    from flows.project.data_merge import merge
    from flows.views import findings
    from flows.views.begin import data as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Merge the rows"):
        outcome = merge(settings, model, wanted)
    if outcome.told is None:
        findings.show(outcome.report, stderr=as_json)
        if as_json:
            print(json.dumps(dict(outcome.report.counts()), indent=1))
        return 3
    if as_json:
        print(json.dumps(msgspec.to_builtins(outcome.told), indent=1))
    else:
        view.merged(console(stderr=False), outcome.told)
    return 0
