"""A file of people for `sluice predict`: CSV, Parquet or JSON lines, each row checked by itself."""

import io
import sys
from pathlib import Path
from typing import Any

from flows.cli.predict_json_lines import read_json_lines
from sluice.errors import Refused, UsageError
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.uploaded_table import Record, Sheet, check_rows, find_columns, read_csv, unused


def read_people(path: Path, contract: Contract) -> Sheet:
    """The rows of a file, `-` for the standard input. Raise UsageError, or Refused where it is no
    such table.
    """
    source, data = (
        ("the standard input", sys.stdin.buffer.read())
        if str(path) == "-"
        else (path.name, _bytes(path))
    )
    if data.startswith(b"PAR1"):
        return _parquet(data, contract, source)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return read_json_lines(data, contract, source)
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
        # NaN is how pandas writes a missing value
        value = None if isinstance(cell, float) and cell != cell else cell
        if column.role == "id":
            name = "" if value is None else str(value)
        else:
            record[column.key] = read_cell(column, value) if isinstance(value, str) else value
    return number, name, record
