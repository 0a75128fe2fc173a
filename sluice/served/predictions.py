"""Lines of the prediction log: whom they are about, and how those of a person are found again.

The log holds a salted hash of each person's id. Without the salt nobody can tell who it was; with
it only those who have the id can.
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable

from sluice.errors import UsageError
from sluice.served.contract import Column

_LONGEST = 200  # characters of an id
_HUGE = 1e300  # beyond every limit


def person_hash(salt: str, person: str) -> str:
    """The salted hash of a person's id, 32 hexadecimal characters.

    Raise UsageError without a salt.
    """
    if not salt:
        raise UsageError(
            "SLUICE_LOG_SALT is not set", "Set it to the text that the service was started with."
        )
    return hmac.new(salt.encode(), person.strip().encode(), hashlib.sha256).hexdigest()[:32]


def person_id(column: Column, value: object) -> str | None:
    """The id of a person as one text, however the number was written.

    None where the id column allows no such value.
    """
    if column.numeric:
        return _number_id(column, value)
    if not isinstance(value, str) or (column.values and value not in column.values):
        return None
    text = value.strip()
    return text if 0 < len(text) <= _LONGEST else None


def _number_id(column: Column, value: object) -> str | None:
    """The id of a person whose column is numeric: `7`, `7.0` and `7e0` are one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _HUGE:
        return None
    if not column.minimum <= value <= column.maximum:  # type: ignore[operator]
        return None
    if column.kind == "number":
        return f"{value:.15g}"
    return str(int(value)) if value == int(value) else None


def sampled(name: str, share: float) -> bool:
    """Whether the answer with this id is in the share that is kept; an id decides it for good."""
    return share >= 1.0 or zlib.crc32(name.encode()) < share * 2**32


def answers_of(lines: Iterable[str], person: str) -> set[str]:
    """The ids of the answers about a person, who is given by hash."""
    ids: set[str] = set()
    for line in lines:
        # Most lines are of others: they are not parsed.
        if person in line:
            entry = _entry(line)
            if entry.get("person") == person:
                ids.add(str(entry["id"]))
    return ids


def without(lines: Iterable[str], person: str, answers: set[str]) -> list[str]:
    """The lines that are about neither this person nor one of these answers.

    Lines that are not from the log stay.
    """
    others: list[str] = []
    for line in lines:
        entry = _entry(line)
        if entry.get("person") != person and entry.get("id") not in answers:
            others.append(line)
    return others


def _entry(line: str) -> dict[str, object]:
    """The object of a line; empty where it holds none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):  # half a line, which was being written when the power went
        return {}
    return entry if isinstance(entry, dict) else {}
