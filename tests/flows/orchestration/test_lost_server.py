"""A process whose Prefect server went away ends, and leaves nothing out that it printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.orchestration import lost_server
from flows.project.root import ROOT

# The server is killed between two tasks. Who listens at its address after the flow takes every
# connection and answers none, so whatever waits for an answer waits until the test gives up.
_RUN = """
import os, pathlib, signal, socket, sys
from flows.engine.outcome import Outcome, record
from flows.orchestration import lost_server, prefect_server, temporary_server
from flows.orchestration.start import Releases, Wanted, _followed
home = pathlib.Path(sys.argv[1])
prefect_server.prepare(home)
(home / "prefect").mkdir(parents=True)
engine = temporary_server.start(home)
from prefect import flow, task
temporary_server.wait(engine)

@task
def step(number):
    return number

@flow(name="release")
def release(model, data, cache):
    step(1)
    os.killpg(engine.process.pid, signal.SIGKILL)
    engine.process.wait()
    for number in range(2, 6):
        step(number)

def plainly(model, data, cache):
    global silent
    silent = socket.create_server(("127.0.0.1", engine.port), backlog=128)
    outcome = Outcome("refused", "the recall", model)
    record(home, outcome)
    return outcome

with prefect_server.marked(home) as mark:
    wanted = Wanted("attrition", None, cache=True, trains=False)
    outcome = _followed(home, Releases(release, plainly), wanted, mark)
from prefect.events.worker import EventsWorker
print("ended", outcome.outcome, "waiting" if EventsWorker._instances else "told")
lost_server.end_without(outcome.exit_code)
"""


def test_a_server_that_is_killed_in_mid_run_holds_nobody_up(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ended = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path / "home")],
        env={**kept, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        text=True,
        check=False,
        capture_output=True,
        timeout=600,
    )
    assert ended.stdout == "ended refused waiting\n", ended.stderr
    assert ended.returncode == 3
    assert ended.stderr == "Prefect does not answer any more: the release goes on without it.\n"


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 3), (None, 0), ("a sentence", 1)])
def test_the_exit_code_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: object,
    ends: int,
) -> None:
    ended: list[int] = []
    lost_server.end_without(code, ended.append)
    assert ended == []  # nothing was lost
    monkeypatch.setattr(lost_server, "_GONE", _set())
    print("printed", end="")
    lost_server.end_without(code, ended.append)
    assert ended == [ends]
    assert capsys.readouterr().out == "printed"


def _set() -> "lost_server.threading.Event":
    gone = lost_server.threading.Event()
    gone.set()
    return gone
