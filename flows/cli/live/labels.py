"""`sluice labels`: what became of the rows that were predicted."""

import datetime
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, OfModel

if TYPE_CHECKING:
    from flows.project.settings import Settings

labels = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@labels.callback()
def _group() -> None:
    """Add what became of the rows that were predicted.

    Example: sluice labels add outcomes.csv
    """


@labels.command()
def add(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file: id, outcome, known_at")],
    model: OfModel = "",
    as_json: AsJson = False,
) -> None:
    """Keep the labels in a file, on this machine and for this user alone.

    The id is that of the answer, the outcome one of the values of the target, and known_at the
    day or time from which it was known. A column `acted` may say yes where somebody acted upon
    the row. A file that was added before changes nothing.

    Example: sluice labels add outcomes.csv
    """
    from flows.project.homes import load_for_releases

    now = datetime.datetime.now(datetime.UTC)
    raise typer.Exit(run_add(load_for_releases(), model, file, now, as_json=as_json))


def run_add(
    settings: "Settings", model: str, file: Path, now: datetime.datetime, *, as_json: bool
) -> int:
    """Keep the labels of a file and print how many there are now; the exit code is 0."""
    from flows.adapters.plain_text import say
    from flows.monitoring.labels import add
    from flows.views.live.monitor import sentence_of_labels
    from flows.views.progress import working

    with working("Read the labels"):
        added = add(settings, model, file, now)
    if as_json:
        print(json.dumps(asdict(added), indent=1))
    else:
        say(sentence_of_labels(added), sys.stdout)
    return 0


@labels.command()
def untouched(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file of answers, with their id")],
    model: OfModel = "",
) -> None:
    """Print the ids that nobody is to act upon, drawn by lot.

    They are control_share of all ids, from [monitor] of the policy. What becomes of these rows says
    how good the model is, and beside the others what acting does.

    Example: sluice labels untouched flagged.csv
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_untouched(load_for_releases(), model, file))


def run_untouched(settings: "Settings", model: str, file: Path) -> int:
    """Print the ids of a file that are left untouched, one a line; the exit code is 0."""
    from flows.adapters.plain_text import say
    from flows.monitoring.labels import untouched

    for name in untouched(settings, model, file):
        say(name, sys.stdout)
    return 0
