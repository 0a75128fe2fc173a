"""`sluice up` as a process of its own, with a webhook that its server tells of runs."""

import contextlib
import http.server
import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from flows.adapters import server
from flows.project.root import ROOT
from support.releases import Story

if TYPE_CHECKING:
    # A release in this process decides on its server when it imports Prefect, so that comes later.
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

_TYPED = "import sys; sys.argv[0] = 'sluice'; from sluice_command import main; main()"
_CRASHED_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class Webhook:
    """What a webhook was sent, in its order."""

    address: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, run: "FlowRun") -> list[str]:
        """What was told of a run."""
        return [message["what"] for message in self.messages if message["run"] == str(run.id)]


@dataclass(frozen=True)
class Up:
    """`sluice up` in a story: its address, what it printed, what the webhook was sent, a client of
    its server, and the words with which another command of the same user begins.
    """

    url: str
    printed: str
    told: Webhook
    story: Story
    client: "SyncPrefectClient"
    words: list[str]

    def run(self, deployment: str, **parameters: object) -> "FlowRun":
        """Begin a run of a deployment."""
        found = self.client.read_deployment_by_name(deployment)
        return self.client.create_flow_run_from_deployment(found.id, parameters=parameters)

    def until(self, run: "FlowRun", *names: str, seconds: float = 400) -> "FlowRun":
        """The run, once its state has one of these names, or is final where none is given.

        Runs of one deployment wait for each other, and two runs at once is all that the worker has.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.client.read_flow_run(run.id)
            assert now.state
            if now.state.name in names if names else now.state.is_final():
                return now
            time.sleep(0.2)
        raise AssertionError(f"{now.name} is {now.state} after {seconds:g} seconds")


@contextlib.contextmanager
def listening() -> Iterator[Webhook]:
    """A webhook on the loopback interface."""
    told: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as hook:
        threading.Thread(target=hook.serve_forever, args=[0.05], daemon=True).start()
        yield Webhook(f"http://127.0.0.1:{hook.server_port}/s3cret", told)
        hook.shutdown()


@contextlib.contextmanager
def running(story: Story, webhook: Webhook, tools: str, folder: Path, **given: str) -> Iterator[Up]:
    """The servers, started by a user whose PYTHONPATH has packages of our names; `folder` is empty,
    `given` is set besides.
    """
    for name in ("flows", "sluice", "models", "gx"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    port = server.free_port()
    env = {
        "PATH": tools,
        "HOME": str(folder),
        "SLUICE_HOME": str(story.home),
        "SLUICE_PROJECT": str(story.project),
        "SLUICE_WORKERS": "1",
        "SLUICE_TRACKING_URI": "",
        "SLUICE_NOTIFY_URL": webhook.address,
        "PYTHONPATH": str(folder),
        **given,
    }
    # The environment of the tests names a home of Prefect; who types `sluice up` has none set.
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {_TYPED}"
    set_ = [f"{name}={value}" for name, value in env.items()]
    words = ["env", "-i", *set_, sys.executable, "-c", begin]
    log = folder / "up.log"
    with server.running(
        [*words, "up", "--port", str(port)],
        port,
        log,
        deadline=240,
        path="/api/health",
    ) as url:
        end = time.monotonic() + 120
        while "Ctrl-C" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        from prefect.client.orchestration import SyncPrefectClient
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        # Runs and schedules write beside the test, and SQLite refuses one of two at once.
        patient = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 5})
        with patient, SyncPrefectClient(api=f"{url}/api") as client:
            yield Up(url, log.read_text(), webhook, story, client, words)


@contextlib.contextmanager
def without_schedule(up: Up, name: str) -> Iterator[None]:
    """While this lasts, no run of a deployment begins by itself: those that do each minute might
    have its only slot again and again.
    """
    [found] = [one for one in up.client.read_deployments() if one.name == name]
    [schedule] = found.schedules
    up.client.update_deployment_schedule(found.id, schedule.id, active=False)
    try:
        yield
    finally:
        up.client.update_deployment_schedule(found.id, schedule.id, active=True)


def told_of(up: Up, run: "FlowRun", what: str) -> list[str]:
    """What was told of a run, once this was; what would come twice has come by then."""
    end = time.monotonic() + 30
    while what not in up.told.of(run):
        assert time.monotonic() < end, up.told.messages
        time.sleep(0.1)
    time.sleep(1)
    return up.told.of(run)


def kill_a_release(up: Up) -> None:
    """Kill a release with its worker; it is shown as crashed within a minute, and told once."""
    run = up.run("release/attrition-release", model="attrition", cache=False)
    up.until(run, "Running")
    _wait_for_note(up.story.home, run)
    for process in _of(up.story.home, "prefect.engine", "worker start"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    killed = time.monotonic()
    crashed = up.until(run, "Crashed", seconds=_CRASHED_WITHIN)
    print(f"crashed after {time.monotonic() - killed:.1f} s")
    assert told_of(up, crashed, "crashed") == ["crashed"]


def _wait_for_note(home: Path, run: "FlowRun") -> None:
    """The run has noted which process carries it out."""
    end = time.monotonic() + 60
    while str(run.id) not in _noted(home):
        assert time.monotonic() < end
        time.sleep(0.1)


def _noted(home: Path) -> str:
    """The notes of all processes that carry out runs; others may come to their end meanwhile."""
    found = []
    for note in (home / "prefect" / "running").glob("*.txt"):
        with contextlib.suppress(FileNotFoundError):
            found.append(note.read_text())
    return "\n".join(found)


def _of(home: Path, *words: str) -> list[psutil.Process]:
    """The processes of this story whose command has one of these words."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("SLUICE_HOME") == str(home)
            if ours and any(word in shlex.join(process.cmdline()) for word in words):
                found.append(process)
    return found
