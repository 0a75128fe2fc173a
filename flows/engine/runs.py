"""What releases on this machine did: a line for each run, read without Prefect.

A line says which steps were done and which taken from before, how long they took, and how it ended.
It holds no figure of a model and no value of a row. The lines lie in `runs/<model>.jsonl` of the
state folder; the newest are kept.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from flows.adapters.files import write_atomic
from flows.engine.outcome import Outcome

State = Literal["done", "hit", "refused"]
_KEPT = 500
_LARGEST = 2_000_000  # bytes from which older lines go
_OWN_FOLDER, _OWN_FILE = 0o700, 0o600


class StepLine(Struct, frozen=True):
    """A step of a run: done, taken from before (hit) or refused, and after how many seconds."""

    title: str
    state: State
    seconds: float


class Run(Struct, frozen=True, kw_only=True):
    """A run that came to an end: when it began (ISO 8601, UTC), how many seconds it took, its
    steps in their order, and how it ended, as `Outcome` has it; `page` is that of Prefect.
    """

    schema: int = 1
    model: str
    began: str
    seconds: float
    steps: tuple[StepLine, ...] = ()
    outcome: str
    sentence: str
    verdict: str = ""
    release: int = 0
    tag: str = ""
    commit: str = ""
    evidence: str = ""
    page: str = ""


def of(
    outcome: Outcome, steps: Sequence[StepLine], began: str, seconds: float, page: str = ""
) -> Run:
    """A run from its steps and its outcome."""
    return Run(
        model=outcome.model,
        began=began,
        seconds=round(seconds, 1),
        steps=tuple(steps),
        outcome=outcome.outcome,
        sentence=outcome.sentence,
        verdict=outcome.verdict,
        release=outcome.release,
        tag=outcome.tag,
        commit=outcome.commit,
        evidence=outcome.evidence,
        page=page,
    )


def keep(home: Path, run: Run, largest: int = _LARGEST) -> None:
    """Add the line of a run; two runs at once keep both. Older lines go from `largest` bytes on."""
    path = _path(home, run.model)
    path.parent.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > largest:
        lines = path.read_bytes().splitlines(keepends=True)
        write_atomic(path, b"".join(lines[-_KEPT:]))
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _OWN_FILE)
    try:
        os.write(file, msgspec.json.encode(run) + b"\n")  # at once: nobody's line is between
    finally:
        os.close(file)


def kept(home: Path, model: str) -> list[Run]:
    """The runs of a model that are known here, oldest first; a line that cannot be read is left
    out, such as one that a killed process began.
    """
    found = []
    try:
        lines = _path(home, model).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Run))
        except (ValueError, RecursionError):
            continue
    return found


def _path(home: Path, model: str) -> Path:
    return home / "runs" / f"{model}.jsonl"
