"""Prefect's server for one release: beside the process of the release, and gone with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.orchestration import temporary_server
from flows.project.settings import ROOT

_RUN = """
import os, pathlib, signal, sys
from flows.orchestration import prefect_server, temporary_server
home = pathlib.Path(sys.argv[1])
prefect_server.prepare(home)
(home / "prefect").mkdir(parents=True, exist_ok=True)
engine = temporary_server.start(home)
temporary_server.wait(engine)
from prefect import flow
from prefect.client.orchestration import get_client

@flow(name="one")
def one():
    print(engine.process.pid, "prefect.server" in sys.modules, flush=True)

one()
with get_client(sync_client=True) as client:
    [run] = client.read_flow_runs()
    print(run.state.name, repr(prefect_server.page(str(run.id))), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run(home: Path, end: str) -> "subprocess.CompletedProcess[str]":
    """A flow in a process of its own, which comes to its `end` or is killed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    words = [sys.executable, "-c", _RUN, str(home), end]
    # A proxy at which nothing answers, and no word that it is not for this machine.
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    env = {**kept, **proxy, "no_proxy": "", "NO_PROXY": "", "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, env=env, cwd=home, text=True, check=False, stdout=subprocess.PIPE)


@pytest.mark.parametrize(("end", "code"), [("own", 0), ("killed", -signal.SIGKILL)])
def test_it_serves_a_flow_and_ends_with_its_process(tmp_path: Path, end: str, code: int) -> None:
    ended = run(tmp_path, end)
    assert ended.returncode == code
    first, second = ended.stdout.splitlines()
    pid, imported = first.split()
    assert imported == "False"
    assert second == "Completed ''"  # the temporary server shows no page of a run
    deadline = time.monotonic() + 60
    while psutil.pid_exists(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))


def settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No word about Prefect in the environment, nor in the working directory."""
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "SLUICE_TEMPORARY")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("PREFECT_PROFILE", "cloud"),
        ("PREFECT_HOME", "/home/somebody/.prefect"),
    ],
)
def test_a_server_named_in_the_environment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    settings(tmp_path, monkeypatch)
    monkeypatch.setenv(name, value)
    assert temporary_server.start(tmp_path) is None
    assert os.environ.get("PREFECT_API_URL") == (value if name == "PREFECT_API_URL" else None)
    assert not temporary_server.used()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".env", "PREFECT_API_URL=http://127.0.0.1:4200/api\n"),
        ("prefect.toml", '[api]\nurl = "http://127.0.0.1:4200/api"\n'),
        ("pyproject.toml", '[tool.prefect.api]\nurl = "http://127.0.0.1:4200/api"\n'),
        (
            "prefect/profiles.toml",
            'active = "team"\n[profiles.team]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n',
        ),
    ],
)
def test_a_server_named_in_a_file_of_prefect_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    settings(tmp_path, monkeypatch)
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert temporary_server.start(tmp_path) is None


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Its log is in the error: a database that cannot be opened, here."""
    code = f"""
import pathlib
from flows.orchestration import prefect_server, temporary_server
home = pathlib.Path({str(tmp_path)!r})
prefect_server.prepare(home)
(home / "prefect").mkdir()
(home / "prefect" / "prefect.db").mkdir()
temporary_server.wait(temporary_server.start(home))
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        text=True,
        check=False,
        stderr=subprocess.PIPE,
    )
    assert "SluiceError: the server ended with exit code" in ended.stderr
    assert "unable to open database file" in ended.stderr
