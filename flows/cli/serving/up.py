"""`sluice up`: the pages of Prefect and MLflow on this machine, and a worker."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say

if TYPE_CHECKING:
    from flows.orchestration.pages import Page, Ports
    from flows.project.settings import Settings


def up(
    port: Annotated[int, typer.Option(help="port of Prefect's server on 127.0.0.1")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="port of MLflow's server on 127.0.0.1")] = 5000,
) -> None:
    """Start the pages of Prefect and MLflow, until interrupted.

    Every model can be released, watched and rolled back there, on the schedule of its policy or by
    hand: a worker runs what is begun.

    Example: sluice up --port 4200 --mlflow-port 5000
    """
    from flows.orchestration.pages import Ports
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_up(load_for_releases(), Ports(port, mlflow_port)))


def run_up(settings: "Settings", ports: "Ports") -> int:
    """Run both servers and a worker until interrupted; releases started meanwhile show there."""
    from flows.orchestration import deployed, pages
    from flows.views.progress import working
    from flows.views.serving import deployed as view

    already = pages.up_already(settings.home)
    if already:
        with working("Ask the server"):
            made = deployed.register_at(already[0].address, settings)
        view.show(made.runs, made.paused, made.told, made.page)
        _tell(already)
        say("They were up already.", sys.stdout)
        return 0
    with ExitStack() as until_the_end:
        with working("Start the servers"):
            servers = until_the_end.enter_context(pages.running(settings, ports))
        made = servers.registered
        view.show(made.runs, made.paused, made.told, made.page)
        _tell(servers.pages)
        say("Ctrl-C stops them.", sys.stdout)
        servers.wait()
    return 0


def _tell(pages: "list[Page]") -> None:
    """A line for each page: what is there, and its address whole, so that it can be opened."""
    for page in pages:
        say(f"{page.name}: {page.address}", sys.stdout)
