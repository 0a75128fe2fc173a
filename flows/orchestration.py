"""Prefect as it is used here: quiet, without telemetry, its database under the state folder, no server needed."""

import json
import os
from pathlib import Path
from urllib.request import urlopen


def prepare(home: Path) -> None:
    """Set what Prefect reads when it is imported; call it before. What the user has set stays."""
    defaults = {
        "DO_NOT_TRACK": "true",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Its newer pages ask a foreign server for settings in the reader's browser, even with analytics off.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "prefect" / "results"),
    }
    url = server(home)
    if url:
        defaults["PREFECT_API_URL"] = f"{url}/api"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def server(home: Path) -> str:
    """The address of the server that `sluice up` runs; empty where none answers."""
    try:
        url = str(json.loads((home / "prefect" / "server.json").read_text(encoding="utf-8"))["url"])
        with urlopen(f"{url}/api/health", timeout=1) as answer:
            return url if answer.status == 200 else ""
    except (OSError, ValueError, KeyError):
        return ""
