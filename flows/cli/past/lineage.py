"""`sluice lineage`: what a release rests on, and what data led to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, NamedModel, Release
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.project.settings import Settings


def lineage(
    release: Release = "",
    data: Annotated[
        str, typer.Option("--data", help="a file or its hash: what was trained or judged on it")
    ] = "",
    model: NamedModel = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="write evidence and model into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a release rests on, or what some data led to.

    It is read from the manifest repo and the registry alone. Exit code 3 where commit, image and
    evidence disagree.

    Example: sluice lineage latest
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_lineage(load_for_releases(), release, data, model, out, as_json=as_json))


def run_lineage(
    settings: "Settings", word: str, data: str, model: str, out: Path | None, *, as_json: bool
) -> int:
    """Print what a release rests on, or what a data set led to; the exit code."""
    if data:
        return _touched(settings, data, as_json=as_json)
    if not word:
        raise UsageError(
            "no release and no data are named",
            "Write `sluice lineage latest`, or `sluice lineage --data FILE`.",
        )
    return _lineage(settings, word, model, out, as_json=as_json)


def _touched(settings: "Settings", data: str, *, as_json: bool) -> int:
    import msgspec

    from flows.audit.lineage import touched
    from flows.views.past import lineage as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Look for the data"):
        resting = touched(settings, data)
    if as_json:
        print(json.dumps(msgspec.to_builtins(resting), indent=1))
    else:
        view.touched(console(stderr=False), resting)
    return 0


def _lineage(
    settings: "Settings", word: str, model: str, out: Path | None, *, as_json: bool
) -> int:
    """3 where commit, image and evidence disagree, 1 where the registry lacks something."""
    import msgspec

    from flows.audit import find_release
    from flows.audit.lineage import lineage, write
    from flows.views.past import lineage as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Look up the release"):
        traced = find_release.trace(settings, word, model)
        gathered = lineage(traced)
    if out:
        write(traced, out)
        gathered = msgspec.structs.replace(gathered, written=str(out))
    if as_json:
        print(json.dumps(msgspec.to_builtins(gathered), indent=1))
    else:
        view.lineage(console(stderr=False), gathered)
    if gathered.contradictions:
        return 3
    return 1 if gathered.missing else 0
