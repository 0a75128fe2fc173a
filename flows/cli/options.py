"""Arguments and options that several commands have, with the same words everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from sluice.errors import UsageError


def only_model() -> str:
    """The only model of the project, where none is named. Raises UsageError, which names them,
    where there are several.
    """
    from pydantic import ValidationError

    from flows.project.models import only
    from flows.project.settings import Settings, load

    try:
        return only(Settings().project)
    except ValidationError:  # told, with its name, by who reads all settings
        return only(load().project)


_ONLY = "the only one"
Model = Annotated[
    str,
    typer.Argument(help="a folder below models/", default_factory=only_model, show_default=_ONLY),
]
OfModel = Annotated[
    str,
    typer.Option(
        "--model", help="a folder below models/", default_factory=only_model, show_default=_ONLY
    ),
]
# For a command with commands below it, which name theirs: it asks `only_model` itself.
Unnamed = Annotated[
    str, typer.Option("--model", help="a folder below models/; the only one unless named")
]
NamedModel = Annotated[
    str,
    typer.Option(
        "--model",
        help="the model that `latest` and `live` mean",
        default_factory=only_model,
        show_default=_ONLY,
    ),
]
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
