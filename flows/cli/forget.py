"""`sluice forget`: a person out of the prediction log."""

import os
from typing import Annotated

import typer


def forget(
    person: Annotated[str, typer.Argument(help="the id that requests carried in x-person-id")],
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
) -> None:
    """Take every line about a person out of the prediction log. SLUICE_LOG_SALT must be the one of
    the service.

    Example: sluice forget 4711 --log /var/log/sluice
    """
    raise typer.Exit(run_forget(person, log))


def run_forget(person: str, log: str) -> int:
    """Remove the lines about a person who is given by id, and say how many there were."""
    from flows.adapters.prediction_log import forget
    from flows.project import settings
    from sluice.served.predictions import person_hash

    place = (
        log or os.environ.get("SLUICE_PREDICTION_LOG") or str(settings.load().home / "predictions")
    )
    count = forget(place, person_hash(os.environ.get("SLUICE_LOG_SALT", ""), person))
    lines = f"{count} line{'s' * (count != 1)}" if count else "no line was there"
    print(f"Forgotten in {place}: {lines}.")
    return 0
