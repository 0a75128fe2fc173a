"""Labels in files: the table that somebody adds, and what is kept of it on this machine.

Each table that was added is one file under the hash of what it says, for its owner alone. Adding it
again changes nothing, and whoever is killed leaves a whole file or none.
"""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from flows.adapters.files import read_stable, write_atomic
from sluice.errors import Refused, SluiceError, cause
from sluice.identity import sha256
from sluice.monitor.labels import ACTED, COLUMNS, Label

_KEPT = "*.jsonl"


def rows_of(
    path: Path, needed: Sequence[str] = COLUMNS
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The rows of a CSV or Parquet file with the number of their line, every cell a text; of a
    Parquet file only the columns that are needed, and the one that says who was acted upon.

    Raises UsageError where it cannot be read, Refused where it is no such table.
    """
    content = read_stable(path)
    table = _parquet if content.startswith(b"PAR1") else _csv
    return table(content, str(path), needed)


def keep(folder: Path, labels: list[Label]) -> bool:
    """Keep the labels of a table. False where the same ones are there already.

    Neither the order of the rows nor the form of the file matters.
    """
    lines = sorted({msgspec.json.encode(label) for label in labels})
    content = b"".join(line + b"\n" for line in lines)
    path = folder / f"{sha256(content)}.jsonl"
    if path.exists():
        return False
    write_atomic(path, content)
    return True


def kept(folder: Path) -> Iterator[Label]:
    """Every label that was ever added, file by file. Raises SluiceError for a damaged file."""
    read = msgspec.json.Decoder(Label)
    for path in _files(folder):
        try:
            content = path.read_bytes()
            if sha256(content) != path.stem:
                raise ValueError("its content is not what was written")
            yield from read.decode_lines(content)
        except (OSError, ValueError, RecursionError) as error:
            fix = "Remove that file and add its table again."
            raise SluiceError(f"{path} cannot be read: {cause(error)}", fix) from None


def identity(folder: Path) -> str:
    """A hash of all labels that were added."""
    return sha256("\n".join(path.stem for path in _files(folder)).encode())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(_KEPT))


def _csv(
    content: bytes, source: str, needed: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{source} is no table: {cause(error)}", "Save it as UTF-8.") from None
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True
    )
    try:
        _require(reader.fieldnames or (), source, needed)
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        what = f"{source}, line {reader.line_num}, cannot be read as CSV: {error}"
        raise Refused(what, "Export it again.") from None


def _parquet(
    content: bytes, source: str, needed: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table: Any = pyarrow.parquet.read_table(io.BytesIO(content))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        what = f"{source} cannot be read as Parquet: {cause(error)}"
        raise Refused(what, "Export it again.") from None
    _require(table.column_names, source, needed)
    names = [name for name in (*needed, ACTED) if name in table.column_names]
    columns = [table.column(name).to_pylist() for name in names]
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        texts = (None if cell is None else str(cell) for cell in cells)
        yield number, dict(zip(names, texts, strict=True))


def _require(names: Any, source: str, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        found = list(itertools.islice(names, 10))
        have = f"the columns {', '.join(found)}" if found else "0 columns"
        verb = "is" if len(missing) == 1 else "are"
        what = f"{source} has {have}; {', '.join(missing)} {verb} required"
        raise Refused(what, f"Give it a header with the columns {', '.join(needed)}.")
