"""Arguments and options that several commands have, with the same words everywhere."""

import sys
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
    """The model that SLUICE_MODEL names, or the only one there is, or of several the one that a
    person at a terminal chooses. Raises UsageError, which names them, where nobody is there.
    """
    from flows.project import models
    from flows.project.settings import quiet

    settings = quiet()
    known = models.models(settings.project)
    if settings.model or len(known) < 2 or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return models.only_model(settings.project, settings.model)
    return _asked(known)


def _asked(known: list[str]) -> str:
    """The name that a person types, or the model of its number; asked again until it is one.

    The question does not go to standard output, which a program may read.
    """
    numbered = {str(place): model for place, model in enumerate(known, 1)}
    shown = ", ".join(f"{place} {model}" for place, model in numbered.items())
    while True:
        answer = str(typer.prompt(f"Which model? {shown}", err=True)).strip()
        if answer in known:
            return answer
        if answer in numbered:
            return numbered[answer]


_FOLDER = "a folder below models/; unless given, the only one, or asked for"
Model = Annotated[str, typer.Argument(help=_FOLDER, callback=_named, show_default=False)]
OfModel = Annotated[str, typer.Option("--model", help=_FOLDER, callback=_named, show_default=False)]
Each = Annotated[
    str,
    typer.Option(
        "--each",
        metavar="COLUMN",
        help="a model for each value of this column, and one image that serves them all",
    ),
]
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
