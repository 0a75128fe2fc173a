"""A server that runs while a block runs: started, awaited, always stopped.

If it fails, the error has the end of its log.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sluice.errors import SluiceError, UsageError

_REFUSAL = "sluice: "  # begins the last line of a process that bento/preflight.py ended
_SHOWN = 4000  # characters of a server's log that an error shows


def free_port() -> int:
    """A port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Starting:
    """A program that was started to listen on `port` of the loopback interface; `log` has what it
    prints.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def wait(self, *, deadline: float = 60.0, path: str = "/readyz") -> str:
        """The address `http://127.0.0.1:<port>`, once `path` answers 200 there.

        Raises SluiceError with the end of the log if the program ends or is not ready after
        `deadline` seconds, UsageError where it refuses its settings.
        """
        end = time.monotonic() + deadline
        while not ready(self.port, path):
            code = self.process.poll()
            if code is None and time.monotonic() < end:
                time.sleep(0.05)
                continue
            raise _failure(code, self.log, deadline)
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End the program and what it started."""
        _stop(self.process)


def start(
    argv: Sequence[str | Path],
    port: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    fds: Sequence[int] = (),
    ends_with_us: bool = False,
) -> Starting:
    """Start a program that will listen on `port`; who starts it has to stop it.

    `env` is added to its environment, `fds` are the open files that it inherits; what it prints
    goes to the file `log`. With `ends_with_us` its standard input is a pipe that ends when this
    process does, however it does.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE if ends_with_us else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            pass_fds=fds,
        )
    return Starting(process, port, log)


@contextlib.contextmanager
def running(
    argv: Sequence[str | Path],
    port: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    deadline: float = 60.0,
    path: str = "/readyz",
) -> Iterator[str]:
    """Start a program and yield `http://127.0.0.1:<port>` once `path` answers 200 there.

    `env` is added to its environment; what it prints goes to the file `log`. Raises SluiceError
    with the end of the log if it ends or is not ready after `deadline` seconds, UsageError where it
    refuses its settings.
    """
    started = start(argv, port, log, env=env)
    try:
        yield started.wait(deadline=deadline, path=path)
    finally:
        started.stop()


def ready(port: int, path: str = "/readyz") -> bool:
    """Whether the server on this loopback port says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _failure(code: int | None, log: Path, deadline: float) -> SluiceError:
    """The error of a server that ended with this exit code, or with None was not ready in time."""
    printed = log.read_text(errors="replace").strip()[-_SHOWN:] or "(it printed nothing)"
    if code is None:
        return SluiceError(
            f"the server was not ready after {deadline:g} seconds; it printed:\n{printed}"
        )
    last = printed.splitlines()[-1]
    # The service itself refused its settings: that one line is the whole message.
    if code and last.startswith(_REFUSAL):
        return UsageError(last.removeprefix(_REFUSAL))
    return SluiceError(f"the server ended with exit code {code}; it printed:\n{printed}")


def _stop(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """Ask the process group to end and wait `patience` seconds for all of it; then kill what is
    left. A server ends its workers itself.
    """
    family = descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    # Workers with a session of their own, whose parent was killed before it could end them.
    for pid in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def descendants(pid: int) -> list[int]:
    """The processes that this one started, and those that they started; a parent stands before its
    children.
    """
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_while_ready(port: int, path: str) -> None:
    """Return when the server on `port` has not answered at `path` twice in a row."""
    while ready(port, path) or ready(port, path):
        time.sleep(2)


def require_free(port: int) -> None:
    """Raise UsageError where another program listens on `port`."""
    if taken(port):
        raise UsageError(
            f"port {port} is taken by another program", "Name another one with --port."
        )
