"""`sluice forget`: a person out of the prediction log."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say

if TYPE_CHECKING:
    from flows.project.settings import Settings


def forget(
    row: Annotated[
        str, typer.Argument(metavar="ID", help="the id that requests carried in x-row-id")
    ],
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
) -> None:
    """Remove the lines with an id from the prediction log.

    SLUICE_LOG_SALT must be the one of the service.

    Example: sluice forget 4711 --log /var/log/sluice
    """
    from flows.project.settings import load

    raise typer.Exit(run_forget(load(), row, log))


def run_forget(settings: "Settings", row: str, log: str) -> int:
    """Remove the lines with an id, and print how many there were.

    Where no log is named, that is done in each that `sluice serve` may have kept here.
    """
    from flows.adapters.prediction_log import forget
    from flows.views.progress import working
    from flows.views.wording import count
    from sluice.served.predictions import person_hash

    named = log or os.environ.get("SLUICE_PREDICTION_LOG")
    for folder in [named] if named else _kept_here(settings):
        with working("Read the log"):
            removed = forget(folder, person_hash(os.environ.get("SLUICE_LOG_SALT", ""), row))
        lines = count(removed, "line") if removed else "no line was there"
        say(f"Forgotten in {folder}: {lines}.", sys.stdout)
    return 0


def _kept_here(settings: "Settings") -> list[str]:
    """The prediction logs of this machine; the first that there could be where there is none."""
    from flows.project.homes import both

    logs = [home / "predictions" for home in both(settings)]
    there = [str(log) for log in logs if log.is_dir()]
    return there or [str(logs[0])]
