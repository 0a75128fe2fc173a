"""JSON by the letter: no name twice in an object, and what no column takes stays as it was written,
to be shown.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SHOWN = 80  # characters of a value that are kept to be shown
# of a whole number; a longer one is beyond every range, and Python refuses to read or to write it
_DIGITS = 300


@dataclass(frozen=True)
class Odd:
    """A value that no column takes, as it was written: NaN, an infinity, a number too long, a list,
    an object.
    """

    text: str

    def __repr__(self) -> str:
        return self.text


class Twice(Exception):
    """A name that stands more than once in one object, and its values."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        super().__init__(name)
        self.name, self.values = name, values


def as_json(value: object) -> str:
    """The beginning of a value as JSON has it, without the halves of characters that nobody can
    send.
    """
    return plain(json.dumps(value, ensure_ascii=False, default=repr))


def plain(text: str) -> str:
    """The beginning of a text, the same way."""
    return text[:_SHOWN].encode("utf-8", "replace").decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different, and whose values are short."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Twice(name, [value for other, value in pairs if other == name])
    return {
        name: Odd(as_json(value)) if type(value) in (list, dict) else value for name, value in pairs
    }


def _whole(text: str) -> int | Odd:
    return int(text) if len(text) <= _DIGITS else Odd(text[:_SHOWN])


def _number(text: str) -> float | Odd:
    number = float(text)
    return number if math.isfinite(number) else Odd(text[:_SHOWN])


# Raises ValueError for what is not JSON, RecursionError for what is nested too deeply, and Twice.
DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=Odd, parse_int=_whole, parse_float=_number
)
