"""`sluice data`: which data a model is trained on."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, OfModel

if TYPE_CHECKING:
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
    as_json: AsJson = False,
) -> None:
    """Let data/<model>.toml name a file of the project, one at an address, or one that DVC keeps.

    Addresses are https://, s3://, gs:// and az://. It is read, and its SHA-256 is written beside
    it. What was cut off goes on.

    Example: sluice data add employees.csv
    """
    from flows.project.settings import load

    raise typer.Exit(run_add(load(), model, what, as_json=as_json))


@data.command()
def status(as_json: AsJson = False) -> None:
    """Show what the pointer of each model names, and whether it is here.

    Exit code 1 where a release would not find it.

    Example: sluice data status
    """
    from flows.project.settings import load

    raise typer.Exit(run_status(load(), as_json=as_json))


def run_add(settings: "Settings", model: str, what: str, *, as_json: bool) -> int:
    """Write the pointer; the exit code is 0."""
    import msgspec

    from flows.project.data_pointer import add
    from flows.views import data as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Read the data"):
        added = add(settings, model, what)
    if as_json:
        print(json.dumps(msgspec.to_builtins(added), indent=1))
    else:
        view.added(console(stderr=False), added)
    return 0


def run_status(settings: "Settings", *, as_json: bool) -> int:
    """Print what is where; 1 where a release would not find its data."""
    import msgspec

    from flows.project.data_pointer import standing
    from flows.views import data as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Look at the data"):
        found = standing(settings)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
    else:
        view.standing(console(stderr=False), found)
    return 1 if any(one.state in ("missing", "changed", "wrong") for one in found) else 0
