"""The programs that a test cluster consists of: started in the background, noted in its folder, and
ended by whoever comes next.
"""

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from flows.adapters.server import Starting, start
from sluice.errors import SluiceError, UsageError

_PATIENCE = 15.0  # seconds that a program has to end by itself
_SHOWN = 3000  # characters of a log that an error shows


@dataclass(frozen=True)
class Noted:
    """A program that was started, with what: a process id may be used again, so its start is noted
    too.
    """

    name: str
    pid: int
    began: float
    words: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.began and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def begin(
    folder: Path,
    name: str,
    words: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
    port: int = 0,
) -> Starting:
    """Start a program; what it prints is in `<folder>/logs/<name>.log`."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    started = start(words, port, folder / "logs" / f"{name}.log", env=env)
    note(folder, name, started.process.pid, words, env or {})
    return started


def note(
    folder: Path,
    name: str,
    pid: int,
    words: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
) -> None:
    """Remember a process that runs, so that `end` finds it, in the place of one of that name."""
    began = psutil.Process(pid).create_time()
    new = Noted(name, pid, began, [str(word) for word in words], dict(env or {}))
    listed = noted(folder)
    places = [place for place, one in enumerate(listed) if one.name == name]
    if places:
        listed[places[0]] = new
    else:
        listed.append(new)
    _write(folder, listed)


def noted(folder: Path) -> list[Noted]:
    """All that were started, the first one first."""
    try:
        return [Noted(**one) for one in json.loads((folder / "processes.json").read_text())]
    except FileNotFoundError:
        return []


def stop(folder: Path, name: str) -> None:
    """End one of them, as if it were away; `again` brings it back. Raises UsageError for a name
    that none has.
    """
    one = _named(folder, name)
    if one.alive():
        _end([one.pid])


def again(folder: Path, name: str) -> None:
    """Start one of them as it was started, unless it runs. Raises UsageError for a name that none
    has.
    """
    one = _named(folder, name)
    if not one.alive():
        begin(folder, name, one.words, one.env)


def end(folder: Path) -> None:
    """End what was started, all at once, and what those started."""
    _end([one.pid for one in noted(folder) if one.alive()])
    _write(folder, [])


def require_alive(folder: Path) -> None:
    """Raise SluiceError with the end of its log where a program ended by itself."""
    for one in noted(folder):
        if not one.alive():
            log = folder / "logs" / f"{one.name}.log"
            printed = log.read_text(errors="replace")[-_SHOWN:] if log.exists() else ""
            raise SluiceError(f"{one.name} ended; it printed:\n{printed}")


def _named(folder: Path, name: str) -> Noted:
    # What was started elsewhere has no words to be started with.
    known = {one.name: one for one in noted(folder) if one.words}
    if name not in known:
        raise UsageError(
            f"{name} is no part of this cluster that can be stopped and started",
            f"Known: {', '.join(sorted(known)) or 'none, it is not up'}.",
        )
    return known[name]


def _end(pids: Sequence[int]) -> None:
    """A program that is told to end ends its own children; what is left after a while is killed."""
    told = [psutil.Process(pid) for pid in pids]
    family = [*told, *(child for one in told for child in one.children(recursive=True))]
    for one in told:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.terminate()
    psutil.wait_procs(told, _PATIENCE)
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, _PATIENCE)


def _write(folder: Path, listed: Sequence[Noted]) -> None:
    part = folder / f".processes-{time.monotonic_ns()}"
    part.touch(0o600)
    part.write_text(json.dumps([asdict(one) for one in listed], indent=2))
    part.replace(folder / "processes.json")
