"""`sluice lineage`: what a release rests on, and what data led to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, NamedModel
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.project.settings import Settings


def lineage(
    release: Annotated[
        str, typer.Argument(help="digest, tag or commit (or their beginning), `latest` or `live`")
    ] = "",
    data: Annotated[
        str, typer.Option("--data", help="hash or file: what was trained and judged on it")
    ] = "",
    model: NamedModel = "attrition",
    out: Annotated[
        Path | None, typer.Option("--out", help="write evidence and model into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a release rests on, from the manifest repo and the registry alone; or what some data
    led to.

    Example: sluice lineage latest
    """
    raise typer.Exit(run_lineage(release, data, model, out, as_json))


def run_lineage(word: str, data: str, model: str, out: Path | None, as_json: bool) -> int:
    """Print what a release rests on, or what a data set led to; the exit code."""
    from flows.project import settings

    given = settings.load()
    if data:
        return _touched(given, data, as_json)
    if not word:
        raise UsageError(
            "no release and no data are named",
            "Write `sluice lineage latest`, or `sluice lineage --data FILE`.",
        )
    return _lineage(given, word, model, out, as_json)


def _touched(given: "Settings", data: str, as_json: bool) -> int:
    import msgspec

    from flows.audit.lineage import touched
    from flows.views import lineage as view
    from flows.views.terminal import console

    resting = touched(given, data)
    if as_json:
        print(json.dumps(msgspec.to_builtins(resting), indent=1))
    else:
        view.touched(console(stderr=False), resting)
    return 0


def _lineage(given: "Settings", word: str, model: str, out: Path | None, as_json: bool) -> int:
    """3 where commit, image and evidence disagree, 1 where the registry lacks something."""
    import msgspec

    from flows.audit import find_release
    from flows.audit.lineage import lineage, write
    from flows.views import lineage as view
    from flows.views.terminal import console

    traced = find_release.trace(given, word, model)
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
