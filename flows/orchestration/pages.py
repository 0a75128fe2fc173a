"""What `sluice up` runs: Prefect's server with the deployments of every model and a worker for
them, and MLflow's over the file that releases are logged to.

The servers are started side by side, and end together.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from flows.adapters import python, server, tracking_pages
from flows.adapters.files import write_atomic
from flows.adapters.process import without_login
from flows.adapters.tracking import database_of
from flows.orchestration import deployed, prefect_server, worker
from flows.orchestration.deployed import Registered
from flows.orchestration.deployments import schedules
from flows.project.models import models
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from flows.project.settings import Settings

_NOTE = Path("prefect", "server.json")
_HEALTH = "/api/health"
_DEADLINE = 120.0  # seconds until a server has to answer


@dataclass(frozen=True)
class Ports:
    """Where each server listens on the loopback interface."""

    prefect: int
    mlflow: int


class Page(Struct, frozen=True):
    """An address, and what is there."""

    name: str
    address: str


class _Note(Struct, frozen=True):
    """prefect/server.json, while the servers run."""

    url: str
    pid: int
    pages: list[Page]


@dataclass(frozen=True)
class _Server:
    """A program to start: its name, its port and the option that sets it, where it answers when it
    is ready, and its log.
    """

    name: str
    port: int
    option: str
    health: str
    log: Path
    words: list[str]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Running:
    """The pages of servers that run, of which the first is Prefect's, and what was registered
    there.
    """

    pages: list[Page]
    servers: list[_Server]
    registered: Registered

    def wait(self) -> None:
        """Raise SluiceError as soon as one of the servers does not answer any more."""
        stopped = server.first_to_stop([(one.port, one.health) for one in self.servers])
        one = self.servers[stopped]
        raise SluiceError(f"{one.name}'s server stopped", f"Its log is {one.log}.")


def up_already(home: Path) -> list[Page]:
    """The pages of servers that another `sluice up` runs; empty where none does."""
    url = prefect_server.server(home)
    if not url:
        return []
    try:
        return msgspec.json.decode((home / _NOTE).read_bytes(), type=_Note).pages
    except (OSError, ValueError, RecursionError):
        return [Page("Prefect", url)]


@contextmanager
def running(settings: "Settings", ports: Ports) -> Iterator[Running]:
    """Start the servers and yield their pages once both answer; releases find Prefect's from then
    on. Both are stopped at the end of the block, however it ends.

    Raises UsageError where a port is taken or a policy is wrong, SluiceError where a server does
    not start.
    """
    schedules(settings.project)  # a mistake in a policy is told before anything starts
    servers = _servers(settings, ports)
    for one in servers:
        server.require_free(one.port, one.option)
    prefect_server.prepare(settings.home)
    with ExitStack() as at_the_end:
        started = [(one, _start(one)) for one in servers]
        for _, program in started:
            at_the_end.callback(program.stop)
        for one, program in started:
            program.wait(deadline=_DEADLINE, path=one.health)
        pages = _pages(settings, ports)
        url = pages[0].address
        # Before the worker comes: runs that were due while no server ran are gone by then.
        registered = deployed.register_at(url, settings)
        note = _Note(url, os.getpid(), pages)
        write_atomic(settings.home / _NOTE, msgspec.json.encode(note))
        at_the_end.callback((settings.home / _NOTE).unlink, missing_ok=True)
        prefect_server.close_dead(settings.home, url)
        place = worker.Place(settings.home, url, registered.pool)
        at_the_end.enter_context(worker.running(place))
        yield Running(pages, servers, registered)


def _start(one: _Server) -> server.Starting:
    one.log.parent.mkdir(parents=True, exist_ok=True)
    return server.start(one.words, one.port, one.log, env=one.env)


def _servers(settings: "Settings", ports: Ports) -> list[_Server]:
    servers = [_prefect(settings.home, ports.prefect)]
    if database_of(settings.tracking):
        servers.append(_mlflow(settings, ports.mlflow))
    return servers


def _prefect(home: Path, port: int) -> _Server:
    # The page asks this address for its data; without it, it would ask port 4200 whatever the
    # server's port is.
    api = f"http://127.0.0.1:{port}/api"
    return _Server(
        name="Prefect",
        port=port,
        option="--port",
        health=_HEALTH,
        log=home / "prefect" / "server.log",
        words=[
            *python.module("prefect"),
            *("server", "start", "--host", "127.0.0.1", "--port", str(port)),
        ],
        env={
            "PREFECT_SERVER_UI_API_URL": api,
            "PREFECT_API_URL": api,
            # A run that waits for another one of its model looks again so soon, and not after 30.
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
            **python.importing(),
        },
    )


def _mlflow(settings: "Settings", port: int) -> _Server:
    return _Server(
        name="MLflow",
        port=port,
        option="--mlflow-port",
        health=tracking_pages.HEALTH,
        log=settings.home / "mlflow" / "server.log",
        words=tracking_pages.words(settings.tracking, port),
        env=tracking_pages.environment(),
    )


def _pages(settings: "Settings", ports: Ports) -> list[Page]:
    """Prefect's page, then the runs of each model in MLflow, or the server that was set for it."""
    pages = [Page("Prefect", f"http://127.0.0.1:{ports.prefect}")]
    if not settings.tracking:
        return pages
    if not database_of(settings.tracking):
        return [*pages, Page("MLflow", without_login(settings.tracking))]
    for model in models(settings.project):
        address = tracking_pages.runs_page(ports.mlflow, settings.tracking, model)
        pages.append(Page(f"MLflow, runs of {model}", address))
    return pages
