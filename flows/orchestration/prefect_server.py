"""Prefect as it is used here: quiet, without telemetry, its database under the state folder, no
server needed.
"""

import json
import logging
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import UUID

import psutil
from msgspec import Struct

from flows.adapters.files import write_atomic
from flows.adapters.process import without_login
from flows.orchestration import temporary_server
from flows.project.homes import beside
from sluice.errors import UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_MARK = "process"
_INHERITED = "SLUICE_PROCESS"  # in the environment of everything that a release starts
_UNKNOWN = "?"
_PATIENCE_LATER = 10.0  # seconds for an answer in mid-run
_PATIENCE = 30.0  # seconds for the first answer: of a server that is gone, the port says so at once


def prepare(home: Path) -> None:
    """Set what Prefect reads when it is imported; call it before. What the user has set stays."""
    defaults = {
        "DO_NOT_TRACK": "true",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Its newer pages ask a foreign server for settings in the reader's browser, even with
        # analytics off.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        # Five would be a minute for each call to a server that is gone.
        "PREFECT_CLIENT_MAX_RETRIES": "2",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "prefect" / "results"),
    }
    url = server(home)
    if url:
        defaults["PREFECT_API_URL"] = f"{url}/api"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Logging's own setting for programs in use: without it, Prefect prints on standard error each
    # line of log that its server did not take.
    logging.raiseExceptions = False


def server(home: Path) -> str:
    """The address of the server that `sluice up` runs, for these releases or for those of the
    folder beside it, own data and demo: who has started one sees both. Empty where none answers.
    """
    there = beside(home)
    return _noted_server(home) or (_noted_server(there) if there else "")


def _noted_server(home: Path) -> str:
    try:
        url = str(json.loads((home / "prefect" / "server.json").read_text(encoding="utf-8"))["url"])
        return url if _status(f"{url}/api/health", _PATIENCE) == 200 else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError, HTTPException):
        return ""


def _status(url: str, seconds: float) -> int:
    """The status with which a server answers. Raises OSError, ValueError or HTTPException where it
    does not within so many seconds, however little by little it does.
    """
    said: SimpleQueue[int | Exception] = SimpleQueue()
    Thread(target=_ask, args=(url, seconds, said), daemon=True).start()
    try:
        found = said.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if isinstance(found, Exception):
        raise found
    return found


def _ask(url: str, seconds: float, said: "SimpleQueue[int | Exception]") -> None:
    try:
        with urlopen(url, timeout=seconds) as answer:
            said.put(int(answer.status))
    except HTTPError as error:
        said.put(error.code)
    except (OSError, ValueError, HTTPException) as error:
        said.put(error)


def require_configured() -> None:
    """Raise UsageError where the server that the user has set for Prefect does not answer.

    Call it when Prefect is imported: it is set in the environment, or in files that Prefect reads.
    """
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        return
    try:
        # Whether it lets us in is for Prefect to find out.
        _status(f"{url.rstrip('/')}/health", _PATIENCE)
    except (OSError, ValueError, HTTPException) as error:
        cause = " ".join(without_login(str(getattr(error, "reason", error))).split())
        raise UsageError(
            f"PREFECT_API_URL is {without_login(url)!r}, and no Prefect server answers there:"
            f" {cause}",
            "Start that server, or unset PREFECT_API_URL: a release then starts its own.",
        ) from None


class Answering(Struct, frozen=True):
    """A server that is set for Prefect: its address and its version."""

    address: str
    version: str


def set_one(home: Path) -> Answering | None:
    """The server that is set for Prefect; None where none is, and a release starts its own.

    Imports Prefect. Raises UsageError where it does not answer, lets us not in, or is older than
    the client here.
    """
    prepare(home)
    from prefect import __version__
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        return None
    require_configured()
    address = without_login(url)
    try:
        with get_client(sync_client=True) as client:
            there = str(client.api_version())
    except Exception as error:  # noqa: BLE001 - the client's own, of HTTP, of JSON
        raise UsageError(
            f"the Prefect server at {address} does not tell its version: {error}",
            "Set PREFECT_API_KEY or PREFECT_API_AUTH_STRING, or correct PREFECT_API_URL.",
        ) from None
    if _minor(there) < _minor(__version__):
        required = ".".join(str(part) for part in _minor(__version__))
        raise UsageError(
            f"the version of the Prefect server at {address} is {there}; {required} is required",
            "Update that server.",
        )
    return Answering(address, there)


def _minor(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def answers() -> bool:
    """Whether the server that this process uses answers; call it when Prefect is imported."""
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        return True  # Prefect starts one itself
    try:
        _status(f"{url.rstrip('/')}/health", _PATIENCE_LATER)
    except (OSError, ValueError, HTTPException):
        return False
    return True


def page(run: str) -> str:
    """The address of the page of a run; empty where no server shows one."""
    if temporary_server.used():
        return ""
    from prefect.utilities.urls import url_for

    return url_for("flow-run", obj_id=run) or ""


@contextmanager
def marked(home: Path) -> Iterator[str]:
    """What is started inside is found should this process be killed; yields its mark.

    A file has the mark while this lasts: whether a process was killed is then known without asking
    Prefect.
    """
    mark = _mark(os.getpid())
    note = _note(home)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(mark, encoding="utf-8")
    os.environ[_INHERITED] = mark
    try:
        yield mark
    finally:
        del os.environ[_INHERITED]
        note.unlink(missing_ok=True)


def _note(home: Path) -> Path:
    """The file of this process: its mark, and in a second line the run that it carries out."""
    return home / "prefect" / "running" / f"{os.getpid()}.txt"


def without_tracebacks() -> None:
    """Let a run that ends red by its own account log nothing more: Prefect logs the state that it
    ended in as an error of its own, with forty lines of its code.
    """
    for name in ("prefect.flow_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    from prefect.exceptions import FailedRun

    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))


@contextmanager
def followed(home: Path, run: str) -> Iterator[None]:
    """While this lasts, a run that a worker began is found should both be killed; a command has
    marked its own already.
    """
    if _note(home).is_file():
        yield
        return
    with marked(home) as mark:
        write_atomic(_note(home), f"{mark}\n{run}".encode())
        yield


def claim(home: Path, run: str) -> None:
    """Note which run this process carries out, and take its tag away, which people would read."""
    note = _note(home)
    mark, known = _lines(note)
    if not mark or known:
        return  # a run of a worker, which has no such tag
    write_atomic(note, f"{mark}\n{run}".encode())
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        tags = client.read_flow_run(UUID(run)).tags
        client.update_flow_run(UUID(run), tags=people_tags(tags))


def people_tags(tags: Iterable[str]) -> list[str]:
    """The tags that people gave a run, without that of its process."""
    return [tag for tag in tags if tag.partition(" ")[0] != _MARK]


@contextmanager
def tagged(mark: str) -> Iterator[None]:
    """Every run that begins inside carries a tag that names its process, until it is claimed."""
    from prefect import tags

    with tags(mark):
        yield


@contextmanager
def untagged() -> Iterator[None]:
    """The tasks of a run leave its tag to it: for each tag of a task Prefect asks for a slot, half
    a second a task.
    """
    from prefect.context import TagsContext

    with TagsContext():
        yield


def killed(home: Path) -> list[Path]:
    """The files of processes that did not come to their end."""
    notes = (home / "prefect" / "running").glob("*.txt")
    return [note for note in notes if dead(_lines(note)[0])]


def _lines(note: Path) -> tuple[str, str]:
    """The mark of a process, and the id of its run; empty where it has none yet.

    Both are empty where the process came to its end meanwhile and took its file with it.
    """
    try:
        text = note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "", ""
    mark, _, run = text.partition("\n")
    return mark, run


def _mark(pid: int) -> str:
    """This machine since it was started, and a process in it since that was started: a number may
    be used again.
    """
    return " ".join((_MARK, *_machine(), str(pid), _started(pid)))


def _machine() -> tuple[str, str, str]:
    """The name of this machine, when it was started, and the space in which its numbers of
    processes hold.

    Read from Linux itself: psutil tells the time of the start, which moves with the clock, and not
    the space.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return socket.gethostname(), boot, Path("/proc/self/ns/pid").readlink().name
    except OSError:  # no Linux
        return socket.gethostname(), _UNKNOWN, _UNKNOWN


def _started(pid: int) -> str:
    """When a process was started, in ticks since its machine was; `?` where it is not there, or
    nobody tells.

    Not psutil's time of day: it is compared much later, and a clock that was set in between would
    make a process dead.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return _UNKNOWN


def dead(mark: str) -> bool:
    """Whether the process of a tag is known to be gone: never where it was one of another
    machine.
    """
    words = mark.split(" ")
    if len(words) != 6 or words[0] != _MARK:
        return False
    _, host, boot, space, pid, started = words
    here = _machine()
    if host != here[0]:
        return False
    if boot != here[1]:
        return True  # the machine was started again since
    if space != here[2]:
        return False
    if started == _UNKNOWN:
        return not psutil.pid_exists(int(pid))
    return _started(int(pid)) != started


def end_orphans(home: Path) -> int:
    """Kill what killed processes had started and left behind: Prefect's server, builders,
    containers; their number.

    A builder that goes on would work in the same folders as the one that is started next.
    """
    marks = {_lines(note)[0] for note in killed(home)} - {""}
    if not marks:
        return 0
    ended = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone meanwhile, or another user's
            if process.environ().get(_INHERITED) in marks:
                process.kill()
                ended += 1
    return ended


def close_dead(home: Path, url: str = "") -> int:
    """Let Prefect know that runs whose process was killed are over, as Crashed; their number.

    `url` is the server's, where it is not the one that this process is told about.
    """
    notes = killed(home)
    claimed = {run for _, run in map(_lines, notes) if run}
    end_orphans(home)
    from prefect.client.orchestration import SyncPrefectClient, get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    open_ = filters.FlowRunFilterStateType(
        any_=[StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED]
    )
    running = filters.FlowRunFilter(state=filters.FlowRunFilterState(type=open_))
    with SyncPrefectClient(api=f"{url}/api") if url else get_client(sync_client=True) as client:
        found = [
            run
            for run in client.read_flow_runs(flow_run_filter=running)
            if str(run.id) in claimed or any(dead(tag) for tag in run.tags)
        ]
        for run in found:
            _close(client, run.id)
            client.update_flow_run(run.id, tags=people_tags(run.tags))
    for note in notes:
        note.unlink(missing_ok=True)
    return len(found)


def _close(client: "SyncPrefectClient", run: "UUID") -> None:
    """The tasks first: a run that is over is not looked at again."""
    from prefect.client.schemas import filters
    from prefect.states import Crashed

    message = "The process was killed. What was done is kept: the next release goes on from there."
    within = filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[run]))
    for task in client.read_task_runs(flow_run_filter=within):
        if not (task.state and task.state.is_final()):
            client.set_task_run_state(task.id, Crashed(message=message), force=True)
    client.set_flow_run_state(run, Crashed(message=message), force=True)
