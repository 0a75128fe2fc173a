"""Servers on this machine: Prefect with its pages, and a model's Bento. Both bind to 127.0.0.1."""

import json
import os
import sys
import time
from pathlib import Path

from flows.adapters import server
from flows.adapters.image import bento
from flows.engine.store import write_atomic
from flows.orchestration import prefect_server
from flows.project import settings
from sluice.errors import SluiceError, UsageError

_HEALTH = "/api/health"


def up(port: int) -> int:
    """Run the Prefect server until interrupted; releases started meanwhile show there."""
    given = settings.load()
    running = prefect_server.server(given.home)
    if running:
        print(f"Prefect is up already: {running}")
        return 0
    prefect_server.prepare(given.home)
    _require_free(port)
    log, note = (given.home / "prefect" / name for name in ("server.log", "server.json"))
    log.parent.mkdir(parents=True, exist_ok=True)
    # The page asks this address for its data; without it, it would ask port 4200 whatever the
    # server's port is.
    api = f"http://127.0.0.1:{port}/api"
    env = {"PREFECT_SERVER_UI_API_URL": api, "PREFECT_API_URL": api}
    words = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with server.running(words, port, log, env=env, deadline=120, path=_HEALTH) as url:
        write_atomic(note, json.dumps({"url": url, "pid": os.getpid()}).encode())
        try:
            print(f"Prefect is up: {url}   (Ctrl-C stops it)", flush=True)
            prefect_server.close_dead(given.home, url)
            _wait(port, _HEALTH)
        finally:
            note.unlink(missing_ok=True)
    raise SluiceError("the Prefect server stopped", f"Its log is {log}.")


def serve(model: str, port: int) -> int:
    """Serve the newest Bento of a model until interrupted."""
    given = settings.load()
    folder = newest(given.home, model)
    _require_free(port)
    log = os.environ.get("SLUICE_PREDICTION_LOG") or str(given.home / "predictions")
    with bento.serve(
        folder, given.home / "bentoml", port=port, env={"SLUICE_PREDICTION_LOG": log}
    ) as url:
        print(f"Serving {model}:{folder.name} on {url}   (Ctrl-C stops it)", flush=True)
        _wait(port, "/readyz")
    raise SluiceError(
        "the service stopped", "Run it again; `bentoml serve` on the Bento shows its log."
    )


def _wait(port: int, path: str) -> None:
    """Until the server stops answering twice in a row, or the user interrupts."""
    while server.ready(port, path) or server.ready(port, path):
        time.sleep(2)


def _require_free(port: int) -> None:
    if server.taken(port):
        raise UsageError(
            f"port {port} is taken by another program", "Name another one with --port."
        )


def newest(home: Path, model: str) -> Path:
    """The folder of the newest Bento of a model; raises UsageError where there is none."""
    latest = home / "bentoml" / "bentos" / model / "latest"
    if not latest.is_file():
        raise UsageError(
            f"there is no Bento of {model!r} on this machine yet", f"Run: sluice release {model}"
        )
    return latest.parent / latest.read_text(encoding="utf-8").strip()
