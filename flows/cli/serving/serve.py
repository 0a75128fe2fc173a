"""`sluice serve`: the newest Bento of a model on this machine."""

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import Model
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from flows.project.settings import Settings


def serve(
    model: Model = "",
    port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 3000,
) -> None:
    """Serve the newest model on this machine, until interrupted.

    Example: sluice serve MODEL --port 3000
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_serve(load_for_releases(), model, port))


def run_serve(settings: "Settings", model: str, port: int) -> int:
    """Serve the newest Bento of a model until interrupted."""
    from flows.adapters import server
    from flows.adapters.image import bento
    from flows.views.progress import working

    folder = bento.newest(settings.home / "bentoml", model)
    server.require_free(port)
    log = os.environ.get("SLUICE_PREDICTION_LOG") or str(settings.home / "predictions")
    env = {"SLUICE_PREDICTION_LOG": log}
    with ExitStack() as until_the_end:
        with working("Start the service"):
            service = bento.serve(folder, settings.home / "bentoml", port=port, env=env)
            url = until_the_end.enter_context(service)
        say(f"Serving {model}:{folder.name} on {url}   (Ctrl-C stops it)", sys.stdout)
        server.wait_while_ready(port, "/readyz")
    raise SluiceError(
        "the service stopped", "Run it again; `bentoml serve` on the Bento shows its log."
    )
