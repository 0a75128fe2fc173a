"""`sluice reproduce`: a release trained again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, NamedModel, Release


def reproduce(
    release: Release,
    data: Annotated[
        Path | None, typer.Option("--data", help="the file it was trained on, checked by hash")
    ] = None,
    model: NamedModel = "attrition",
    as_json: AsJson = False,
) -> None:
    """Train a release again from its commit and compare predictions row by row; exit code 3 where
    they differ.

    Example: sluice reproduce latest
    """
    raise typer.Exit(run_reproduce(release, data, model, as_json))


def run_reproduce(word: str, data: Path | None, model: str, as_json: bool) -> int:
    """Train it again; 0 where every prediction agrees to 1e-6, 3 where one does not."""
    import msgspec

    from flows.audit import find_release
    from flows.audit.reproduce import reproduce
    from flows.project import settings
    from flows.views import reproduce as view
    from flows.views.progress import say
    from flows.views.terminal import console

    given = settings.load()
    reproduced = reproduce(given, find_release.trace(given, word, model), data, say)
    if as_json:
        print(json.dumps(msgspec.to_builtins(reproduced), indent=1))
    else:
        view.show(console(stderr=False), reproduced)
    return 0 if reproduced.equal else 3
