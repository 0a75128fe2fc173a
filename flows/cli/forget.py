"""Take a person out of the prediction log."""

import os

from flows.adapters.prediction_log import forget
from flows.project import settings
from sluice.served.predictions import person_hash


def run_forget(person: str, log: str) -> int:
    """Remove the lines about a person who is given by id, and say how many there were."""
    place = (
        log or os.environ.get("SLUICE_PREDICTION_LOG") or str(settings.load().home / "predictions")
    )
    count = forget(place, person_hash(os.environ.get("SLUICE_LOG_SALT", ""), person))
    lines = f"{count} line{'s' * (count != 1)}" if count else "no line was there"
    print(f"Forgotten in {place}: {lines}.")
    return 0
