"""What a step put out when it last ended on this machine."""

from pathlib import Path
from typing import TypeVar

import msgspec

from flows.engine import store
from flows.engine.store import Record, Result
from flows.facts.step_files import RECORD
from sluice.model.json_file import decode_json

F = TypeVar("F", bound=msgspec.Struct)


def last(home: Path, model: str, step: str, facts: type[F]) -> Result[F] | None:
    """What a step put out when it last ended for a model, found by its inputs; None where it is
    not there any more. Raises Altered where it was changed since.
    """
    path = home / "latest" / model / f"{step}.json"
    try:
        inputs = decode_json(path.read_bytes(), dict[str, str], str(path))
    except (OSError, ValueError, RecursionError):
        return None
    for record in sorted((home / "store" / step).glob(f"[!.]*/{RECORD}")):
        try:
            found = decode_json(record.read_bytes(), Record, RECORD)
        except (OSError, ValueError, RecursionError):
            continue  # it is not whole, so it is not what ended last
        if found.inputs == inputs:
            return store.find(home, step, found.key, facts)
    return None
