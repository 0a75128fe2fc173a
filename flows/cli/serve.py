"""`sluice serve`: the newest Bento of a model on this machine."""

import os
from typing import Annotated

import typer

from flows.cli.options import Model
from sluice.errors import SluiceError


def serve(
    model: Model = "attrition",
    port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 3000,
) -> None:
    """Serve the newest Bento of a model on this machine, until interrupted.

    Example: sluice serve attrition --port 3000
    """
    raise typer.Exit(run_serve(model, port))


def run_serve(model: str, port: int) -> int:
    """Serve the newest Bento of a model until interrupted."""
    from flows.adapters import server
    from flows.adapters.image import bento
    from flows.project import settings

    given = settings.load()
    folder = bento.newest(given.home / "bentoml", model)
    server.require_free(port)
    log = os.environ.get("SLUICE_PREDICTION_LOG") or str(given.home / "predictions")
    env = {"SLUICE_PREDICTION_LOG": log}
    with bento.serve(folder, given.home / "bentoml", port=port, env=env) as url:
        print(f"Serving {model}:{folder.name} on {url}   (Ctrl-C stops it)", flush=True)
        server.wait_while_ready(port, "/readyz")
    raise SluiceError(
        "the service stopped", "Run it again; `bentoml serve` on the Bento shows its log."
    )
