"""JSON lines of people, as strictly as the service reads a body: what is not plainly said is a wrong row."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.contract import Contract
from sluice.encoding import FieldError
from sluice.errors import Refused
from sluice.sheet import Problem, Record, Sheet, check_rows

_DIGITS = 300  # of a whole number; a longer one is beyond every range, and Python refuses to read or to write it


@dataclass(frozen=True)
class _Literal:
    """A value that no column allows, as it is shown: NaN, an infinity, a number too long, a list or an object."""

    text: str

    def __repr__(self) -> str:
        return self.text


class _Twice(Exception):
    """A name that stands more than once in one object, and its values."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        super().__init__(name)
        self.error = FieldError(0, name[:80], " and ".join(repr(value)[:30] for value in values[:3]), "each name once")


def read_json_lines(data: bytes, contract: Contract, source: str) -> Sheet:
    """The rows of JSON lines, by the letter: no name twice, no NaN. Raise Refused where the bytes are no UTF-8."""
    left = {name for c in contract.columns if c.role != "feature" for name in (c.name, c.key)}
    ids = (contract.id.name, contract.id.key)
    rows: list[tuple[int, str, Record]] = []
    broken: list[Problem] = []
    seen: dict[str, None] = {}
    for line, value in _objects(data, source):
        found = value if isinstance(value, FieldError) else _person(contract, value)
        if isinstance(found, FieldError):
            broken.append(Problem(line, "", (found,)))
            continue
        seen |= dict.fromkeys(value)
        rows.append((line, found, {key: cell for key, cell in value.items() if key not in left}))
    sheet = check_rows(contract, rows)
    problems = sorted([*sheet.problems, *broken], key=lambda problem: problem.line)
    return Sheet(sheet.rows, tuple(problems), tuple(name for name in seen if name in left and name not in ids))


def _objects(data: bytes, source: str) -> Iterator[tuple[int, Any]]:
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{source} is not UTF-8 at byte {error.start}", "Save it as UTF-8.") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: str) -> Any:
    """The object of a line, or what is wrong with the line."""
    try:
        value = json.loads(line, object_pairs_hook=_once, parse_constant=_Literal, parse_int=_whole, parse_float=_float)
    except _Twice as twice:
        return twice.error
    except (ValueError, RecursionError):
        value = line
    return value if isinstance(value, dict) else FieldError(0, "the line", repr(value)[:80], "one JSON object")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _Twice(name, [value for other, value in pairs if other == name])
    # Shown here, where one that is nested too deeply to be shown makes the line a broken one.
    return {name: _Literal(repr(v)[:80]) if isinstance(v, list | dict) else v for name, v in found.items()}


def _whole(text: str) -> int | _Literal:
    return int(text) if len(text) <= _DIGITS else _Literal(text)


def _float(text: str) -> float | _Literal:
    return float(text) if math.isfinite(float(text)) else _Literal(text)


def _person(contract: Contract, record: Mapping[str, Any]) -> str | FieldError:
    """The id that a record gives, empty for none, or what is wrong with it."""
    column = contract.id
    given = [record[name] for name in dict.fromkeys((column.name, column.key)) if name in record]
    if len(given) > 1:
        return FieldError(0, column.name, " and ".join(repr(value)[:30] for value in given), "each field once")
    value = given[0] if given else None
    if isinstance(value, bool | _Literal):
        return FieldError(0, column.name, repr(value)[:80], column.allowed)
    return "" if value is None else str(value)
