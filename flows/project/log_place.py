"""Where the prediction log of a service lies."""

import os

from flows.project.settings import Settings


def place_of(settings: Settings, given: str = "") -> str:
    """Where the log of the service lies: the folder or URL that is given, that of
    SLUICE_PREDICTION_LOG, or the folder in which `sluice serve` keeps it.
    """
    return given or os.environ.get("SLUICE_PREDICTION_LOG") or str(settings.home / "predictions")
