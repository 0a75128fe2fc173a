"""The rows of a replay, chunk by chunk: from the prediction log, a file, or the holdout."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flows.adapters.prediction_days import Passed, Sent, open_log, sent
from flows.canary.both_models import Both, split_rows
from flows.facts.step_files import HOLDOUT_ROWS
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.served.contract import Contract
from sluice.served.encoding import Columns, Record, read_records
from sluice.served.uploaded_table import Sheet

_CHUNK = 5_000  # rows
HOLDOUT = "the holdout of the last release here, without labels, because no log has rows of"


@dataclass(frozen=True)
class Chunk:
    """Some rows as columns by key, and how many further rows of their requests are left out."""

    columns: Columns
    repeated: int = 0


@dataclass(frozen=True)
class Rows:
    """Rows to be replayed, and where they come from, in words.

    `wrong` rows were left out before; `passed` is filled while a log is read.
    """

    source: str
    chunks: Iterator[Chunk]
    wrong: int = 0
    passed: Passed = field(default_factory=Passed)


def from_sheet(source: str, contract: Contract, sheet: Sheet) -> Rows:
    """The rows of a table that were checked by this contract."""
    records = [row.record for row in sheet.rows]
    return Rows(source, _records(contract, records), len(sheet.problems))


def from_log(both: Both, place: str) -> Rows:
    """The requests that the running model was sent. Raises UsageError where the log has none."""
    rows = _logged(both, place)
    if rows is None:
        raise UsageError(
            f"{place} has 0 rows that {both.running.name}, which is live, was sent; 1 is required",
            "Name the log of its service, or leave out --log: the holdout is replayed then.",
        )
    return rows


def found(settings: Settings, both: Both, place: str) -> Rows:
    """The rows of the log at a place, where it has any, or else of the holdout, and it says so.

    Raises UsageError where there is neither.
    """
    there = "://" in place or Path(place).is_dir()
    rows = _logged(both, place) if there else None
    if rows is not None:
        return rows
    split = split_rows(settings, both.name)
    if split is None:
        raise UsageError(
            f"there is no log of {both.name} at {place}, and this machine has no holdout of it",
            "Name a log with --log, or rows with --file.",
        )
    path = split.folder / HOLDOUT_ROWS
    return Rows(f"{HOLDOUT} {both.running.name}", _stored(path, _features(both)))


def _features(both: Both) -> list[str]:
    """The columns that one of the models is fed."""
    contracts = (both.running.model.contract, both.candidate.model.contract)
    keys = (column.key for contract in contracts for column in contract.features)
    return list(dict.fromkeys(keys))


def _logged(both: Both, place: str) -> Rows | None:
    """The rows of a log; None where it has none of the running model."""
    passed = Passed()
    chunks = _requests(both, place, passed)
    first = next(chunks, None)
    if first is None:
        return None
    return Rows(f"the prediction log in {place}", _after(first, chunks), passed=passed)


def _after(first: Chunk, others: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from others


def _requests(both: Both, place: str, passed: Passed) -> Iterator[Chunk]:
    """One row of each request: a canary is judged by as many."""
    log, contract = open_log(place), both.running.model.contract
    known: frozenset[tuple[str, str]] = frozenset()
    for day in log.days():
        for lines in sent(log, day, contract, both.running.digest, passed):
            chosen = _one_of_each(lines, known)
            known = frozenset(lines.requests)
            yield Chunk(_at(lines.columns, chosen), len(lines.names) - len(chosen))


def _one_of_each(lines: Sent, known: frozenset[tuple[str, str]]) -> list[int]:
    """The place of one row of each request that is not known from the lines before; the id of the
    answer chooses it.
    """
    chosen: dict[tuple[str, str], tuple[bytes, int]] = {}
    for place, (request, name) in enumerate(zip(lines.requests, lines.names, strict=True)):
        drawn = (hashlib.sha256(name.encode()).digest(), place)
        if request not in known and drawn < chosen.get(request, (b"\xff" * 33, 0)):
            chosen[request] = drawn
    return sorted(place for _, place in chosen.values())


def _at(columns: Columns, places: Sequence[int]) -> dict[str, np.ndarray]:
    return {key: values[np.asarray(places, dtype=np.intp)] for key, values in columns.items()}


def _records(contract: Contract, records: Sequence[Record]) -> Iterator[Chunk]:
    for start in range(0, len(records), _CHUNK):
        yield Chunk(read_records(contract, records[start : start + _CHUNK]))


def _stored(path: Path, keys: Sequence[str]) -> Iterator[Chunk]:
    """These columns of a file of the store, as `sluice.model.table.from_parquet` reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        known = [key for key in keys if key in file.schema_arrow.names]
        for batch in file.iter_batches(_CHUNK, columns=known):
            columns = {}
            for field in batch.schema:
                values = batch.column(field.name)
                if pa.types.is_string(field.type):
                    columns[field.name] = np.array(values.to_pylist(), dtype=object)
                else:
                    columns[field.name] = values.to_numpy(zero_copy_only=False)
            yield Chunk(columns)
