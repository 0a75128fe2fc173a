"""A worker of Prefect on this machine: it runs what is begun on the server, and is started again
where it died.

Runs inherit its environment, so a secret reaches them without standing in a parameter. They import
our rooms, and not what the user's PYTHONPATH has under the same names.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from flows.adapters import python, server
from flows.orchestration import prefect_server
from flows.project.homes import beside
from flows.project.root import ROOT

AT_ONCE = 2  # runs side by side: training takes a core and half a gigabyte each
_LOOKS = 2.0  # seconds between two looks at worker and runs
_AGAIN = 10.0  # seconds between two starts, at least


@dataclass(frozen=True)
class Place:
    """Where a worker works: the state folder, the server's address without `/api`, the pool."""

    home: Path
    url: str
    pool: str

    @property
    def log(self) -> Path:
        """What the worker and its runs print; the runs' findings may show rows."""
        return self.home / "prefect" / "worker.log"


@contextmanager
def running(place: Place) -> Iterator[None]:
    """A worker while the block runs; runs whose process was killed are closed on the server."""
    over = Event()
    keeper = Thread(target=_keep, args=(place, over), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(place: Place, over: Event) -> None:
    program, begun = _start(place), time.monotonic()
    try:
        while not over.wait(_LOOKS):
            if program.process.poll() is not None and time.monotonic() - begun > _AGAIN:
                program, begun = _start(place), time.monotonic()
            _close_killed(place)
    finally:
        program.stop()
        _close_killed(place)


def _start(place: Place) -> server.Starting:
    words = [
        *python.module("prefect"),
        *("worker", "start", "--type", "process", "--pool", place.pool),
        *("--limit", str(AT_ONCE)),
    ]
    env = {
        "PREFECT_API_URL": f"{place.url}/api",
        "PREFECT_WORKER_QUERY_SECONDS": "3",
        # Its server is here, on SQLite: where two write at once, one is refused and has to ask
        # again. The two tries more of `prefect_server.prepare` are for a server that may be gone.
        "PREFECT_CLIENT_MAX_RETRIES": "5",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        **python.importing(ROOT),
    }
    place.log.parent.mkdir(parents=True, exist_ok=True)
    return server.start(words, 0, place.log, env=env)


def _close_killed(place: Place) -> None:
    """Runs of this machine are known to be dead at once; those of others by their silence."""
    for home in _homes(place.home):
        if prefect_server.killed(home):
            with suppress(Exception):  # the server is asked again at the next look
                prefect_server.close_dead(home, place.url)


def _homes(home: Path) -> Sequence[Path]:
    there = beside(home)
    return [home, there] if there else [home]
