"""Strict JSON: no object has a name twice, and a value that no column takes stays as written.

It is kept as a text, so that a refusal can quote it.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 80  # characters of a value that are kept
# Of a whole number. A longer one is beyond every range, and Python refuses to read or to write it.
_DIGITS = 300


@dataclass(frozen=True)
class Odd:
    """A value that no column takes, as written: NaN, infinity, too long a number, list, object."""

    text: str

    def __repr__(self) -> str:
        return self.text


class Twice(Exception):
    """An object has a name more than once; holds the name and its values."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        super().__init__(name)
        self.name = name
        self.values = values


def as_json(value: object) -> str:
    """The beginning of a value as JSON, without lone surrogates, which UTF-8 cannot hold."""
    return plain(json.dumps(value, ensure_ascii=False, default=repr))


def plain(text: str) -> str:
    """The beginning of a text, without lone surrogates."""
    return text[:_SHOWN].encode("utf-8", "replace").decode()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object from its pairs. Raise Twice where a name is there more than once."""
    values = dict(pairs)
    if len(values) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Twice(name, [value for other, value in pairs if other == name])
    for name, value in pairs:
        if type(value) in (list, dict):
            values[name] = Odd(as_json(value))
    return values


def _whole(text: str) -> int | Odd:
    """A whole number, or its text where it is too long to be read."""
    return int(text) if len(text) <= _DIGITS else Odd(text[:_SHOWN])


def _number(text: str) -> float | Odd:
    """A number, or its text where it is beyond what a float holds."""
    number = float(text)
    return number if math.isfinite(number) else Odd(text[:_SHOWN])


# Raises ValueError for what is not JSON, RecursionError for what is nested too deeply, and Twice.
DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=Odd, parse_int=_whole, parse_float=_number
)
