"""JSON lines, read as strictly as the service does: an ambiguous line is a wrong row."""

from collections.abc import Iterable, Iterator

from sluice.errors import Refused
from sluice.served.contract import Contract
from sluice.served.encoding import FieldError, Record
from sluice.served.strict_json import DECODER, Odd, Twice
from sluice.served.uploaded_table import Problem, Sheet, check_rows

LineObject = dict[str, object]  # the object of one line, before anything of it is checked


def read_json_lines(data: bytes, contract: Contract, source: str) -> Sheet:
    """Read the rows of JSON lines: no name twice, no NaN.

    What is wrong with a row is in the sheet. Raises Refused where the bytes are no UTF-8.
    """
    ignored = _ignored(contract)
    rows: list[tuple[int, str, Record]] = []
    problems: list[Problem] = []
    names: dict[str, None] = {}  # in the order in which they came
    for line, value in _objects(data, source):
        if isinstance(value, FieldError):
            problems.append(Problem(line, "", (value,)))
            continue
        row_id = _id_of(contract, value)
        if isinstance(row_id, FieldError):
            problems.append(Problem(line, "", (row_id,)))
            continue
        names |= dict.fromkeys(value)
        record = {key: cell for key, cell in value.items() if key not in ignored}
        rows.append((line, row_id, record))
    sheet = check_rows(contract, rows)
    problems = sorted([*sheet.problems, *problems], key=lambda problem: problem.line)
    ids = (contract.id.name, contract.id.key)
    unused = [name for name in names if name in ignored and name not in ids]
    return Sheet(sheet.rows, tuple(problems), tuple(unused))


def _ignored(contract: Contract) -> set[str]:
    """Names and keys of the columns that are not asked for: their values are left out."""
    columns = [column for column in contract.columns if column.role != "feature"]
    return {column.name for column in columns} | {column.key for column in columns}


def _objects(data: bytes, source: str) -> Iterator[tuple[int, LineObject | FieldError]]:
    """Number and object of each line that is not empty, or what is wrong with the line."""
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{source} is not UTF-8 at byte {error.start}", "Save it as UTF-8.") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: str) -> LineObject | FieldError:
    """The object of a line, or what is wrong with the line."""
    try:
        value = DECODER.decode(line)
    except Twice as twice:
        return FieldError(0, twice.name[:80], _several(twice.values[:3]), "each name once")
    except (ValueError, RecursionError):
        value = line
    if isinstance(value, dict):
        return value
    return FieldError(0, "the line", repr(value)[:80], "one JSON object")


def _several(values: Iterable[object]) -> str:
    return " and ".join(repr(value)[:30] for value in values)


def _id_of(contract: Contract, record: LineObject) -> str | FieldError:
    """The id that a record gives, empty for none, or what is wrong with it."""
    column = contract.id
    names = dict.fromkeys((column.name, column.key))
    values = [record[name] for name in names if name in record]
    if len(values) > 1:
        return FieldError(0, column.name, _several(values), "each field once")
    value = values[0] if values else None
    if isinstance(value, bool | Odd):
        return FieldError(0, column.name, repr(value)[:80], column.allowed)
    return "" if value is None else str(value)
