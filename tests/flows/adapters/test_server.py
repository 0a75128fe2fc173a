"""Servers, real ones of a few lines: awaited, always stopped, and named where they fail."""

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from flows.adapters import server
from sluice.errors import SluiceError, UsageError

# Answers 200 at /readyz and 503 elsewhere; a socket alone starts quicker than http.server does.
SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    words = connection.recv(4096).split()
    status = b"200 OK" if b"/readyz" in words else b"503 Busy"
    if words:
        connection.sendall(b"HTTP/1.0 " + status + b"\\r\\n\\r\\n")
    connection.close()
"""


def program(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", text]


def failed(text: str, log: Path) -> SluiceError:
    with pytest.raises(SluiceError) as caught, server.running(program(text), 1, log):
        pytest.fail("it was never ready")
    return caught.value


def test_a_server_is_ready_within_the_block_and_gone_after_it(tmp_path: Path) -> None:
    port = server.free_port()
    assert not server.taken(port)
    argv = [*program(SERVER), str(port)]
    with server.running(argv, port, tmp_path / "log") as url:
        assert url == f"http://127.0.0.1:{port}"
        assert server.taken(port)
        assert server.ready(port)
        assert not server.ready(port, "/other")
        with pytest.raises(UsageError, match=rf"^port {port} is taken by another program"):
            server.require_free(port)
    assert not server.taken(port)
    assert not server.ready(port)
    server.require_free(port)
    assert (tmp_path / "log").read_text() == "listening\n"


def test_a_block_that_fails_stops_its_server_too(tmp_path: Path) -> None:
    port = server.free_port()
    argv = [*program(SERVER), str(port)]
    with pytest.raises(ZeroDivisionError), server.running(argv, port, tmp_path / "log"):
        raise ZeroDivisionError
    assert not server.taken(port)


def test_a_server_that_ends_is_shown_with_its_code_and_its_log(tmp_path: Path) -> None:
    error = failed("print('no model here'); raise SystemExit(7)", tmp_path / "log")
    assert error.what == "the server ended with exit code 7; it printed:\nno model here"
    silent = failed("raise SystemExit(0)", tmp_path / "log")
    assert silent.what == "the server ended with exit code 0 and printed nothing"


def test_of_a_long_log_the_end_is_shown(tmp_path: Path) -> None:
    error = failed("print('x' * 100_000 + 'the cause'); raise SystemExit(1)", tmp_path / "log")
    assert error.what.endswith("xthe cause")
    assert len(error.what) < 4_200


def test_a_log_that_is_no_text_is_shown_as_far_as_it_is_one(tmp_path: Path) -> None:
    text = "import os; os.write(1, b'gr\\xfc\\n'); raise SystemExit(1)"
    assert failed(text, tmp_path / "log").what.endswith("gr\ufffd")


def test_a_server_that_refuses_its_settings_says_so_in_one_line(tmp_path: Path) -> None:
    line = "sluice: SLUICE_MAX_ROWS is 0; at least 1 is required"
    error = failed(f"print('starting'); print({line!r}); raise SystemExit(2)", tmp_path / "log")
    assert isinstance(error, UsageError)
    assert error.what == "SLUICE_MAX_ROWS is 0; at least 1 is required"


def test_a_server_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    text = "import time; print('thinking', flush=True); time.sleep(600)"
    started = server.start(program(text), 1, tmp_path / "log")
    try:
        with pytest.raises(SluiceError) as caught:
            started.wait(deadline=0.3)
    finally:
        started.stop()
    printed = r"; it printed:\nthinking| and printed nothing"  # on a slow machine it has not begun
    wanted = rf"the server was not ready after 0\.3 seconds({printed})"
    assert re.fullmatch(wanted, caught.value.what)
    assert "busy" in caught.value.fix
    assert started.process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("used", "ready_at", "waited"),
    [
        ([0, 0], 1, 0),  # ready within the first window
        ([0, 40, 80], 2, 0),  # works, and is ready in the second
        ([0, 40, 80, 120, 160, 200], 5, 0),
        ([0, 0], 9, 60),  # does nothing
        ([7, 7.1], 9, 60),  # next to nothing
        ([0, 40, 40], 9, 120),  # worked once
        ([0, 40, 0], 9, 120),  # what it had started is gone
        ([0, 40, 80, 120, 160, 200], 9, 300),  # works for ever: given up all the same
    ],
)
def test_a_program_that_works_is_waited_for(
    used: list[float], ready_at: int, waited: float
) -> None:
    windows = 0

    def ready() -> bool:
        nonlocal windows
        windows += 1
        return windows == ready_at

    spent = iter(used)
    assert server.patience(ready, lambda: next(spent), 60) == waited


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    """A worker with a session of its own is not in the group that is asked to end."""
    text = (
        "import subprocess, sys, time\n"
        "argv = [sys.executable, '-S', '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(argv, start_new_session=True).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    started = server.start(program(text), 1, tmp_path / "log")
    while not (tmp_path / "log").read_text().endswith("\n"):
        assert started.process.poll() is None
    worker = int((tmp_path / "log").read_text())
    assert server.descendants(started.process.pid) == [worker]
    started.stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(started.process.pid, 0)
    assert server.descendants(started.process.pid) == []
    end = time.monotonic() + 10
    while _alive(worker):  # the system takes a moment to end what is killed
        assert time.monotonic() < end


def _alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_to_stop_twice_is_no_error(tmp_path: Path) -> None:
    started = server.start(program("pass"), 1, tmp_path / "log")
    started.stop()
    started.stop()


def test_what_is_handed_in_is_in_the_environment_of_the_server(tmp_path: Path) -> None:
    text = "import os; print(os.environ['SLUICE_X'], 'PATH' in os.environ); raise SystemExit(3)"
    argv = program(text)
    given = {"SLUICE_X": "one"}
    with (
        pytest.raises(SluiceError, match=r"one True$"),
        server.running(argv, 1, tmp_path / "log", env=given),
    ):
        pytest.fail("it was never ready")


def test_a_port_that_is_free_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", server.free_port()))
        listener.listen()
        assert server.taken(listener.getsockname()[1])
