"""`sluice lineage`: what a release rests on, and what data led to."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, NamedModel
from sluice.errors import UsageError


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
    """Print where a release comes from, or what a data set led to; 3 where what speaks about it
    disagrees.
    """
    from flows.audit import find_release
    from flows.audit import lineage as audit
    from flows.project import settings
    from flows.views import lineage as view
    from flows.views.terminal import console

    given = settings.load()
    if data:
        touched = audit.touched(given, data)
        if as_json:
            print(json.dumps(touched, indent=1))
        else:
            view.touched(console(stderr=False), touched)
        return 0
    if not word:
        raise UsageError(
            "nothing to look for", "sluice lineage latest, or sluice lineage --data FILE"
        )
    traced = find_release.trace(given, word, model)
    told = audit.document(traced)
    if out:
        audit.write(traced, out)
        told["written"] = str(out)
    if as_json:
        print(json.dumps(told, indent=1))
    else:
        view.lineage(console(stderr=False), told)
    if told["contradictions"]:
        return 3
    return 1 if told["missing"] else 0
