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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sluice.errors import SluiceError, UsageError

_BUSY = "Look whether this machine is busy, and run the same command again: what was done is kept."
_REFUSAL = "sluice: "  # begins the last line of a process that bento/preflight.py ended
_WINDOWS = 5  # times that a program that works is waited for
_WORKING = 0.05  # share of a processor that a program uses which is still starting
_SOME_WORK = 0.5  # seconds of a processor that count as work, however short the deadline is
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

        After `deadline` seconds it is waited for as long again where the program works meanwhile,
        as on a slow machine, and so on a few times. Raises SluiceError with the end of the log if
        the program ends or is not ready then, UsageError where it refuses its settings.
        """
        pid = self.process.pid
        waited = patience(
            lambda: self._ready_within(deadline, path), lambda: _processor_seconds(pid), deadline
        )
        if waited:
            raise _failure(self.process.poll(), self.log, waited)
        return f"http://127.0.0.1:{self.port}"

    def _ready_within(self, seconds: float, path: str) -> bool:
        """Whether `path` answers before so many seconds are over, or the program is."""
        end = time.monotonic() + seconds
        while not ready(self.port, path):
            if self.process.poll() is not None or time.monotonic() >= end:
                return False
            time.sleep(0.05)
        return True

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


def patience(ready: Callable[[], bool], worked: Callable[[], float], deadline: float) -> float:
    """Zero once `ready` says so, or the seconds after which a program is given up.

    `ready` waits for `deadline` seconds; `worked` is what the program has used of a processor so
    far, in seconds. While it works, it is waited for as long again, and so on a few times: its
    machine is slow.
    """
    before = worked()
    waited = 0.0
    for _ in range(_WINDOWS):
        if ready():
            return 0.0
        waited += deadline
        now = worked()
        if now - before < max(deadline * _WORKING, _SOME_WORK):
            break
        before = now
    return waited


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

    `env` is added to its environment; what it prints goes to the file `log`. It is waited for, and
    raised, as `Starting.wait` says.
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


def _failure(code: int | None, log: Path, waited: float) -> SluiceError:
    """The error of a server that ended with this exit code, or with None was not ready after so
    many seconds.
    """
    printed = log.read_text(errors="replace").strip()[-_SHOWN:]
    told = f"; it printed:\n{printed}" if printed else " and printed nothing"
    if code is None:
        return SluiceError(f"the server was not ready after {waited:g} seconds{told}", _BUSY)
    last = printed.splitlines()[-1] if printed else ""
    # The service itself refused its settings: that one line is the whole message.
    if code and last.startswith(_REFUSAL):
        return UsageError(last.removeprefix(_REFUSAL))
    return SluiceError(f"the server ended with exit code {code}{told}")


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


def _processor_seconds(pid: int) -> float:
    """What a program and those that it started have used so far; nothing for one that is gone."""
    used = 0.0
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(one).cpu_times()
            used += times.user + times.system
    return used


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
    first_to_stop([(port, path)])


def first_to_stop(places: Sequence[tuple[int, str]]) -> int:
    """Which of the servers was the first that did not answer twice in a row; each is told by its
    port and a path where it answers 200.
    """
    while True:
        for number, (port, path) in enumerate(places):
            if not (ready(port, path) or ready(port, path)):
                return number
        time.sleep(2)


def require_free(port: int, option: str = "--port") -> None:
    """Raise UsageError where another program listens on `port`; `option` names another one."""
    if taken(port):
        raise UsageError(
            f"port {port} is taken by another program", f"Name another one with {option}."
        )
