"""Where the table in a CSV begins, what separates its cells, and the names of its columns.

Training data and uploaded files are found by the same rules: byte order marks, blank lines and rows
without a value are passed over, spaces around a name do not count; commas, semicolons, tabs and
vertical bars separate, or the character that Excel's `sep=` names in a line above the header. A
column without a name is passed over where it has no value, as a comma at the end of each line makes
one, and where it is the row index that pandas writes.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluice.served import table_refusals
from sluice.served.contract import Contract
from sluice.served.table_refusals import TableRefused, line_number

_SEPARATORS = ",;\t|"
# Marks of a byte order, and lines in which nothing but separators and empty quotes stands.
_NOTHING = re.compile(rb'(?:\xef\xbb\xbf|(?:[ \t,;|]|"[ \t]*+")*+(?:\r\n|\r|\n))*+')
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Only what is one byte: Arrow takes no other separator.
_DECLARED = re.compile(rb'"?sep=([\t\x20!\x23-\x7e])"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Opening:
    """Where the header of a CSV begins: offset in bytes, line (from 1), and the separator."""

    start: int
    line: int
    separator: str


@dataclass(frozen=True)
class Header:
    """The names of the columns as they are written but for spaces around them, the separator, and
    where the rows begin.

    `end` is the offset of the first byte after the header, `lines` the number of lines above it.
    """

    names: tuple[str, ...]
    separator: str
    end: int
    lines: int


def find_opening(data: bytes, contract: Contract) -> Opening:
    """Find the header in UTF-8 text, and what separates its cells.

    The separator is the one that `sep=` names; without such a line the one by which the header
    holds the most names of the contract, where several do the contract's own, then a comma.
    """
    start = _after_nothing(data, 0)
    declared = _DECLARED.match(data, start)
    if declared:
        start = _after_nothing(data, declared.end())
    line = line_number(data, start)
    if declared:
        return Opening(start, line, declared[1].decode())
    first, _ = _first_line(data, start)
    return Opening(start, line, _separator(first.decode("utf-8"), contract))


def read_header(data: bytes, contract: Contract, source: str) -> Header:
    """Read the header of training data, UTF-8 text, strictly.

    Raise TableRefused for a line that is no header, a separator that is not read, and a name or a
    header that is there twice.
    """
    opening = find_opening(data, contract)
    line, end = _first_row(data, opening.start)
    text = line.decode("utf-8")
    written = io.StringIO(text, newline="")
    names = [name.strip() for name in next(csv.reader(written, delimiter=opening.separator), [])]
    if not any(contract.find(name) for name in names):
        raise table_refusals.no_header(text, contract, source)
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise table_refusals.duplicate_columns(twice, source)
    if len(names) > 1:
        _check_once(data, line, end, source)
    above = opening.line + len(_LINE_END.findall(line))
    return Header(tuple(names), opening.separator, end, above)


def nameless(names: Sequence[str]) -> tuple[int, ...]:
    """The places (from 0) of the columns without a name."""
    return tuple(place for place, name in enumerate(names) if not name.strip())


def is_row_index(place: int, cells: Iterable[str]) -> bool:
    """Whether a column without a name, at this place (from 0), is the row index that pandas writes:
    the first one, of nothing but whole numbers. It says nothing and is left out.
    """
    return place == 0 and all(cell.isdecimal() for cell in cells)


def is_blank(row: str, separator: str) -> bool:
    """Whether the text of a row has no value in any of its cells."""
    return not row.replace(separator, " ").replace('"', " ").strip()


def _check_once(data: bytes, header: bytes, end: int, source: str) -> None:
    """Raise TableRefused where the line of the header is there again after its `end`."""
    again = data.find(header, end)
    # A line that only holds the header, as a part of it, is a row like any other.
    while again > 0 and data[again - 1 : again] not in (b"\n", b"\r"):
        again = data.find(header, again + 1)
    if again > 0:
        number = line_number(data, again)
        raise TableRefused(
            "header twice",
            f"{source} has its header a second time, in line {number}; one header is required",
            "Were two files joined? Keep the first header only.",
        )


def _after_nothing(data: bytes, start: int) -> int:
    """The offset of the first line, from `start` on, in which something stands."""
    found = _NOTHING.match(data, start)
    return found.end() if found else start


def _first_line(data: bytes, start: int) -> tuple[bytes, int]:
    """The line that begins at an offset, without its end, and the offset of the next one."""
    end = _LINE_END.search(data, start)
    if end is None:
        return data[start:], len(data)
    return data[start : end.start()], end.end()


def _first_row(data: bytes, start: int) -> tuple[bytes, int]:
    """The same, and the lines behind it that belong to a name in quotes."""
    line, end = _first_line(data, start)
    behind = end
    odd = line.count(b'"') % 2
    while odd and behind < len(data):
        begun = behind
        last, behind = _first_line(data, begun)
        odd = (odd + last.count(b'"')) % 2
        if not odd:
            return data[start : begun + len(last)], behind
    return line, end


def _separator(header: str, contract: Contract) -> str:
    """What separates the names of a header; the separator of the contract among equals."""
    known = {name for column in contract.columns for name in (column.name, column.key)}

    def names_known(separator: str) -> int:
        return len(known & {cell.strip(' "') for cell in header.split(separator)})

    own = contract.reading.delimiter
    return max([own, *_SEPARATORS] if own else _SEPARATORS, key=names_known)
