"""Whether the process of a run is gone: known for this machine alone, also where a number was given
away again.
"""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from flows.orchestration import prefect_server


def mark(pid: int) -> str:
    return prefect_server._mark(pid)


def test_a_process_is_dead_when_it_is_gone_and_not_before() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        said = mark(process.pid)
        assert not prefect_server.dead(said)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert prefect_server.dead(said)
    assert not prefect_server.dead(mark(os.getpid()))


def test_another_process_of_the_same_number_is_not_the_same() -> None:
    words = mark(os.getpid()).split(" ")
    assert prefect_server.dead(" ".join([*words[:-1], "1"]))


def test_of_other_machines_nothing_is_known_and_of_this_one_before_it_was_started_again_all() -> (
    None
):
    word, host, boot, space, pid, started = mark(os.getpid()).split(" ")
    assert not prefect_server.dead(" ".join((word, f"{host}-2", boot, space, "999999", started)))
    assert not prefect_server.dead(" ".join((word, host, boot, "pid:[1]", "999999", started)))
    assert prefect_server.dead(" ".join((word, host, "before", space, pid, started)))
    assert prefect_server.dead(" ".join((word, host, boot, space, "99999999", "?")))
    assert not prefect_server.dead(" ".join((word, host, boot, space, str(os.getpid()), "?")))


@pytest.mark.parametrize("server", ["", "http://127.0.0.1:4200"])
def test_a_run_has_a_page_where_a_server_shows_one_and_else_none(
    server: str, tmp_path: Path
) -> None:
    """In a process of its own: whoever imports Prefect first decides on its settings."""
    run = "b4c79c66-79a5-4546-8f44-02fc08a87645"
    code = (
        "from flows.orchestration.prefect_server import page\n"
        "from flows.views.terminal import link\n"
        f"link('Run', page('{run}'))"
    )
    env = {**os.environ, "PREFECT_HOME": str(tmp_path)} | (
        {"PREFECT_API_URL": f"{server}/api"} if server else {}
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, stderr=subprocess.PIPE, text=True
    ).stderr
    assert said == (f"Run       {server}/runs/flow-run/{run}\n" if server else "")


def test_other_tags_say_nothing() -> None:
    assert not any(
        prefect_server.dead(tag) for tag in ("", "nightly", "process", "process of a b c d")
    )


def test_a_process_that_came_to_its_end_leaves_no_file(tmp_path: Path) -> None:
    with prefect_server.marked(tmp_path):
        assert len(list((tmp_path / "prefect" / "running").iterdir())) == 1
        assert prefect_server.killed(tmp_path) == []
    assert list((tmp_path / "prefect" / "running").iterdir()) == []


def test_one_that_ends_while_it_is_looked_at_was_not_killed(tmp_path: Path) -> None:
    """Its file is in the listing, as a link to nowhere is, and gone when it is read."""
    running = tmp_path / "prefect" / "running"
    running.mkdir(parents=True)
    (running / "4711.txt").symlink_to(tmp_path / "gone")
    assert prefect_server.killed(tmp_path) == []
    assert prefect_server.end_orphans(tmp_path) == 0


def test_a_killed_one_does_and_what_it_had_started_is_ended(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, subprocess, sys, pathlib
        from flows.orchestration import prefect_server as orchestration
        with orchestration.marked(pathlib.Path(sys.argv[1])):
            print(subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL).pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    ended = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    assert ended.returncode == -signal.SIGKILL
    [note] = prefect_server.killed(tmp_path)
    assert note.name.endswith(".txt")
    started = psutil.Process(int(ended.stdout))
    assert started.status() != psutil.STATUS_ZOMBIE
    assert prefect_server.end_orphans(tmp_path) == 1
    end = time.monotonic() + 30
    while not _gone(started) and time.monotonic() < end:
        time.sleep(0.01)
    assert _gone(started)
    assert prefect_server.end_orphans(tmp_path) == 0


def _gone(process: psutil.Process) -> bool:
    """Whether a process has ended; one that its parent has not asked about stays as a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class _Healthy(http.server.BaseHTTPRequestHandler):
    """Answers as Prefect's server does, and under /busy as it does on a busy machine."""

    def do_GET(self) -> None:
        if self.path.startswith("/busy"):
            time.sleep(1.5)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_was_started_for_the_demo_shows_own_releases_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has typed `sluice up` looks there, whichever of the two was released."""
    monkeypatch.setattr(prefect_server, "beside", {tmp_path: tmp_path / "demo"}.get)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy) as running:
        thread = threading.Thread(target=running.serve_forever, args=[0.05])
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}"
        try:
            assert prefect_server.server(tmp_path) == ""
            note = tmp_path / "demo" / "prefect" / "server.json"
            note.parent.mkdir(parents=True)
            note.write_text(json.dumps({"url": url}))
            assert prefect_server.server(tmp_path) == url
            assert prefect_server.server(tmp_path / "demo") == url
            assert prefect_server.server(tmp_path / "other") == ""
        finally:
            running.shutdown()
            thread.join()


def test_a_server_that_answers_late_is_one_that_runs(tmp_path: Path) -> None:
    """Its own start and a training beside it take a second; its pages are where people look."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy) as running:
        thread = threading.Thread(target=running.serve_forever, args=[0.05])
        thread.start()
        try:
            url = f"http://127.0.0.1:{running.server_port}/busy"
            note = tmp_path / "prefect" / "server.json"
            note.parent.mkdir(parents=True)
            note.write_text(json.dumps({"url": url}))
            assert prefect_server.server(tmp_path) == url
        finally:
            running.shutdown()
            thread.join()
