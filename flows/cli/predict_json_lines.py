"""JSON lines of people, as strictly as the service reads a body: what is not plainly said is a
wrong row.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.errors import Refused
from sluice.served.contract import Contract
from sluice.served.encoding import FieldError
from sluice.served.strict_json import DECODER, Odd, Twice
from sluice.served.uploaded_table import Problem, Record, Sheet, check_rows


def read_json_lines(data: bytes, contract: Contract, source: str) -> Sheet:
    """The rows of JSON lines, by the letter: no name twice, no NaN. Raise Refused where the bytes
    are no UTF-8.
    """
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
    return Sheet(
        sheet.rows,
        tuple(problems),
        tuple(name for name in seen if name in left and name not in ids),
    )


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
        value = DECODER.decode(line)
    except Twice as twice:
        said = " and ".join(repr(value)[:30] for value in twice.values[:3])
        return FieldError(0, twice.name[:80], said, "each name once")
    except (ValueError, RecursionError):
        value = line
    return (
        value
        if isinstance(value, dict)
        else FieldError(0, "the line", repr(value)[:80], "one JSON object")
    )


def _person(contract: Contract, record: Mapping[str, Any]) -> str | FieldError:
    """The id that a record gives, empty for none, or what is wrong with it."""
    column = contract.id
    given = [record[name] for name in dict.fromkeys((column.name, column.key)) if name in record]
    if len(given) > 1:
        return FieldError(
            0, column.name, " and ".join(repr(value)[:30] for value in given), "each field once"
        )
    value = given[0] if given else None
    if isinstance(value, bool | Odd):
        return FieldError(0, column.name, repr(value)[:80], column.allowed)
    return "" if value is None else str(value)
