"""`sluice up`: the Prefect server on this machine."""

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from flows.project.settings import Settings

_HEALTH = "/api/health"


def up(
    port: Annotated[int, typer.Option(help="port of the Prefect server on 127.0.0.1")] = 4200,
) -> None:
    """Start the Prefect server with its pages, until interrupted.

    Example: sluice up --port 4200
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_up(load_for_releases(), port))


def run_up(settings: "Settings", port: int) -> int:
    """Run the Prefect server until interrupted; releases started meanwhile show there."""
    from flows.adapters import python, server
    from flows.adapters.files import write_atomic
    from flows.orchestration import prefect_server

    running = prefect_server.server(settings.home)
    if running:
        say(f"Prefect is up already: {running}", sys.stdout)
        return 0
    prefect_server.prepare(settings.home)
    server.require_free(port)
    folder = settings.home / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    log, note = folder / "server.log", folder / "server.json"
    # The page asks this address for its data; without it, it would ask port 4200 whatever the
    # server's port is.
    api = f"http://127.0.0.1:{port}/api"
    env = {"PREFECT_SERVER_UI_API_URL": api, "PREFECT_API_URL": api, **python.importing()}
    words = [*python.module("prefect"), "server", "start", "--host", "127.0.0.1"]
    words += ["--port", str(port)]
    with server.running(words, port, log, env=env, deadline=120, path=_HEALTH) as url:
        write_atomic(note, json.dumps({"url": url, "pid": os.getpid()}).encode())
        try:
            say(f"Prefect is up: {url}   (Ctrl-C stops it)", sys.stdout)
            prefect_server.close_dead(settings.home, url)
            server.wait_while_ready(port, _HEALTH)
        finally:
            note.unlink(missing_ok=True)
    raise SluiceError("the Prefect server stopped", f"Its log is {log}.")
