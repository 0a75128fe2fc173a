"""Prefect's server for one release, where none runs.

Prefect can start one itself, but imports the whole server into the process of the flow for that.
This one loads in a process of its own while the release imports what it needs.
"""

import atexit
import gc
import os
import socket
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters import python, server
from flows.project.root import ROOT

if TYPE_CHECKING:
    from uvicorn import Server

_ADDRESS = "PREFECT_API_URL"
# Prefect's own words for a server that lives as long as a flow.
_MODE = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}
_MARK = "SLUICE_TEMPORARY_SERVER"  # in the environment: the address of the server started here
_GRACE = 10.0  # seconds for its end
_PATIENCE = 120.0  # seconds until it has to answer: a cold disk, a busy machine, a migration


def start(home: Path) -> server.Starting | None:
    """Start the server and let Prefect, not imported yet, use it; None where another one is set.

    It ends with this process, also where that is killed: it reads a pipe that this process holds.
    """
    if _set_elsewhere(home):
        return None
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = int(listening.getsockname()[1])
    started = server.start(
        [*python.module(__name__), str(listening.fileno())],
        port,
        home / "prefect" / "temporary-server.log",
        env={**_MODE, **python.importing(ROOT)},
        fds=[listening.fileno()],
        ends_with_us=True,
    )
    listening.close()
    os.environ[_ADDRESS] = f"http://127.0.0.1:{port}/api"
    os.environ[_MARK] = os.environ[_ADDRESS]
    # Registered before Prefect is imported: it runs after Prefect sent its last lines of log.
    atexit.register(started.stop)
    return started


def wait(started: server.Starting) -> None:
    """Wait until the server answers. Raises SluiceError with the end of its log if it does not."""
    started.wait(deadline=_PATIENCE, path="/api/health")


def used() -> bool:
    """Whether Prefect was given the server of this process, which shows no pages."""
    return _MARK in os.environ and os.environ.get(_ADDRESS) == os.environ[_MARK]


def _set_elsewhere(home: Path) -> bool:
    """Whether the user has told Prefect which server to use, in any of the places that it reads."""
    if _ADDRESS in os.environ or "PREFECT_PROFILE" in os.environ:
        return True
    own = str(home / "prefect")
    if os.environ.get("PREFECT_HOME", own) != own:
        return True
    profiles = home / "prefect" / "profiles.toml"
    files = (profiles, Path(".env"), Path("prefect.toml"))
    return any(_mentions_address(path) for path in files) or _in_project(Path("pyproject.toml"))


def _mentions_address(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _ADDRESS in text or "[api]" in text


def _in_project(path: Path) -> bool:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return "prefect" in document.get("tool", {})


def main() -> None:
    """Serve on the open socket whose number is the first argument, until standard input ends."""
    # The objects of its start stay to the end: looking for rubbish among them costs a tenth.
    gc.disable()
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app()
    gc.freeze()
    gc.enable()
    serving = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    threading.Thread(target=_end_with_release, args=[serving], daemon=True).start()
    serving.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


def _end_with_release(serving: "Server") -> None:
    """End in good order when the release has ended, or at once where that takes too long."""
    sys.stdin.buffer.read()
    serving.should_exit = True
    time.sleep(_GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
