"""A table that is too large to be looked at whole: rows drawn from it, and what is true of all.

Every row is read once, a few thousand at a time. Rows are drawn by chance, and one row more is
taken for each value, limit and sign of missing that no row before it shows: ranges and lists of
values are those of the whole table.
"""

import codecs
import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

import numpy as np

from sluice.draft import sniffing
from sluice.errors import Refused
from sluice.served.reading import Reading
from sluice.served.table_refusals import check_bytes

_HEAD = 2**20  # bytes in which the make of the table is found
_CHUNK = 1_000  # rows read at a time
_VALUES = 200  # different ones of a column that are followed one by one
_ODD = 20  # different texts among numbers that are followed
_HASHES = 2**19  # of values, kept for each column
_SEED = 20_260_101
_PIECE = 2**22  # bytes

Seen = Callable[[str, float], None]  # what is done, and which share of it, from 0 to 1


@dataclass(frozen=True)
class Sample:
    """A table, or rows of it: `data` are the bytes of a CSV, `rows` is how many the table has.

    `drawn` is True for the rows of `data` that chance drew, bool, shape (rows of `data`,); None
    where `data` are the whole table. The other rows show what none of these does. `distinct` is how
    many different values a column of texts or whole numbers has in the whole table, by name, where
    they are more than a few; it is `rows` where no value repeats, and otherwise an estimate.
    """

    data: bytes
    rows: int
    drawn: np.ndarray | None = None
    distinct: Mapping[str, int] = field(default_factory=dict)


def sample(file: BinaryIO, size: int, source: str, seen: Seen, most: int) -> Sample | None:
    """At least `most` rows of the table in `file`, of `size` bytes; None where it has no more and
    is read whole.

    `source` names the table in messages. Raises as `sniffing.sniff`.
    """
    if _lines(file, most) <= most:
        return None
    file.seek(0)
    head = file.read(_HEAD)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide:
        check_bytes(head.decode("latin-1").encode(), source)
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "latin-1"):
        file.seek(0)
        try:
            return _read(_Counted(file, size, seen), encoding, source, most)
        except UnicodeError:
            continue
    what = f"{source} begins like UTF-16 and is none; a text is required"
    raise Refused(what, "Export it again as CSV (UTF-8).")


def _lines(file: BinaryIO, most: int) -> int:
    """How many lines a file has; counted until they are more than `most`."""
    file.seek(0)
    lines = 0
    while lines <= most and (piece := file.read(_PIECE)):
        lines += piece.count(b"\n")
    return lines


class _Counted(io.RawIOBase):
    """A file that says how much of it is read."""

    def __init__(self, file: BinaryIO, size: int, seen: Seen) -> None:
        self._file, self._size, self._seen, self._done = file, size, seen, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        self._done += len(piece)
        self._seen("reading", self._done / max(self._size, 1))
        return len(piece)


def _read(file: _Counted, encoding: str, source: str, most: int) -> Sample:
    """Draw from the table. Raises UnicodeError where it is in another encoding."""
    text = io.TextIOWrapper(io.BufferedReader(file, _PIECE), encoding, newline="")
    head = text.read(_HEAD // 4)
    separator = sniffing.separator_of(head)
    numbers = sniffing.numbers_of(head, separator)
    rows = sniffing.rows_of(_lines_of(head, text), separator, source)
    header = next(rows)
    columns = [_Column(numbers) for _ in header]
    chosen, count = _chosen(rows, columns, most)
    taken = io.StringIO()
    writer = csv.writer(taken, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(row for _, row, _ in chosen)
    distinct = {
        name: column.distinct(count)
        for name, column in zip(header, columns, strict=True)
        if column.many and column.whole
    }
    return Sample(
        data=taken.getvalue().encode(encoding.removesuffix("-sig")),
        rows=count,
        drawn=np.array([drawn for _, _, drawn in chosen], dtype=bool),
        distinct=distinct,
    )


def _lines_of(head: str, text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text whose beginning was read already."""
    lines = io.StringIO(head + text.readline(), newline="")
    yield from lines
    yield from text


def _chosen(
    rows: Iterator[list[str]], columns: Sequence["_Column"], most: int
) -> tuple[list[tuple[int, list[str], bool]], int]:
    """The rows that are taken, as (number, cells, whether chance drew it), in the order of the
    table, and how many there are.

    Each row gets a number by chance, and the smallest `most` of these are drawn.
    """
    chance = np.random.PCG64(_SEED)
    drawn: list[tuple[int, int, list[str]]] = []
    shown: dict[int, list[str]] = {}
    limit, count = 2**64, 0
    while chunk := list(islice(rows, _CHUNK)):
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            for place in column.look(cells):
                shown[count + place] = chunk[place]
        lots = chance.random_raw(len(chunk))
        for place, lot in enumerate(lots.tolist()):
            if lot < limit:
                drawn.append((lot, count + place, chunk[place]))
        count += len(chunk)
        if len(drawn) > 2 * most:
            drawn = sorted(drawn)[:most]
            limit = drawn[-1][0]
    by_chance = {number: row for _, number, row in sorted(drawn)[:most]}
    taken = shown | by_chance
    return [(number, taken[number], number in by_chance) for number in sorted(taken)], count


@dataclass
class _Column:
    """What was seen of a column so far: its values while they are few, then its limits as a number,
    the texts that are none, and hashes of its values.
    """

    reading: Reading
    values: set[str] = field(default_factory=set)
    many: bool = False
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
    odd: set[str] = field(default_factory=set)
    hashes: list[np.ndarray] = field(default_factory=list)
    mask: int = 0
    held: int = 0
    hashed: int = 0

    def look(self, cells: tuple[str, ...]) -> list[int]:
        """The places of cells that show what none before them did."""
        different = dict.fromkeys(cells)
        if not self.many:
            new = [text for text in different if text not in self.values]
            self.values.update(new)
            self.many = len(self.values) > _VALUES
            if not self.many:
                return [cells.index(text) for text in new]
        telling = self._numbers(different)
        if self.whole:
            self._hash(cells)
        return [cells.index(text) for text in telling]

    def distinct(self, rows: int) -> int:
        """How many different values it has in so many rows."""
        hashes = np.concatenate(self.hashes)
        different = len(np.unique(hashes))
        if self.hashed == rows and different == len(hashes):
            return rows
        return min(different * (self.mask + 1), rows - 1)

    def _numbers(self, different: Mapping[str, None]) -> list[str]:
        """The texts that are a new limit, the first fraction, or no number."""
        texts = [text for text in different if text]
        found, odd = sniffing.parsed(texts, self.reading)
        room = max(_ODD - len(self.odd), 0)
        telling = list(islice((text for text in odd if text not in self.odd), room))
        if len(texts) < len(different) and "" not in self.odd:
            telling.append("")
        self.odd.update(telling)
        known = np.isfinite(found)
        if not known.any():
            return telling
        least, most = int(np.nanargmin(found)), int(np.nanargmax(found))
        if found[least] < self.low:
            self.low = float(found[least])
            telling.append(texts[least])
        if found[most] > self.high:
            self.high = float(found[most])
            telling.append(texts[most])
        if self.whole:
            fractions = np.flatnonzero(known & (found != np.floor(found)))
            if len(fractions):
                self.whole = False
                self.hashes.clear()
                telling.append(texts[int(fractions[0])])
        return telling

    def _hash(self, cells: tuple[str, ...]) -> None:
        """Keep hashes of the cells; where they become too many, those of a half of the values."""
        from pandas.util import hash_array

        found = hash_array(np.array(cells, dtype=object), categorize=False)
        self.hashed += len(found)
        kept = found[found & np.uint64(self.mask) == 0]
        self.hashes.append(kept)
        self.held += len(kept)
        while self.held > _HASHES:
            self.mask = 2 * self.mask + 1
            every = np.concatenate(self.hashes)
            every = every[every & np.uint64(self.mask) == 0]
            self.hashes = [every]
            self.held = len(every)
