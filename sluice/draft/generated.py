"""Rows that are nobody's, from `sample.toml` and the contract: the same bytes on every machine.

All arithmetic is on integers, fed by a generator whose raw words numpy promises to keep.
"""

import csv
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sluice.draft.sample_file import SampleColumn, SampleFile, SampleTarget
from sluice.served.contract import Contract
from sluice.served.days import written
from sluice.served.reading import UTF8

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
_FIRST, _DAYS = 19_723, 730  # made rows are of two years from 2024-01-01 on


def generate(sample: SampleFile, contract: Contract) -> bytes:
    """The rows as a CSV that the contract reads: a header, then a line for each row."""
    size = sample.rows
    chance = np.random.PCG64(sample.seed)
    labels = _labels(sample.of_classes, chance.random_raw(size))
    columns = {}
    for column in contract.columns:
        if column.role == "target" and sample.target:
            columns[column.name] = _numbers(sample.target, labels, chance.random_raw(size))
        elif column.role == "target":
            outcomes = np.array(contract.target.outcomes, dtype=object)
            columns[column.name] = outcomes[labels].tolist()
        elif column.role == "id" and not column.made:
            columns[column.name] = [str(number) for number in range(1, size + 1)]
        elif column.role == "group":
            which = _below(chance.random_raw(size), sample.groups)
            columns[column.name] = [f"G{number + 1}" for number in which.tolist()]
        elif column.name in sample.columns:
            words = chance.random_raw(2 * size).reshape(2, size)
            cells = _cells(sample.columns[column.name], labels, words)
            if column.kind == "date":
                cells = [written(int(cell)) if cell else "" for cell in cells]
            columns[column.name] = cells
        elif column.name == contract.as_of:
            columns[column.name] = [written(_FIRST + _DAYS * row // size) for row in range(size)]
    comma = contract.reading.decimal == ","
    if comma and sample.target:
        [name] = [column.name for column in contract.columns if column.role == "target"]
        columns[name] = [cell.replace(".", ",") for cell in columns[name]]
    if comma:
        dates = {column.name for column in contract.columns if column.kind == "date"}
        for name, spec in sample.columns.items():
            if spec.low and name not in dates:
                columns[name] = [cell.replace(".", ",") for cell in columns[name]]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if comma else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    # With its mark UTF-8 is read as that, whatever the encoding of the contract is.
    return text.getvalue().encode(UTF8 if contract.reading.encoding == UTF8 else "utf-8-sig")


def _numbers(target: SampleTarget, labels: Integers, words: Words) -> list[str]:
    """A number for each row, from the part of the range that its label is."""
    step = 10.0**target.digits
    lows = np.array([round(low * step) for low in target.low], dtype=np.int64)[labels]
    highs = np.array([round(high * step) for high in target.high], dtype=np.int64)[labels]
    return [_written(int(one), target.digits) for one in lows + _below(words, highs - lows + 1)]


def _labels(rows: Sequence[int], words: Words) -> Integers:
    """The number of what each row turned out to be, as often as the rows of it say; the last of
    them has the lowest lots.
    """
    return len(rows) - 1 - _places(rows[::-1], words)


def _cells(spec: SampleColumn, labels: Integers, words: Words) -> list[str]:
    """The cells of a column, drawn by the class of each row; `words` has the shape (2, rows)."""
    places = np.zeros(len(labels), dtype=np.int64)
    of_classes = spec.counts()
    every = [sum(counts) for counts in zip(*of_classes, strict=True)]
    for label, counts in enumerate(of_classes):
        rows = labels == label
        # Five rows of a class may have nothing in common here: then it is as the others are.
        places[rows] = _places(counts if any(counts) else every, words[0, rows])
    if not spec.low:
        return np.array([*spec.values, ""], dtype=object)[places].tolist()
    lows = np.array([*map(spec.steps, spec.low), 0], dtype=np.int64)
    highs = np.array([*map(spec.steps, spec.high), 0], dtype=np.int64)
    steps = lows[places] + _below(words[1], (highs - lows + 1)[places])
    different, which = np.unique(steps, return_inverse=True)
    texts = np.array([_written(int(one), spec.digits) for one in different], dtype=object)[which]
    texts[places == len(spec.low)] = ""
    return list(texts)


def _places(counts: Sequence[int], words: Words) -> Integers:
    """A place of `counts` for each word, as often as its count says."""
    limits = np.cumsum(counts)
    return np.searchsorted(limits, _below(words, int(limits[-1])), side="right").astype(np.int64)


def _written(steps: int, digits: int) -> str:
    """So many steps of ten to the power of minus `digits`, without rounding."""
    if digits <= 0:
        return str(steps * 10**-digits)
    whole, part = divmod(abs(steps), 10**digits)
    return f"{'-' if steps < 0 else ''}{whole}.{part:0{digits}d}"


def _below(words: Words, limit: int | Integers) -> Integers:
    """Uniform integers from 0 to limit - 1, from the upper half of each word, shape (rows,)."""
    scaled = (words >> np.uint64(32)) * np.asarray(limit, dtype=np.uint64)
    return (scaled >> np.uint64(32)).astype(np.int64)
