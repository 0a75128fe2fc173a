"""The rows of a replay, chunk by chunk: from the prediction log, a file, or the holdout."""

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flows.adapters.prediction_days import LogDay, Passed, PredictionLog, Sent, open_log, sent
from flows.canary.loaded import Both
from sluice.errors import UsageError
from sluice.served.contract import Contract
from sluice.served.encoding import Columns, Record, read_records
from sluice.served.uploaded_table import Sheet

_CHUNK = 5_000  # rows
_SETTLED = datetime.timedelta(days=2)  # after which nothing is added to a day any more
_DAYS = 28  # that a release reads, and the rows that are enough for it
_ENOUGH = 100_000


@dataclass(frozen=True)
class Chunk:
    """Some rows as columns by key, and how many further rows of their requests are left out."""

    columns: Columns
    repeated: int = 0


@dataclass(frozen=True)
class Rows:
    """Rows to be replayed, and where they come from, in words.

    `wrong` rows were left out before; `passed` is filled while a log is read. `served` says whether
    they are in the units in which the model is asked: rows that a candidate was made with need not
    be.
    """

    source: str
    chunks: Iterator[Chunk]
    wrong: int = 0
    passed: Passed = field(default_factory=Passed)
    served: bool = True


def from_sheet(source: str, contract: Contract, sheet: Sheet) -> Rows:
    """The rows of a table that were checked by this contract."""
    records = [row.record for row in sheet.rows]
    return Rows(source, _records(contract, records), len(sheet.problems))


def from_log(both: Both, place: str) -> Rows:
    """The requests that the running model was sent. Raises UsageError where the log has none."""
    rows = logged(both, place)
    if rows is None:
        raise UsageError(
            f"{place} has 0 rows that {both.running.name}, which is live, was sent; 1 is required",
            "Name the log of its service, or leave out --log: the holdout is replayed then.",
        )
    return rows


def features(both: Both) -> list[str]:
    """The columns that one of the models is fed."""
    contracts = (both.running.model.contract, both.candidate.model.contract)
    keys = (column.key for contract in contracts for column in contract.features)
    return list(dict.fromkeys(keys))


def is_place(place: str) -> bool:
    """Whether there may be a log at a place."""
    return "://" in place or Path(place).is_dir()


def logged(both: Both, place: str) -> Rows | None:
    """The rows of a log; None where it has none of the running model."""
    log, passed = open_log(place), Passed()
    chunks = _begun(_requests(both, log, log.days(), passed))
    return Rows(f"the prediction log in {place}", chunks, passed=passed) if chunks else None


def newest(both: Both, place: str, before: datetime.date) -> Rows | None:
    """The newest rows of a log that will be the same whenever it is read again: of days that were
    over two days before `before`. None where it has none of the running model.
    """
    last = (before - _SETTLED).isoformat()
    log, passed = open_log(place), Passed()
    days = [day for day in log.days() if day.day <= last][-_DAYS:]
    chunks = _begun(_enough(_requests(both, log, days[::-1], passed)))
    if chunks is None:
        return None
    return Rows(f"the prediction log up to {days[-1].day}", chunks, passed=passed)


def _begun(chunks: Iterator[Chunk]) -> Iterator[Chunk] | None:
    """The same chunks; None where there is none."""
    first = next(chunks, None)
    return None if first is None else _after(first, chunks)


def _enough(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """As many of the chunks as have enough rows."""
    rows = 0
    for chunk in chunks:
        yield chunk
        rows += len(next(iter(chunk.columns.values())))
        if rows >= _ENOUGH:
            return


def _after(first: Chunk, others: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from others


def _requests(
    both: Both, log: PredictionLog, days: Sequence[LogDay], passed: Passed
) -> Iterator[Chunk]:
    """One row of each request: a canary is judged by as many."""
    contract = both.running.model.contract
    known: frozenset[tuple[str, str]] = frozenset()
    for day in days:
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


def stored(path: Path, keys: Sequence[str]) -> Iterator[Chunk]:
    """These columns of a file of the store, as `from_parquet` of the table reads them."""
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
