"""A run whose process was killed is over, and Prefect is told at the next start. A living one is
left alone.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.orchestration import prefect_server
from flows.project.root import ROOT

FLOW = """
import sys, time
from pathlib import Path
from flows.orchestration import prefect_server as orchestration
home, name = Path(sys.argv[1]), sys.argv[2]
orchestration.prepare(home)
from prefect import flow, task
from prefect.runtime import flow_run

@task
def waits():
    (home / name).touch()
    time.sleep(300)

@flow(name=name)
def runs(claims):
    if claims:
        orchestration.claim(home, str(flow_run.id))
    waits()

with orchestration.marked(home) as mark, orchestration.tagged(mark):
    runs(name == "claimed")
"""
STATES = """
import sys
from pathlib import Path
from flows.orchestration import prefect_server as orchestration
home = Path(sys.argv[1])
orchestration.prepare(home)
closed = orchestration.close_dead(home)
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    flows = {flow.id: flow.name for flow in client.read_flows()}
    print("closed", closed)
    for run in client.read_flow_runs():
        print(flows[run.flow_id], run.state.name, run.state.message or "-", len(run.tags))
    for run in client.read_task_runs():
        print("task", run.state.name)
"""


def started(home: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FLOW, str(home), name],
        env=environment(home),
        text=True,
        start_new_session=True,
    )


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home / "prefect")}


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 180
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)


def wait_for_tasks(home: Path, count: int) -> None:
    """Prefect is told of a task behind its back, and a killed process tells nothing more."""
    end = time.monotonic() + 60
    with contextlib.closing(sqlite3.connect(home / "prefect" / "prefect.db")) as database:
        while database.execute("select count(*) from task_run").fetchone()[0] < count:
            assert time.monotonic() < end
            time.sleep(0.2)


def orphans(group: int) -> list[str]:
    """The commands of what is still there of a process group."""
    words = ["ps", "-e", "-o", "pgid=,args="]
    lines = subprocess.run(words, text=True, check=True, capture_output=True).stdout.splitlines()
    return [line for line in lines if line.split()[0] == str(group)]


def states(home: Path) -> list[str]:
    said = subprocess.run(
        [sys.executable, "-c", STATES, str(home)],
        env=environment(home),
        text=True,
        check=True,
        capture_output=True,
    )
    return said.stdout.splitlines()


@pytest.mark.parametrize("name", ["tagged", "claimed"])
def test_a_killed_run_is_closed_and_a_living_one_is_not(name: str, tmp_path: Path) -> None:
    """Also in the moment before it is claimed; then it carries the tag of its process."""
    dead, alive = started(tmp_path, name), started(tmp_path, "alive")
    try:
        wait_for(tmp_path / name, dead)
        wait_for(tmp_path / "alive", alive)
        wait_for_tasks(tmp_path, 2)
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert len(prefect_server.killed(tmp_path)) == 1
        said = states(tmp_path)
        assert said[0] == "closed 1"
        [closed] = [line for line in said if line.startswith(f"{name} Crashed ")]
        assert "The process was killed." in closed
        assert closed.endswith(" 0")  # no tag is left
        assert "alive Running - 1" in said
        assert sorted(line for line in said if line.startswith("task")) == [
            "task Crashed",
            "task Running",
        ]
        assert prefect_server.killed(tmp_path) == []
        # Prefect's own server, which the killed process had started, is gone with it.
        assert not [name for name in orphans(dead.pid) if "uvicorn" in name]
        assert states(tmp_path)[0] == "closed 0"
    finally:
        for process in (dead, alive):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
