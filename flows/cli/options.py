"""Arguments and options that several commands have, with the same words everywhere."""

from pathlib import Path
from typing import Annotated

import typer


def _named(context: typer.Context, param: typer.CallbackParam, given: str) -> str:
    """The model that is given, or else the only one there is.

    What stands as the default of a parameter says nothing: no model is meant where none is named.
    """
    source = context.get_parameter_source(param.name or "")
    if context.resilient_parsing or (source is not None and source.name != "DEFAULT"):
        return given
    return only_model()


def only_model() -> str:
    """The model that SLUICE_MODEL names, or the only one there is. Raises UsageError, which names
    them, where there are several.
    """
    from flows.project import models
    from flows.project.settings import quiet

    settings = quiet()
    return models.only_model(settings.project, settings.model)


_FOLDER = "a folder below models/; the only one unless given"
Model = Annotated[str, typer.Argument(help=_FOLDER, callback=_named, show_default=False)]
OfModel = Annotated[str, typer.Option("--model", help=_FOLDER, callback=_named, show_default=False)]
# For a command that may need no model: it asks `only_model` where it does.
Unnamed = Annotated[str, typer.Option("--model", help=_FOLDER)]
NamedModel = Annotated[
    str,
    typer.Option(
        "--model",
        help="the model that `latest` and `live` mean; the only one unless given",
        show_default=False,
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
EvidenceHash = Annotated[
    str,
    typer.Option(
        "--evidence", help="the hash of the evidence that was read, or seven characters of it"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print the outcome as JSON")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="do every step again")]
