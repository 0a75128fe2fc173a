"""Arguments and options that several commands have, with the same words everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from sluice.errors import UsageError

Model = Annotated[str, typer.Argument(help="a folder below models/")]
OfModel = Annotated[str, typer.Option("--model", help="a folder below models/")]
NamedModel = Annotated[str, typer.Option("--model", help="the model that `latest` and `live` mean")]
DataFile = Annotated[
    Path | None, typer.Option("--data", help="CSV or Parquet file, instead of data/<model>.toml")
]
Release = Annotated[
    str,
    typer.Argument(help="`latest`, `live`, or the beginning of a digest, a tag or a commit"),
]
ImageName = Annotated[
    str, typer.Argument(help="a digest, a tag, or at least seven characters of its beginning")
]
Reason = Annotated[str, typer.Option("--reason", help="why; it is recorded in the commit")]
AsJson = Annotated[bool, typer.Option("--json", help="print the outcome as JSON")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="do every step again")]


def check_reason(reason: str) -> None:
    """Raise UsageError for a reason that nobody can read later."""
    if not reason.strip():
        raise UsageError("--reason is empty", "Write why; it is recorded in the commit.")
    for sign in reason:
        if not (sign.isprintable() or sign.isspace()):
            raise UsageError(
                f"--reason holds {sign!r}, which nobody can read", "Write why in plain text."
            )
