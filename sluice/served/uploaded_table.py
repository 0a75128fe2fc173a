"""Tables as people hand them in: each row checked by itself, the good ones ready for the model, the
wrong ones named.

Served with the model. What the model is not fed is left behind here: nothing after this sees a
protected column.
"""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sluice.errors import Refused
from sluice.served.cells import read_cell
from sluice.served.contract import Column, Contract
from sluice.served.csv_header import Opening, find_opening
from sluice.served.encoding import FieldError, InvalidFields, assemble, layout
from sluice.served.records import read_all, thorough
from sluice.served.table_refusals import check_bytes

Record = Mapping[str, object]
# rows checked at once; one wrong row makes the others of its chunk be checked one by one
_CHUNK = 1000
# a spreadsheet takes a cell that starts so for a formula, or for two cells
_RUN = tuple("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True)
class Row:
    """A row that the contract allows: its line in the file, its id, and the record by column
    key.
    """

    line: int
    id: str
    record: Record


@dataclass(frozen=True)
class Problem:
    """A row that the contract does not allow, with every field that is wrong."""

    line: int
    id: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True)
class Sheet:
    """The rows of a table, in its order; `unused` names its columns that the model is not shown."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...]


def check_record(contract: Contract, record: Record) -> tuple[FieldError, ...]:
    """What of a record the contract does not allow; nothing where it can be scored."""
    try:
        assemble(layout(contract), thorough(contract, [record]))
    except InvalidFields as refused:
        return refused.errors
    return ()


def read_csv(
    data: bytes, contract: Contract, source: str, most: int | None = None, advice: str = ""
) -> Sheet:
    """Check a CSV row by row. Raise Refused where it is no such table, or has more than `most`
    rows.

    Commas, semicolons, tabs and vertical bars separate, or what Excel's `sep=` names in a line
    above the header; a column is found by its name, published or in snake case. `advice` says how
    to save a file that is no such text.
    """
    check_bytes(data, source, advice)
    lines = _lines(data, find_opening(data, contract), source)
    names = [cell.strip() for cell in next(lines, (1, []))[1]]
    columns = find_columns(names, contract, source)
    rows = list(itertools.islice(lines, most if most is None else most + 1))
    if not rows:
        raise Refused(f"{source} has a header and no rows", "Add a line for each row.")
    if most is not None and len(rows) > most:
        raise Refused(f"{source} has more than {most:,} rows", "Split it into smaller files.")
    ragged = {line: cells for line, cells in rows if len(cells) != len(names)}
    good = [(line, *_record(columns, cells)) for line, cells in rows if line not in ragged]
    sheet = check_rows(contract, good)
    allowed = f"{len(names)} cells, as in the header"
    odd = [
        Problem(line, "", (FieldError(0, "the row", f"{len(c)} cells", allowed),))
        for line, c in ragged.items()
    ]
    problems = sorted([*sheet.problems, *odd], key=lambda problem: problem.line)
    return Sheet(sheet.rows, tuple(problems), unused(names, contract))


def find_columns(names: Sequence[str], contract: Contract, source: str) -> list[Column | None]:
    """For each name the column that it means, None where it is neither a feature nor the id.

    Raise Refused where a column is missing or stands twice.
    """
    found = [contract.find(name) for name in names]
    twice = [column.name for column, count in Counter(c for c in found if c).items() if count > 1]
    if twice:
        raise Refused(
            f"{source} has more than one column for {', '.join(twice)}", "Keep one of them."
        )
    missing = [column.name for column in contract.features if column not in found]
    if len(missing) == len(contract.features):
        what = f"{source} names no column of the model in its first line"
        raise Refused(what, f"The first line holds the names: {', '.join(missing[:3])}, and so on.")
    if missing:
        strange = [
            name for name, column in zip(names, found, strict=True) if column is None and name
        ]
        also = (
            f" Is it one of these, under another name: {', '.join(strange[:5])}?" if strange else ""
        )
        blank = all(
            column.missing == "impute" for column in contract.features if column.name in missing
        )
        known = "; an empty cell says not known" if blank else ""
        raise Refused(f"{source} lacks {', '.join(missing)}", f"Add what is missing{known}.{also}")
    return [column if column and column.role in ("feature", "id") else None for column in found]


def unused(names: Iterable[str], contract: Contract) -> tuple[str, ...]:
    """The names of the columns that are neither fed to the model nor used to tell rows apart."""
    kept = {
        name for column in (*contract.features, contract.id) for name in (column.name, column.key)
    }
    return tuple(name for name in names if name and name not in kept)


def check_rows(contract: Contract, rows: Sequence[tuple[int, str, Record]]) -> Sheet:
    """Check rows of (line, id, record) against the contract."""
    good: list[Row] = []
    problems: list[Problem] = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        whole = _allowed(contract, [record for _, _, record in chunk])
        for line, name, record in chunk:
            errors = () if whole else check_record(contract, record)
            if errors:
                problems.append(Problem(line, name, errors))
            else:
                good.append(Row(line, name, record))
    return Sheet(tuple(good), tuple(problems), ())


def write_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV in which no cell is run as a formula by the spreadsheet that opens it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RUN) else cell


def _allowed(contract: Contract, records: Sequence[Record]) -> bool:
    try:
        assemble(layout(contract), read_all(contract, records))
    except InvalidFields:
        return False
    return True


def _lines(data: bytes, opening: Opening, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, the header first, each with the line it starts in."""
    text = io.StringIO(data[opening.start :].decode("utf-8"), newline="")
    reader = csv.reader(text, delimiter=opening.separator, strict=True)
    line = opening.line
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            what = f"{source} cannot be split into cells from line {line} on ({error})"
            raise Refused(
                what, "Is a quotation mark left open there? Export the file again."
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = opening.line + reader.line_num


def _record(columns: Sequence[Column | None], cells: Sequence[str]) -> tuple[str, Record]:
    """The id and the record of a row; what the model is not fed is left behind."""
    name, record = "", {}
    for column, cell in zip(columns, cells, strict=True):
        if column and column.role == "id":
            name = cell.strip()
        elif column:
            record[column.key] = read_cell(column, cell)
    return name, record
