"""A file of people for `sluice predict`: CSV, Parquet or JSON lines, each row checked by itself."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.contract import Column, Contract
from sluice.encoding import FieldError
from sluice.errors import Refused, UsageError
from sluice.sheet import Problem, Record, Sheet, check_rows, find_columns, read_cell, read_csv, unused


def read_people(path: Path, contract: Contract) -> Sheet:
    """The rows of a file, `-` for the standard input. Raise UsageError, or Refused where it is no such table."""
    source, data = ("the standard input", sys.stdin.buffer.read()) if str(path) == "-" else (path.name, _bytes(path))
    if data.startswith(b"PAR1"):
        return _parquet(data, contract, source)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _json_lines(data, contract, source)
    return read_csv(data, contract, source)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "Name a CSV, Parquet or JSON lines file."
        ) from None


def _parquet(data: bytes, contract: Contract, source: str) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError):
        raise Refused(f"{source} is a damaged Parquet file", "Copy or export it again.") from None
    columns = find_columns(table.column_names, contract, source)
    cells = [table.column(place).to_pylist() for place, column in enumerate(columns) if column]
    kept = [column for column in columns if column]
    rows = [_row(number, kept, row) for number, row in enumerate(zip(*cells, strict=True), 1)]
    sheet = check_rows(contract, rows)
    return Sheet(sheet.rows, sheet.problems, unused(table.column_names, contract))


def _row(number: int, columns: list[Column], cells: tuple[Any, ...]) -> tuple[int, str, Record]:
    name, record = "", {}
    for column, cell in zip(columns, cells, strict=True):
        value = None if isinstance(cell, float) and cell != cell else cell  # NaN is how pandas writes a missing value
        if column.role == "id":
            name = "" if value is None else str(value)
        else:
            record[column.key] = read_cell(column, value) if isinstance(value, str) else value
    return number, name, record


def _json_lines(data: bytes, contract: Contract, source: str) -> Sheet:
    left = {name for c in contract.columns if c.role not in ("feature", "id") for name in (c.name, c.key)}
    ids = (contract.id.name, contract.id.key)
    rows: list[tuple[int, str, Record]] = []
    broken: list[Problem] = []
    seen: dict[str, None] = {}
    for line, value in _objects(data, source):
        if not isinstance(value, dict):
            broken.append(Problem(line, "", (FieldError(0, "the line", repr(value)[:80], "one JSON object"),)))
            continue
        seen |= dict.fromkeys(value)
        name = next((str(value[key]) for key in ids if value.get(key) is not None), "")
        rows.append((line, name, {key: cell for key, cell in value.items() if key not in left and key not in ids}))
    sheet = check_rows(contract, rows)
    problems = sorted([*sheet.problems, *broken], key=lambda problem: problem.line)
    return Sheet(sheet.rows, tuple(problems), tuple(name for name in seen if name in left))


def _objects(data: bytes, source: str) -> Iterator[tuple[int, Any]]:
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{source} is not UTF-8 at byte {error.start}", "Save it as UTF-8.") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, line
