"""Frames of texts as the bytes of a file, written as `[reading]` of the contract says and as
`sluice.model.data.table` reads them again.
"""

import csv
import io
from typing import TYPE_CHECKING, Any

from sluice.errors import Refused
from sluice.model.data.table import read_columns
from sluice.served.contract import Column, Contract
from sluice.served.csv_header import read_header
from sluice.served.reading import UTF8
from sluice.served.table_refusals import as_utf8

if TYPE_CHECKING:
    import pandas as pd

_PARQUET = b"PAR1"
_LINE_ENDS = (b"\r\n", b"\n", b"\r")
_UTF8_MARK = b"\xef\xbb\xbf"


def like(content: bytes, frame: "pd.DataFrame", contract: Contract, source: str) -> bytes:
    """A frame as a file of the kind of `content`: the same format and, of a CSV, the same
    separator, order of columns and line ends; new columns come last.

    Where the frame begins with the rows of `content` and has its columns, what was there stays byte
    for byte. Raises Refused where a Parquet file has a type that a new text does not fit.
    """
    held = read_columns(content, contract, source)
    if contract.id.made and contract.id.name not in held:
        frame = frame.drop(columns=contract.id.name)  # whoever reads the file makes it again
    if content.startswith(_PARQUET):
        return _as_parquet(content, frame, contract, source)
    text = as_utf8(content, contract, source)
    header = read_header(text, contract, source)
    found = [contract.find(name) for name in header.names]
    names = [column.name for column in found if column is not None]
    new = [str(name) for name in frame if name not in names]
    end = _line_end(text)
    stays = not new and len(names) == len(header.names) and _begins_with(frame, held)
    rows = frame[len(held) :] if stays else frame
    order = [*names, *new]
    lines = _lines(rows[order], contract, header.separator, end.decode())
    if stays:
        separated = content if content.endswith(end) else content + end
        mark = content.startswith(_UTF8_MARK)
        return separated + _encoded(lines, UTF8 if mark else contract.reading.encoding)
    return to_csv(frame[order], contract, header.separator, end.decode())


def to_csv(
    frame: "pd.DataFrame", contract: Contract, separator: str = "", end: str = "\n"
) -> bytes:
    """A frame as a CSV with a header, in the encoding and with the decimal sign of the contract."""
    separator = separator or contract.reading.delimiter or ","
    head = io.StringIO(newline="")
    csv.writer(head, delimiter=separator, lineterminator=end).writerow(frame.columns)
    text = head.getvalue() + _lines(frame, contract, separator, end)
    return _encoded(text, contract.reading.encoding)


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        what = f"{character!r} cannot be written in {encoding}, the encoding of the contract"
        raise Refused(what, "Write the new rows without it, or change [reading].") from None


def _begins_with(frame: "pd.DataFrame", held: "pd.DataFrame") -> bool:
    """Whether the first rows of a frame say what a file says."""
    first = frame[: len(held)]
    return all(
        (first[name].astype(object).fillna("") == held[name].astype(object).fillna("").to_numpy())
        .to_numpy()
        .all()
        for name in held
        if name in frame
    )


def _lines(frame: "pd.DataFrame", contract: Contract, separator: str, end: str) -> str:
    """The rows of a frame as lines of a CSV."""
    texts = io.StringIO(newline="")
    columns = [_cells(frame[name], contract.find(str(name)), contract) for name in frame]
    writer = csv.writer(texts, delimiter=separator, lineterminator=end)
    writer.writerows(zip(*columns, strict=True))
    return texts.getvalue()


def _cells(values: "pd.Series[Any]", column: Column | None, contract: Contract) -> list[str]:
    texts = [str(text) for text in values.astype(object).where(values.notna(), "")]
    if column is not None and column.numeric and contract.reading.decimal == ",":
        return [text.replace(".", ",") for text in texts]
    return texts


def _line_end(text: bytes) -> bytes:
    """What ends the first line."""
    places = {end: text.find(end) for end in _LINE_ENDS if end in text}
    return min(places, key=lambda end: (places[end], -len(end)), default=b"\n")


def _as_parquet(content: bytes, frame: "pd.DataFrame", contract: Contract, source: str) -> bytes:
    """A frame as a Parquet file with the types of another one; new columns are texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(io.BytesIO(content))
    types = {}
    for field in schema:
        column = contract.find(field.name)
        types[column.name if column else field.name] = (field.name, field.type)
    order = [name for name in types if name in frame]
    order += [str(name) for name in frame if name not in types]
    arrays, names = [], []
    for name in order:
        written, sort = types.get(name, (name, pa.string()))
        arrays.append(_as_typed(frame[name], sort, contract.find(name), source))
        names.append(written)
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=names), sink, compression="zstd")
    return sink.getvalue()


def _as_typed(values: "pd.Series[Any]", sort: Any, column: Column | None, source: str) -> Any:
    """A column of texts in a type of Arrow. Raises Refused where a text does not fit."""
    import pyarrow as pa

    if pa.types.is_dictionary(sort):
        sort = sort.value_type
    texts = values.astype(object).where(values.notna(), None)
    if pa.types.is_boolean(sort) and column is not None and column.values:
        no, yes = column.values
        return pa.array([{yes: True, no: False}.get(text) for text in texts], sort)
    try:
        return pa.array(texts, pa.string()).cast(sort)
    except pa.ArrowException:
        what = f"{source}: {values.name} is of the type {sort}, and a new row has another value"
        raise Refused(what, "Write the values of the new rows as the others are written.") from None
