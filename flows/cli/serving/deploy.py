"""`sluice deploy`: what a Prefect server can run of this project."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson

if TYPE_CHECKING:
    from flows.orchestration.deployed import Registered
    from flows.project.settings import Settings


def deploy(
    worker: Annotated[
        bool, typer.Option("--worker", help="and run what is begun there, until interrupted")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a Prefect server release, watch and roll back every model.

    Makes its deployments, with the schedules of the policies, and its automations: at the server of
    PREFECT_API_URL, or at that of `sluice up`, which does the same when it starts.

    Example: sluice deploy
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_deploy(load_for_releases(), worker=worker, as_json=as_json))


def run_deploy(settings: "Settings", *, worker: bool, as_json: bool) -> int:
    """Register everything and say where it is run; the exit code is 0."""
    import msgspec

    from flows.orchestration import deployed
    from flows.views.progress import working
    from flows.views.serving import deployed as view

    with working("Ask the server"):
        registered = deployed.register(settings)
    if as_json:
        print(json.dumps(msgspec.to_builtins(registered), indent=1), flush=True)
    else:
        view.show(registered.runs, registered.paused, registered.told, registered.page)
    if worker:
        _work(settings, registered)
    return 0


def _work(settings: "Settings", registered: "Registered") -> None:
    """Run what is begun on the server, until interrupted."""
    import threading

    from flows.orchestration.worker import Place, running

    place = Place(settings.home, registered.page.removesuffix("/deployments"), registered.pool)
    with running(place):
        say(f"A worker runs what is begun there; its log is {place.log}.", sys.stderr)
        say("Ctrl-C stops it.", sys.stderr)
        threading.Event().wait()
