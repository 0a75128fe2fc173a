"""Tables as people hand them in: each row is checked by itself, and the wrong ones are named.

Served with the model. What the model is not fed is left behind here: nothing after this sees a
protected column.
"""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sluice.errors import Refused
from sluice.served import table_refusals
from sluice.served.cells import read_table_cell
from sluice.served.contract import Column, Contract
from sluice.served.csv_header import Opening, find_opening, is_row_index, nameless
from sluice.served.encoding import FieldError, InvalidFields, Record, assemble, layout
from sluice.served.records import read_all, thorough
from sluice.served.table_refusals import as_utf8

# Rows that are checked at once. A wrong one makes those of its chunk be checked one by one.
_CHUNK = 1000
# A spreadsheet takes a cell that starts so for a formula, or for two cells.
_RUN = tuple("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True)
class Row:
    """A row that the contract allows: its line (from 1), its id, the record by column key."""

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
    """The rows of a table, in its order; `unused` names its columns that the model is not fed."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...]


def check_record(contract: Contract, record: Record) -> tuple[FieldError, ...]:
    """What the contract does not allow in a record; empty where it can be scored."""
    try:
        assemble(layout(contract), thorough(contract, [record]))
    except InvalidFields as refused:
        return refused.errors
    return ()


def read_csv(
    data: bytes, contract: Contract, source: str, most: int | None = None, advice: str = ""
) -> Sheet:
    """Check a CSV row by row.

    `source` names the file in messages, `most` is the number of rows that are read, and `advice`
    says how to save a file that is no such text. The header is found as
    `sluice.served.csv_header` says; a column is found by its name, published or in snake case.
    Raise Refused where the bytes are no such table, or have more rows.
    """
    data = as_utf8(data, contract, source, advice)
    if data.count(b'"') % 2:
        raise table_refusals.open_quote(data, source)
    lines = _lines(data, find_opening(data, contract), source)
    names = [cell.strip() for cell in next(lines, (1, []))[1]]
    columns = find_columns(names, contract, source)
    rows = list(itertools.islice(lines, most if most is None else most + 1))
    if not rows:
        raise Refused(f"{source} has a header and no rows", "Add a line for each row.")
    _check_nameless(names, rows, source)
    if most is not None and len(rows) > most:
        raise Refused(f"{source} has more than {most:,} rows", "Split it into smaller files.")
    sheet = _check_cells(contract, columns, rows)
    return Sheet(sheet.rows, sheet.problems, unused(names, contract))


def _check_nameless(
    names: Sequence[str], rows: Sequence[tuple[int, list[str]]], source: str
) -> None:
    """Raise Refused where a column without a name has a value, and is no row index."""
    for place in nameless(names):
        found = [cells[place].strip() for _, cells in rows if len(cells) > place]
        if any(found) and not is_row_index(place, found):
            raise table_refusals.nameless(place, len(names), source)


def _check_cells(
    contract: Contract, columns: Sequence[Column | None], rows: Sequence[tuple[int, list[str]]]
) -> Sheet:
    """Check rows of (line, cells), which have as many cells as there are columns, or are wrong."""
    whole: list[tuple[int, str, Record]] = []
    ragged: list[Problem] = []
    for line, cells in rows:
        if len(cells) == len(columns):
            whole.append((line, *_record(columns, cells)))
        else:
            ragged.append(_ragged(line, len(cells), len(columns)))
    sheet = check_rows(contract, whole)
    problems = sorted([*sheet.problems, *ragged], key=lambda problem: problem.line)
    return Sheet(sheet.rows, tuple(problems), ())


def _ragged(line: int, cells: int, expected: int) -> Problem:
    """The problem of a row that has more or fewer cells than the header."""
    allowed = f"{expected} cells, as in the header"
    return Problem(line, "", (FieldError(0, "the row", f"{cells} cells", allowed),))


def find_columns(names: Sequence[str], contract: Contract, source: str) -> list[Column | None]:
    """For each name the column that it means, None where that is neither a feature nor the id.

    Raise Refused where a feature is missing, or a column is there twice.
    """
    columns = [contract.find(name) for name in names]
    counts = Counter(column for column in columns if column)
    twice = [column.name for column, count in counts.items() if count > 1]
    if twice:
        raise Refused(
            f"{source} has more than one column for {', '.join(twice)}", "Keep one of them."
        )
    missing = [column for column in contract.features if column not in columns]
    if missing:
        unknown = [name for name, column in zip(names, columns, strict=True) if not column]
        raise _missing_columns(missing, unknown, contract, source)
    fed = ("feature", "id")
    return [column if column and column.role in fed else None for column in columns]


def _missing_columns(
    missing: Sequence[Column], unknown: Sequence[str], contract: Contract, source: str
) -> Refused:
    """Features that a header does not name, with what may help to find them."""
    names = [column.name for column in missing]
    if len(missing) == len(contract.features):
        return Refused(
            f"{source} names no column of the model in its first line",
            f"The first line holds the names: {', '.join(names[:3])}, and so on.",
        )
    fix = "Add what is missing"
    if all(column.missing == "impute" for column in missing):
        fix += "; an empty cell says not known"
    candidates = [name for name in unknown if name]
    if candidates:
        fix += f". Is it one of these, under another name: {', '.join(candidates[:5])}?"
    else:
        fix += "."
    return Refused(f"{source} lacks {', '.join(names)}", fix)


def unused(names: Iterable[str], contract: Contract) -> tuple[str, ...]:
    """The names of the columns that are neither fed to the model nor used to tell rows apart."""
    used: set[str] = set()
    for column in (*contract.features, contract.id):
        used |= {column.name, column.key}
    return tuple(name for name in names if name and name not in used)


def check_rows(contract: Contract, rows: Sequence[tuple[int, str, Record]]) -> Sheet:
    """Check rows of (line, id, record) against the contract; nothing is unused in them."""
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
    """A CSV, lines ending in CRLF, in which a spreadsheet runs no cell as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: object) -> object:
    """A cell that no spreadsheet runs: a mark before it makes it a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RUN) else cell


def _allowed(contract: Contract, records: Sequence[Record]) -> bool:
    """Whether the contract allows all of these records."""
    try:
        assemble(layout(contract), read_all(contract, records))
    except InvalidFields:
        return False
    return True


def _lines(data: bytes, opening: Opening, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, the header first, each with the line it starts in."""
    text = io.StringIO(data[opening.start :].decode("utf-8"), newline="")
    reader = csv.reader(text, delimiter=opening.separator)
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
    name = ""
    record: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column and column.role == "id":
            name = cell.strip()
        elif column:
            record[column.key] = read_table_cell(column, cell)
    return name, record
