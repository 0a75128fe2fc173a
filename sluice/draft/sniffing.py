"""How a table is written: encoding, separator, texts for missing, decimal sign; and its cells."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import Refused
from sluice.served.cells import NUMBER_PATTERNS
from sluice.served.reading import Reading
from sluice.served.table_refusals import check_bytes

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t|^~"
_USUAL = ",;\t|"  # found in every table, so a contract need not name them
_LOOKED_AT = 200  # lines in which separators are counted
MOSTLY = 0.95  # of the cells that are not missing, for a column of numbers
# What stands for missing wherever it stands, and what does so among numbers alone.
_TOKENS = ("?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "(null)", "<NA>")
_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!")  # of a formula
_NARROW = re.compile(r"#{2,255}")  # what a spreadsheet shows in a column that is too narrow
_AMONG_NUMBERS = ("None", "none", "-", "--", ".", "na", "missing", "unknown", "Unknown")
_NUMBER = re.compile(NUMBER_PATTERNS["number"])
_WITH_COMMA = re.compile(r"^[+-]?[0-9]+,[0-9]+$")
_WITH_POINT = re.compile(r"^[+-]?[0-9]+\.[0-9]+$")
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Sniffed:
    """How a table is written, and its cells as texts: columns in order, an empty text is missing.

    Numbers have a point, whatever the table has. `said` is what was found, a sentence each.
    """

    reading: Reading
    frame: "pd.DataFrame"
    said: tuple[str, ...]


def sniff(data: bytes, source: str) -> Sniffed:
    """Read a CSV of unknown make; `source` names it in messages.

    Raises Refused where it is no CSV with a header, TableRefused for bytes of another kind.
    """
    encoding, text = _decoded(data, source)
    separator = separator_of(text)
    names, cells = _cells(text, separator, source)
    import pandas as pd

    frame = pd.DataFrame(
        {
            name: pd.Series(column, dtype="category")
            for name, column in zip(names, cells, strict=True)
        }
    )
    reading = Reading(
        delimiter="" if separator in _USUAL else separator,
        encoding=encoding,
    )
    reading = replace(reading, decimal=_decimal(frame))
    reading = replace(reading, missing=_missing(frame, reading))
    plain = pd.DataFrame({name: _as_meant(frame[name], reading) for name in frame.columns})
    return Sniffed(reading, plain, tuple(_said(reading, separator, plain)))


def numeric(texts: "pd.Series[str]") -> bool:
    """Whether nearly all cells that are not missing are numbers; a column without any is none."""
    counts = texts[texts != ""].value_counts()
    counts = counts[counts > 0]
    good = [bool(_NUMBER.match(str(text))) for text in counts.index]
    return bool(len(counts)) and float(counts[good].sum()) >= MOSTLY * float(counts.sum())


def _decoded(data: bytes, source: str) -> tuple[str, str]:
    """Encoding and text of the bytes: UTF-8, UTF-16 with its mark, or else windows-1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        check_bytes(text.encode(), source)
        return encoding, text.removeprefix("\ufeff")
    what = f"{source} begins like UTF-16 and is none; a text is required"
    raise Refused(what, "Export it again as CSV (UTF-8).")


def separator_of(text: str) -> str:
    """What splits the first lines into the most columns, as many in each."""
    lines = [line for line in text[: 2**20].splitlines() if line.strip()][:_LOOKED_AT]

    def columns(separator: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        [(usual, times)] = counts.most_common(1) or [(1, 0)]
        return (times / max(len(lines), 1) if usual > 1 else 0.0, usual)

    return max(_SEPARATORS, key=columns)


def decimal_of(text: str, separator: str) -> str:
    """The decimal sign of the rows at the beginning of a table; the last of them may be cut off."""
    import pandas as pd

    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header, *found = [row for row in rows if any(cell.strip() for cell in row)] or [[]]
    whole = [[cell.strip() for cell in row] for row in found if len(row) == len(header)]
    columns = zip(*whole, strict=True)
    return _decimal(
        pd.DataFrame({n: pd.Series(c, dtype="category") for n, c in enumerate(columns)})
    )


def parsed(texts: Sequence[str], decimal: str) -> tuple[np.ndarray, list[str]]:
    """Texts as numbers, float64, shape (texts,): NaN for what is none; and those that are none."""
    plain = [text.replace(",", ".") for text in texts] if decimal == "," else texts
    try:  # most columns are numbers throughout, or have a text that no float is
        found = np.fromiter(map(float, plain), dtype=float, count=len(plain))
    except ValueError:
        found = np.full(len(plain), np.nan)
    if np.isfinite(found).all():
        return found, []
    good = [bool(_NUMBER.match(text.strip())) for text in plain]
    found = np.array(
        [float(text) if fits else np.nan for text, fits in zip(plain, good, strict=True)]
    )
    return found, [text for text, fits in zip(texts, good, strict=True) if not fits]


def _cells(text: str, separator: str, source: str) -> tuple[list[str], list[list[str]]]:
    """Names and columns of the table. Raises Refused where it is no table with a header."""
    rows = rows_of(io.StringIO(text, newline=""), separator, source)
    header = next(rows, [])
    found = [[cell.strip() for cell in row] for row in rows]
    _check_header(header, len(found), source)
    return header, [list(column) for column in zip(*found, strict=True)]


def rows_of(lines: Iterable[str], separator: str, source: str) -> Iterator[list[str]]:
    """The names of the columns, and then the cells of each row as they are written; lines without
    any are left out. Raises Refused for a row of another length, naming its line.
    """
    rows = csv.reader(lines, delimiter=separator)
    header: list[str] = []
    try:
        for row in rows:
            if not any(map(str.strip, row)):
                continue
            if not header:
                header = [name.strip() for name in row]
                if len(header) > 1:
                    _check_title(header, source)
                yield header
                continue
            if len(row) != len(header):
                _check_title(header, source)
                what = f"{source} has {len(row)} cells in line {rows.line_num}"
                raise Refused(
                    f"{what}; {len(header)} are required by its header",
                    "Put a value that holds the separator in quotes, or take the line out.",
                )
            yield row
    except csv.Error as error:
        what = f"{source} cannot be split into cells at line {rows.line_num} ({error})"
        raise Refused(what, "Is a quotation mark left open there?") from None


def _check_title(names: Sequence[str], source: str) -> None:
    """Raise Refused where the first line holds one text and no names of columns."""
    if sum(bool(name) for name in names) == 1:
        what = f"{source} has one text in its first line; the names of the columns are required"
        raise Refused(what, "Is it a title? Take out all that is above the names.")


def _check_header(names: Sequence[str], rows: int, source: str) -> None:
    """Raise Refused where these are no names of columns, or no row is below them."""
    if not rows:
        raise Refused(f"{source} has no rows; at least one is required", "Export it again.")
    if len(names) < 3:
        what = f"{source} has {len(names)} columns; a target and two more are required"
        raise Refused(what, "Is it separated by commas, semicolons, tabs or vertical bars?")
    if all(not name or _NUMBER.match(name) for name in names):
        what = f"{source} has numbers in its first line; names of columns are required"
        raise Refused(what, "Put a line with the names above the rows.")
    for place, name in enumerate(names, 1):
        if not name:
            what = f"column {place} of {source} has no name; a name is required"
            raise Refused(what, _unnamed(place, len(names)))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        what = f"{source} has more than one column named {twice[0]!r}; one is required"
        raise Refused(what, "Rename one of them.")


def _unnamed(place: int, columns: int) -> str:
    """What to do about a column without a name, by its place from 1."""
    if place == 1:
        return "Name it; the row index of pandas is left out by index=False."
    if place == columns:
        return "Name it, or take the separator out at the end of each line."
    return "Name it, or take it out."


def _decimal(frame: "pd.DataFrame") -> str:
    """The decimal sign: a comma where a column is written so, and none with a point."""
    commas = points = 0
    nothing = {"", *_TOKENS, *_ERRORS}
    for name in frame.columns:
        counts = frame[name].value_counts()
        gone = [text for text in counts.index if text in nothing or _NARROW.fullmatch(str(text))]
        total = float(counts.drop(gone).sum())
        texts = [str(text) for text in counts.index]
        plain = [bool(_NUMBER.match(text)) for text in texts]
        comma = [bool(_WITH_COMMA.match(text)) for text in texts]
        point = [bool(_WITH_POINT.match(text)) for text in texts]
        rows = counts.to_numpy(dtype=float)
        with_comma = float(rows[comma].sum())
        if with_comma and with_comma + float(rows[plain].sum()) >= MOSTLY * total:
            commas += 1
        if any(point) and float(rows[plain].sum()) >= MOSTLY * total:
            points += 1
    return "," if commas > points else "."


def _missing(frame: "pd.DataFrame", reading: Reading) -> tuple[str, ...]:
    """The texts that stand for missing, in the order in which they are known."""
    sure: set[str] = set()
    among_numbers: set[str] = set()
    among_texts: set[str] = set()
    known = {*_TOKENS, *_ERRORS, *_AMONG_NUMBERS}
    narrow: set[str] = set()
    for name in frame.columns:
        texts = {str(text) for text in frame[name].cat.categories}
        narrow |= {text for text in texts if text[:1] == "#" and _NARROW.fullmatch(text)}
        present = texts & known
        if not present:
            continue
        bare = _plain(frame[name], replace(reading, missing=tuple(known)))
        sure |= present & {*_TOKENS, *_ERRORS}
        if numeric(bare):
            among_numbers |= present
        else:
            among_texts |= present
    found = sure | (among_numbers - among_texts)
    ordered = (token for token in (*_TOKENS, *_ERRORS, *_AMONG_NUMBERS) if token in found)
    return (*ordered, *sorted(narrow))


def _as_meant(texts: "pd.Series[str]", reading: Reading) -> "pd.Series[str]":
    """The cells as the reading takes them: a comma is a decimal sign among numbers alone."""
    plain = _plain(texts, reading)
    return plain if numeric(plain) else _plain(texts, replace(reading, decimal="."))


def _plain(texts: "pd.Series[str]", reading: Reading) -> "pd.Series[str]":
    """The cells as the reading takes them; a text that is no number stays as it is written."""
    import pandas as pd

    categories = [str(text) for text in texts.cat.categories]
    plain = []
    for text in categories:
        cell = reading.plain(text, numeric=False)
        if reading.decimal == "," and _WITH_COMMA.match(cell):
            cell = cell.replace(",", ".")
        plain.append(cell)
    different = list(dict.fromkeys([*plain, ""]))
    places = {text: place for place, text in enumerate(different)}
    codes = [places[text] for text in plain]
    taken = [codes[code] for code in texts.cat.codes]
    return pd.Series(pd.Categorical.from_codes(taken, pd.Index(different)))


def _said(reading: Reading, separator: str, frame: "pd.DataFrame") -> list[str]:
    named = _NAMES.get(separator, repr(separator))
    said = [f"{len(frame):,} rows and {len(frame.columns)} columns, separated by {named}"]
    if reading.encoding != "utf-8":
        said.append(f"no UTF-8: read as {reading.encoding}")
    if reading.decimal == ",":
        said.append("numbers are written with a decimal comma")
    if reading.missing:
        said.append("missing is written " + ", ".join(f'"{text}"' for text in reading.missing))
    return said
