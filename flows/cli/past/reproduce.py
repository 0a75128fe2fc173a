"""`sluice reproduce`: a release trained again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, NamedModel, Release

if TYPE_CHECKING:
    from flows.project.settings import Settings


def reproduce(
    release: Release,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="the file it was trained on; its hash is checked"),
    ] = None,
    model: NamedModel = "",
    as_json: AsJson = False,
) -> None:
    """Train a release again, and compare its predictions.

    It is trained from its commit and its data, and compared row by row. Exit code 3 where a
    prediction differs by more than 1e-6.

    Example: sluice reproduce latest
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_reproduce(load_for_releases(), release, data, model, as_json=as_json))


def run_reproduce(
    settings: "Settings", word: str, data: Path | None, model: str, *, as_json: bool
) -> int:
    """Train it again; 0 where every prediction agrees to 1e-6, 3 where one does not."""
    import msgspec

    from flows.audit import find_release
    from flows.audit.reproduce import reproduce
    from flows.views.past import reproduce as view
    from flows.views.progress import say, working
    from flows.views.terminal import console

    with working("Reproduce"):
        reproduced = reproduce(settings, find_release.trace(settings, word, model), data, say)
    if as_json:
        print(json.dumps(msgspec.to_builtins(reproduced), indent=1))
    else:
        view.show(console(stderr=False), reproduced)
    return 0 if reproduced.equal else 3
