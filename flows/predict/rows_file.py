"""A file of rows for `sluice predict`: CSV, Parquet or JSON lines, each row checked by itself."""

import io
import math
import sys
from pathlib import Path

from flows.predict.json_lines import read_json_lines
from sluice.errors import Refused, UsageError, cause
from sluice.served.cells import read_table_cell
from sluice.served.contract import Column, Contract
from sluice.served.encoding import Record
from sluice.served.uploaded_table import Sheet, check_rows, find_columns, read_csv, unused


def read_rows(path: Path, contract: Contract) -> Sheet:
    """Read the rows of a file, `-` for the standard input.

    Raises UsageError where it cannot be read, Refused where it is no such table. What is wrong with
    a row is in the sheet.
    """
    if str(path) == "-":
        source = "the standard input"
        data = sys.stdin.buffer.read()
    else:
        source = path.name
        data = _bytes(path)
    if data.startswith(b"PAR1"):
        return _parquet(data, contract, source)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return read_json_lines(data, contract, source)
    return read_csv(data, contract, source)


def _bytes(path: Path) -> bytes:
    """The bytes of a file. Raises UsageError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {cause(error)}", "Name a CSV, Parquet or JSON lines file."
        ) from None


def _parquet(data: bytes, contract: Contract, source: str) -> Sheet:
    """The rows of a Parquet file, checked. Raises Refused where it is damaged or no such table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError):
        raise Refused(f"{source} is a damaged Parquet file", "Copy or export it again.") from None
    columns = find_columns(table.column_names, contract, source)
    used = [column for column in columns if column]
    cells = [table.column(index).to_pylist() for index, column in enumerate(columns) if column]
    rows = []
    for number, row in enumerate(zip(*cells, strict=True), 1):
        rows.append(_row(number, used, row))
    sheet = check_rows(contract, rows)
    return Sheet(sheet.rows, sheet.problems, unused(table.column_names, contract))


def _row(number: int, columns: list[Column], cells: tuple[object, ...]) -> tuple[int, str, Record]:
    """Number, id (empty for none) and record of a row."""
    row_id = ""
    record: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        value = None if _missing(cell) else cell
        if column.role == "id":
            row_id = "" if value is None else str(value)
        elif isinstance(value, str):
            record[column.key] = read_table_cell(column, value)
        else:
            record[column.key] = value
    return number, row_id, record


def _missing(cell: object) -> bool:
    """Whether a cell has no value: pandas writes NaN for it."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
