"""The prediction log: every answer as one JSON line, and every request whose fields were refused,
written by a thread of its own.

Memory is bounded: what does not fit is dropped and counted. In a folder, files of one process and
one day grow. At any other place that fsspec knows, each write makes a file, because nothing can be
added to an object.
"""

import datetime
import fcntl
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import UNSET

from bento.http.answer import AnyAnswer, ClassAnswer, NumberAnswer
from bento.http.records import Values
from bento.http.request_parameters import Opinion
from bento.ops.settings import Settings
from sluice.served.contract import Contract
from sluice.served.encoding import listed
from sluice.served.predictions import person_hash, sampled

_LOG = logging.getLogger("sluice.prediction_log")
_EVERY = 0.5  # seconds between two writes
_EVERY_ELSEWHERE = 5.0  # the same where each write makes a file
_DAY = 86_400  # seconds
_LOOK = 3600  # seconds between two looks for files that are too old
_BLOCK = 100  # lines that are made at once
_PAUSE = 0.001  # seconds that the thread sleeps after them
# Rows about people: for who runs the service, and for no other user of the machine.
_OWN_FOLDER = 0o700
_OWN_FILE = 0o600
# What of an answer is kept.
_KEPT = ("id", "probability", "prediction", "tier", "threshold", "model", "image")
_KEPT_OF_CLASSES = ("id", "probability", "prediction", "probabilities", "model", "image")
_KEPT_OF_NUMBERS = ("id", "value", "outside", "bin", "model", "image")


@dataclass(frozen=True)
class _Prediction:
    """An answer that waits to be written, with the values as sent and the id of the person."""

    time: float
    request: str
    answer: AnyAnswer
    values: Values
    person: str


@dataclass(frozen=True)
class _Feedback:
    """An opinion that waits to be written."""

    time: float
    request: str
    opinion: Opinion


@dataclass(frozen=True)
class _Refused:
    """A request that waits to be written, with the columns for which it was refused."""

    time: float
    request: str
    columns: tuple[str, ...]


_Entry = _Prediction | _Feedback | _Refused


class PredictionLog:
    """Keeps answers, refusals and opinions; `counts` says how many lines were written, dropped and
    lost.
    """

    def __init__(self, settings: Settings, contract: Contract, facts: Mapping[str, str]) -> None:
        """`facts` are added to the line of every answer and refusal."""
        self.on = bool(settings.prediction_log)
        elsewhere = "://" in settings.prediction_log
        self.counts = {"written": 0, "queue_full": 0, "write_failed": 0}
        self._settings = settings
        self._contract = contract
        self._facts = facts
        self._waiting: deque[_Entry] = deque()
        self._every = _EVERY_ELSEWHERE if elsewhere else _EVERY
        self._ended = False
        self._wake = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        if self.on:
            self._place = _Elsewhere(settings) if elsewhere else _Folder(settings)
            self._thread.start()

    def answer(self, answer: AnyAnswer, values: Values, request: str, person: str) -> bool:
        """Keep an answer, unless the sample leaves it out. False where it was dropped.

        `values` are the features as they were sent, `person` is the id of whom it is about, empty
        where that is not known.
        """
        if not self.on or not sampled(answer.id, self._settings.log_sample):
            return True
        return self._keep(_Prediction(time.time(), request, answer, values, person))

    def refused(self, columns: Sequence[str], request: str) -> bool:
        """Keep which columns a request was refused for, and none of its values, unless the sample
        leaves it out. False where it was dropped.
        """
        if not self.on or not sampled(request, self._settings.log_sample):
            return True
        return self._keep(_Refused(time.time(), request, tuple(columns)))

    def feedback(self, opinion: Opinion, request: str) -> bool:
        """Keep what a person thinks of an answer. False where it was dropped."""
        return self._keep(_Feedback(time.time(), request, opinion))

    def stop(self) -> None:
        """Write what waits and end."""
        self._ended = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _keep(self, entry: _Entry) -> bool:
        if len(self._waiting) >= self._settings.log_queue:
            self.counts["queue_full"] += 1
            return False
        self._waiting.append(entry)
        if len(self._waiting) > self._settings.log_queue // 4:
            self._wake.set()
        return True

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(self._every)
            self._wake.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._writing:
            self._add()

    def _add(self) -> None:
        entries = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if entries:
                self._place.add(self._lines(entries))
                self.counts["written"] += len(entries)
            self._place.retain()
        except Exception as error:  # noqa: BLE001 - a full disk must not end the service
            self.counts["write_failed"] += len(entries)
            _LOG.error(
                "prediction log: %d lines are lost: %s: %s",
                len(entries),
                type(error).__name__,
                error,
            )

    def _lines(self, entries: list[_Entry]) -> bytes:
        """The lines of entries, each ended.

        Made with pauses, in which the thread that answers requests has the interpreter for itself.
        """
        parts: list[bytes] = []
        for start in range(0, len(entries), _BLOCK):
            parts += map(self._line, entries[start : start + _BLOCK])
            if not self._ended:
                time.sleep(_PAUSE)
        return b"".join(parts)

    def _line(self, entry: _Entry) -> bytes:
        """The line of one entry, ended."""
        stamp = _stamp(entry.time, "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        line: dict[str, object] = {"time": stamp, "request": entry.request}
        if isinstance(entry, _Feedback):
            opinion = {"kind": "feedback", **line, **msgspec.structs.asdict(entry.opinion)}
            return msgspec.json.encode(opinion) + b"\n"
        if isinstance(entry, _Refused):
            refused = {"kind": "refused", **line, "columns": entry.columns, **self._facts}
            return msgspec.json.encode(refused) + b"\n"
        line |= {name: getattr(entry.answer, name) for name in _kept(entry.answer)}
        if entry.person and self._settings.log_salt:
            line["person"] = person_hash(self._settings.log_salt, entry.person)
        line = {"kind": "prediction", **line, "inputs": self._inputs(entry.values), **self._facts}
        return msgspec.json.encode(line) + b"\n"

    def _inputs(self, values: Values) -> dict[str, object]:
        """The values of an answer as they were sent, by column key; None for one that was not. Of a
        category that takes any text only what the contract lists: what people write is not kept.
        """
        inputs: dict[str, object] = {}
        for column, value in zip(self._contract.features, values, strict=True):
            inputs[column.key] = None if value is UNSET else listed(column, value)
        return inputs


def _kept(answer: AnyAnswer) -> tuple[str, ...]:
    """The fields of an answer that are kept."""
    if isinstance(answer, NumberAnswer):
        return _KEPT_OF_NUMBERS
    return _KEPT_OF_CLASSES if isinstance(answer, ClassAnswer) else _KEPT


class _Folder:
    """Files `predictions-<day>-<process>-<number>.jsonl` in a folder of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.prediction_log)
        make_folder(self._folder)
        self._close_to_others()
        self._most = settings.log_rotate_bytes
        self._days = settings.log_retention_days
        self._process = secrets.token_hex(4)
        self._number = 0
        self._looked = 0.0

    def add(self, lines: bytes) -> None:
        """Add lines to the file of today, all or none. Raise OSError."""
        day = _stamp(time.time(), "%Y%m%d")
        path = self._folder / f"predictions-{day}-{self._process}-{self._number}.jsonl"
        with locked(self._folder), open(path, "ab", opener=_opened) as file:
            start = file.tell()
            try:
                file.write(lines)
                file.flush()
            except OSError:
                with suppress(OSError):
                    file.truncate(start)  # no half line
                raise
            if file.tell() > self._most:
                self._number += 1

    def _close_to_others(self) -> None:
        """Take from others the files that an older version wrote for everybody to read."""
        for path in self._folder.glob("predictions-*.jsonl"):
            with suppress(OSError):  # somebody else's, or gone meanwhile
                path.chmod(_OWN_FILE)

    def retain(self) -> None:
        """Remove the files that are too old, where nobody looked for them within the hour."""
        if self._looked and time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        oldest = _stamp(time.time() - self._days * _DAY, "%Y%m%d")
        # Whoever forgets a person writes files anew, and would bring one back that goes meanwhile.
        with locked(self._folder):
            for path in self._folder.glob("predictions-*.jsonl"):
                if path.name.split("-")[1] < oldest:
                    path.unlink(missing_ok=True)


class _Elsewhere:
    """A file for every write, at a URL that fsspec knows."""

    def __init__(self, settings: Settings) -> None:
        import fsspec

        self._system, self._root = fsspec.core.url_to_fs(settings.prediction_log)
        self._days = settings.log_retention_days
        self._process = secrets.token_hex(4)
        self._number = 0
        self._looked = 0.0

    def add(self, lines: bytes) -> None:
        """Write lines to a file of their own."""
        name = f"predictions-{_stamp(time.time(), '%Y%m%d')}-{self._process}-{self._number}.jsonl"
        self._system.makedirs(self._root, exist_ok=True)
        self._system.pipe_file(f"{self._root}/{name}", lines)
        self._number += 1

    def retain(self) -> None:
        """Remove the files that are too old, where nobody looked for them within the hour."""
        if self._looked and time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        oldest = _stamp(time.time() - self._days * _DAY, "%Y%m%d")
        for path in self._system.glob(f"{self._root}/predictions-*.jsonl"):
            if path.rpartition("/")[2].split("-")[1] < oldest:
                with suppress(FileNotFoundError):  # another worker removed it meanwhile
                    self._system.rm_file(path)


def make_folder(folder: Path) -> None:
    """Make the folder of a log, for its owner alone; one that is there stays as it is.

    Raise OSError where it cannot be made or written to.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(_OWN_FOLDER, exist_ok=True)
    with open(folder / ".lock", "ab", opener=_opened):
        pass


def _opened(path: str, flags: int) -> int:
    """Open a file that, where it is made, is its owner's alone."""
    return os.open(path, flags, _OWN_FILE)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder, so that nothing adds lines while a person's are taken out."""
    with open(folder / ".lock", "ab", opener=_opened) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _stamp(seconds: float, form: str) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime(form)
