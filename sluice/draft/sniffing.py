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
from sluice.served.csv_header import is_row_index
from sluice.served.reading import THOUSANDS, Reading, grouped
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
# What stands beside numbers and says nothing more.
_MONEY = ("€", "$", "£", "¥", "₺", "EUR", "USD", "GBP", "CHF", "TL", "TRY")
_SIGNS = (*_MONEY, "%")
_DIGITS = r"[+-]?[0-9](?:[0-9.,'\u2019 \u00a0\u202f]*[0-9])?"
_SIGN = rf"({'|'.join(map(re.escape, _SIGNS))})?"
_BESIDE = re.compile(rf"^[+-]?{_SIGN}\s*{_DIGITS}\s*{_SIGN}$")
_FIRST_OF_SIGNS = {sign[0] for sign in _SIGNS}
_BESIDES = " +-0123456789.,'\u2019\u00a0\u202f"  # what a number has, but for its sign
_THREE = re.compile(r"^[+-]?[1-9][0-9]{0,2}(?:([.,])[0-9]{3})+$")  # thousands, or three decimals
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
    reading = replace(reading, signs=_signs(frame))
    reading = replace(reading, decimal=_decimal(frame, reading.signs, separator))
    reading = replace(reading, thousands=_thousands(frame, reading))
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


def numbers_of(text: str, separator: str) -> Reading:
    """How the rows at the beginning of a table write numbers; the last of them may be cut off."""
    import pandas as pd

    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header, *found = [row for row in rows if any(cell.strip() for cell in row)] or [[]]
    whole = [[cell.strip() for cell in row] for row in found if len(row) == len(header)]
    columns = zip(*whole, strict=True)
    frame = pd.DataFrame({n: pd.Series(c, dtype="category") for n, c in enumerate(columns)})
    signs = _signs(frame)
    reading = Reading(signs=signs, decimal=_decimal(frame, signs, separator))
    return replace(reading, thousands=_thousands(frame, reading))


def parsed(texts: Sequence[str], reading: Reading) -> tuple[np.ndarray, list[str]]:
    """Texts as numbers, float64, shape (texts,): NaN for what is none; and those that are none."""
    plain = list(texts)
    if reading.thousands or reading.signs:
        plain = [_number(text, reading) for text in texts]
    elif reading.decimal == ",":
        plain = [text.replace(",", ".") for text in texts]
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
    columns = [list(column) for column in zip(*found, strict=True)] or [[] for _ in header]
    kept = [
        (name, cells)
        for place, (name, cells) in enumerate(zip(header, columns, strict=True))
        if name or not (is_row_index(place, cells) or not any(cells))
    ]
    names = [name for name, _ in kept]
    _check_header(names, len(found), source)
    return names, [cells for _, cells in kept]


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
        return "Name it; a row index of whole numbers alone is left out by itself."
    if place == columns:
        return "Name it, or take the separator out at the end of each line."
    return "Name it, or take it out."


def _signs(frame: "pd.DataFrame") -> tuple[str, ...]:
    """The signs that stand beside numbers, in the order in which they are known: those of columns
    that are numbers but for them.
    """
    found: set[str] = set()
    for name in frame.columns:
        counts = _written(frame[name])
        if not _characters(counts) & _FIRST_OF_SIGNS:
            continue  # most columns: nothing of a large table is matched in vain
        total = float(counts.sum())
        matched = [_BESIDE.match(str(text)) for text in counts.index]
        fits = np.array([match is not None for match in matched], dtype=bool)
        signs = {sign for match in matched if match for sign in match.groups() if sign}
        if signs and float(counts.to_numpy(dtype=float)[fits].sum()) >= MOSTLY * total:
            found |= signs
    return tuple(sign for sign in _SIGNS if sign in found)


def _written(texts: "pd.Series[str]") -> "pd.Series[int]":
    """How often each text that is not missing stands in a column."""
    nothing = {"", *_TOKENS, *_ERRORS}
    counts = texts.value_counts()
    gone = [text for text in counts.index if text in nothing or _NARROW.fullmatch(str(text))]
    counts = counts.drop(gone)
    return counts[counts > 0]


def _characters(counts: "pd.Series[int]") -> set[str]:
    """The characters of which the texts of a column consist."""
    return set("".join(map(str, counts.index)))


def _decimal(frame: "pd.DataFrame", signs: tuple[str, ...], separator: str) -> str:
    """The decimal sign: a comma where more columns are written so than with a point.

    A column with three digits behind each sign may be one of thousands: of a point it says nothing
    but where it is money, which has no three decimals, and of a comma it counts where nothing else
    says what that is.
    """
    found: Counter[str] = Counter()
    for name in frame.columns:
        counts = _written(frame[name])
        texts = [str(text) for text in counts.index]
        if signs:
            texts = [Reading(signs=signs).plain(text, numeric=True) for text in texts]
        money = bool(signs) and any(
            text.strip(_BESIDES) in _MONEY for text in map(str, counts.index)
        )
        found[_decimal_of(texts, counts.to_numpy(dtype=float), money=money)] += 1
    if not found[","] and not found["."] and found["unsure"]:
        return "." if separator == "," else ","  # 1,234 in quotes is a thousand in English
    return "," if found[","] > found["."] else "."


def _decimal_of(texts: Sequence[str], rows: np.ndarray, *, money: bool) -> str:
    """The decimal sign that a column with these texts has, each in so many rows; "unsure" where a
    comma may be one, empty where nothing is to be seen.
    """
    total = MOSTLY * float(rows.sum())
    marks = set("".join(texts)) & {",", ".", *"".join(THOUSANDS.values())}
    for decimal, others in ((",", ". '"), (".", ", '")):
        if len(marks) < 2 or decimal not in marks:
            continue
        forms = [grouped(between, decimal) for between in others]
        split = [any((m := form.match(text)) and m[2] for form in forms) for text in texts]
        whole = [any(form.match(text) for form in forms) for text in texts]
        short = [_short(text, decimal) for text in texts]
        if any(split) and float(rows[np.logical_or(whole, short)].sum()) >= total:
            return decimal
    plain = np.array([bool(_NUMBER.match(text)) for text in texts], dtype=bool)
    comma = np.array([bool(_WITH_COMMA.match(text)) for text in texts], dtype=bool)
    point = np.array([bool(_WITH_POINT.match(text)) for text in texts], dtype=bool)
    if float(rows[plain | comma].sum()) < total or not (comma.any() or point.any()):
        return ""
    if _in_threes(texts):
        return "unsure" if comma.any() else "," if money else ""
    return "," if comma.any() else "."


def _in_threes(texts: Sequence[str]) -> bool:
    """Whether these numbers may be written with one sign between thousands: each with one has three
    digits behind it, and none without has more than three.
    """
    signs = set()
    for text in texts:
        if match := _THREE.match(text):
            signs.add(match[1])
        elif "." in text or "," in text or len(text.lstrip("+-")) > 3:
            return False
    return len(signs) == 1


def _thousands(frame: "pd.DataFrame", reading: Reading) -> str:
    """What stands between thousands in the most columns; empty where nothing does."""
    found: Counter[str] = Counter()
    for name in frame.columns:
        counts = _written(frame[name])
        characters = _characters(counts)
        possible = [
            between
            for between, alike in THOUSANDS.items()
            if between != reading.decimal and characters & set(alike)
        ]
        if not possible:
            continue
        texts = [replace(reading, decimal=".").plain(str(t), numeric=True) for t in counts.index]
        rows, total = counts.to_numpy(dtype=float), float(counts.sum())
        money = any(str(text).strip(_BESIDES) in _MONEY for text in counts.index)
        for between in possible:
            form = grouped(between, reading.decimal)
            joined = np.array([bool(form.match(text)) for text in texts], dtype=bool)
            short = np.array([bool(_short(text, reading.decimal)) for text in texts], dtype=bool)
            sure = money or between != "." or reading.decimal == ","
            if joined.any() and sure and float(rows[joined | short].sum()) >= MOSTLY * total:
                found[between] += 1
    return found.most_common(1)[0][0] if found else ""


def _short(text: str, decimal: str) -> bool:
    """Whether this is a number below a thousand."""
    whole, _, part = text.lstrip("+-").partition(decimal)
    return whole.isdecimal() and len(whole) <= 3 and (not part or part.isdecimal())


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
    """The cells as the reading takes them; what it says of numbers counts among numbers alone."""
    plain = _plain(texts, reading)
    bare = replace(reading, decimal=".", thousands="", signs=())
    return plain if numeric(plain) else _plain(texts, bare)


def _plain(texts: "pd.Series[str]", reading: Reading) -> "pd.Series[str]":
    """The cells as the reading takes them; a text that is no number stays as it is written."""
    import pandas as pd

    plain = [_number(str(text), reading) for text in texts.cat.categories]
    different = list(dict.fromkeys([*plain, ""]))
    places = {text: place for place, text in enumerate(different)}
    codes = [places[text] for text in plain]
    taken = [codes[code] for code in texts.cat.codes]
    return pd.Series(pd.Categorical.from_codes(taken, pd.Index(different)))


def _number(cell: str, reading: Reading) -> str:
    """A cell as a number with a point; without blanks around it, where it is none."""
    if reading.as_written:
        return reading.plain(cell, numeric=False)
    found = reading.plain(cell, numeric=True)
    return found if not found or _NUMBER.match(found) else reading.plain(cell, numeric=False)


def _said(reading: Reading, separator: str, frame: "pd.DataFrame") -> list[str]:
    named = _NAMES.get(separator, repr(separator))
    said = [f"{len(frame):,} rows and {len(frame.columns)} columns, separated by {named}"]
    if reading.encoding != "utf-8":
        said.append(f"no UTF-8: read as {reading.encoding}")
    if reading.decimal == ",":
        said.append("numbers are written with a decimal comma")
    if reading.thousands:
        between = "a blank" if reading.thousands == " " else f'"{reading.thousands}"'
        said.append(f"thousands are written with {between} between them")
    if reading.signs:
        shown = " or ".join(f'"{sign}"' for sign in reading.signs)
        said.append(f"numbers are written with {shown} beside them; these signs are left out")
    if reading.missing:
        said.append("missing is written " + ", ".join(f'"{text}"' for text in reading.missing))
    return said
