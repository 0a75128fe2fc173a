"""Lines of the prediction log: what one holds, and how those of a person are found again.

A person is kept as a salted hash: without the salt nobody can tell who it was, with it only who has
the id.
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable
from typing import Any

from sluice.errors import UsageError
from sluice.served.contract import Column

_LONGEST = 200


def person_hash(salt: str, person: str) -> str:
    """The salted hash of a person's id, 32 hexadecimal characters. Raises UsageError without a
    salt.
    """
    if not salt:
        raise UsageError(
            "SLUICE_LOG_SALT is not set", "Set it to the text that the service was started with."
        )
    return hmac.new(salt.encode(), person.strip().encode(), hashlib.sha256).hexdigest()[:32]


def person_id(column: Column, value: object) -> str | None:
    """The id of a person as one text, however the number was written; None where the id column
    allows no such value.
    """
    if column.numeric:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            return None
        inside = column.minimum <= value <= column.maximum  # type: ignore[operator]
        if column.kind == "integer":
            return str(int(value)) if inside and value == int(value) else None
        return f"{value:.15g}" if inside else None
    if not isinstance(value, str) or (column.values and value not in column.values):
        return None
    return value.strip() if 0 < len(value.strip()) <= _LONGEST else None


def sampled(name: str, share: float) -> bool:
    """Whether the answer of this id is among the share that is kept; always the same for the same
    id.
    """
    return share >= 1.0 or zlib.crc32(name.encode()) < share * 2**32


def answers_of(lines: Iterable[str], person: str) -> set[str]:
    """The ids of the answers about a person, who is given by hash."""
    return {
        str(entry["id"])
        for line in lines
        if person in line and (entry := _entry(line)).get("person") == person
    }


def without(lines: Iterable[str], person: str, answers: set[str]) -> list[str]:
    """The lines that are about neither this person nor one of these answers. What is no line of
    ours stays.
    """
    kept = []
    for line in lines:
        entry = _entry(line)
        if entry.get("person") != person and entry.get("id") not in answers:
            kept.append(line)
    return kept


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:  # the end of a line that was being written when the power went
        return {}
    return entry if isinstance(entry, dict) else {}
