"""`sluice forget`: a person out of the prediction log."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say

if TYPE_CHECKING:
    from flows.project.settings import Settings


def forget(
    person: Annotated[str, typer.Argument(help="the id that requests carried in x-person-id")],
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
) -> None:
    """Remove a person from the prediction log.

    SLUICE_LOG_SALT must be the one of the service.

    Example: sluice forget 4711 --log /var/log/sluice
    """
    from flows.project.settings import load

    raise typer.Exit(run_forget(load(), person, log))


def run_forget(settings: "Settings", person: str, log: str) -> int:
    """Remove the lines about a person who is given by id, and print how many there were."""
    from flows.adapters.prediction_log import forget
    from flows.views.wording import count
    from sluice.served.predictions import person_hash

    folder = log or os.environ.get("SLUICE_PREDICTION_LOG") or str(settings.home / "predictions")
    removed = forget(folder, person_hash(os.environ.get("SLUICE_LOG_SALT", ""), person))
    lines = count(removed, "line") if removed else "no line was there"
    say(f"Forgotten in {folder}: {lines}.", sys.stdout)
    return 0
