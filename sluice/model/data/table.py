"""From the bytes of a file to a frame of raw texts, and from there to typed columns.

Nothing is guessed while reading: every cell stays the text that was written but for blanks around
it, and only a cell of nothing but blanks is missing. A CSV and a Parquet file of the same table
give the same frame. What is a number, what separates the cells of a CSV and where its header is,
`sluice.served` says for uploaded files too.
"""

import functools
import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import Refused
from sluice.model.data.times import TIME, times_of
from sluice.served import table_refusals
from sluice.served.cells import NUMBER_PATTERNS, day_in_table
from sluice.served.contract import Column, Contract
from sluice.served.csv_header import Header, is_blank, is_row_index, nameless, read_header
from sluice.served.encoding import is_text, listed
from sluice.served.table_refusals import TableRefused

if TYPE_CHECKING:
    import pandas as pd

# bytes; Arrow fails on a row that is longer than a block, and may then abort the process at its end
_BLOCK = 2**30
_SIGN = re.compile(rb"\S")
_LARGEST = 2**53  # beyond it neighbouring whole numbers are one and the same float


def read_table(data: bytes, contract: Contract, source: str) -> "pd.DataFrame":
    """The table in the bytes of a CSV or Parquet file, columns in the order of the contract.

    Each column is a categorical of texts. Missing is an empty cell of a CSV; a null, a NaN or an
    empty text of a Parquet file; blanks alone are as good as nothing, and so is what `[reading]`
    of the contract says. Rows of a CSV without a value
    are left out. `source` names the file in messages. Raises TableRefused, naming
    why the bytes are not such a table.
    """
    frame = _as_texts(data, contract, source)
    if contract.id.made and contract.id.name not in frame:
        frame[contract.id.name] = made_ids(frame, contract)
    return frame


def read_columns(data: bytes, contract: Contract, source: str) -> "pd.DataFrame":
    """As `read_table`, of a file that has only some of the columns; an id is not made."""
    columns = tuple(replace(column, role="ignored") for column in contract.columns)
    return _as_texts(data, replace(contract, columns=columns), source)


def _as_texts(data: bytes, contract: Contract, source: str) -> "pd.DataFrame":
    read = _parquet if data.startswith(b"PAR1") else _csv
    table = read(data, contract, source)
    if table.num_rows == 0:
        what = f"{source} has a header and no rows; at least one row is required"
        raise TableRefused("empty", what, "Export it again, with its rows.")
    order = [column.name for column in contract.columns if column.name in table.column_names]
    frame = _frame(table.select(order).unify_dictionaries())
    if contract.reading.missing or not contract.reading.as_written:
        commas = read is _csv  # a Parquet file has numbers, and no sign of its own in them
        for name in order:
            frame[name] = _as_read(frame[name], contract.find(name), commas=commas)
    return frame


def _frame(table: Any) -> "pd.DataFrame":
    """An Arrow table of texts as a frame of categoricals, without look-ups of them."""
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for name in table.column_names:
        columns[name] = table[name].to_pandas()
        forget_look_ups(columns[name].to_frame())
    return pd.DataFrame(columns, copy=False)


def forget_look_ups(frame: "pd.DataFrame") -> None:
    """Drop what pandas keeps to look up the texts of categoricals.

    It makes that to see that they differ, and it is several times as large as they are. It is made
    anew where it is needed.
    """
    import pandas as pd

    for name in frame:
        column = frame[name]
        if isinstance(column.array, pd.Categorical):
            column.array.categories._reset_cache()  # type: ignore[attr-defined]


def made_ids(frame: "pd.DataFrame", contract: Contract) -> "pd.Series[Any]":
    """An id for each row: the beginning of the hash of its cells, and from the second of equal rows
    on the number of its copy. Columns that are ignored do not count: they may come and go.
    """
    import pandas as pd

    columns = [c.name for c in contract.columns if c.name in frame and c.role != "ignored"]
    texts = [frame[name].astype(object).where(frame[name].notna(), "") for name in columns]
    rows = ["\0".join(row) for row in zip(*texts, strict=True)]
    made = [hashlib.sha256(row.encode()).hexdigest()[:24] for row in rows]
    copies = pd.Series(made).groupby(made).cumcount() + 1
    ids = [name if copy == 1 else f"{name}-{copy}" for name, copy in zip(made, copies, strict=True)]
    return pd.Series(ids, index=frame.index, dtype="category")


def _as_read(texts: "pd.Series[Any]", column: Column | None, *, commas: bool) -> "pd.Series[Any]":
    """A column of texts as `[reading]` of the contract takes its cells; each different text is
    looked at once. `commas` says whether numbers are written with the decimal sign of the contract.
    """
    import pandas as pd

    if column is None:
        return texts
    cells = _categorical(texts)
    numeric = column.numeric and commas and column.kind != "date"
    plain = [column.reading.plain(str(cell), numeric=numeric) for cell in cells.categories]
    categories = list(dict.fromkeys(text for text in plain if text))
    places = {text: place for place, text in enumerate(categories)}
    codes = np.array([*(places.get(text, -1) for text in plain), -1])[cells.codes]
    return pd.Series(
        pd.Categorical.from_codes(codes, pd.Index(categories, dtype="str")), index=texts.index
    )


def _csv(data: bytes, contract: Contract, source: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    data = table_refusals.as_utf8(data, contract, source)
    header = read_header(data, contract, source)
    places = nameless(header.names)
    named = [name for place, name in enumerate(header.names) if place not in places]
    published = iter(_published(named, contract, source))
    # No text holds a NUL, so nobody's column has such a name.
    names = [
        f"\0{place}" if place in places else next(published) for place in range(len(header.names))
    ]
    table_refusals.check_columns([name for name in names if name[:1] != "\0"], contract, source)
    if data.count(b'"') % 2:
        raise table_refusals.open_quote(data, source)
    if not _SIGN.search(data, header.end):
        return pa.table({name: pa.array([], pa.string()) for name in names})
    try:
        table, ragged = _rows(data, header, names, threads=True)
    except pa.ArrowException:  # its message quotes the row
        what = f"{source} cannot be split into rows and values; a CSV is required"
        fix = "Is there a cell of more than a megabyte? Export it again."
        raise TableRefused("not a CSV", what, fix) from None
    if ragged:
        # Only a single thread knows the lines.
        _, numbered = _rows(data, header, names, threads=False)
        lines = [(line + header.lines, fields) for line, fields in numbered]
        raise table_refusals.ragged(lines, len(names), source, header.separator)
    table = _without_blanks(table)
    for place in places:
        cells = table.column(place)
        if cells.null_count == table.num_rows:
            continue
        whole = pc.all(pc.utf8_is_decimal(pc.cast(cells, pa.string())), skip_nulls=True).as_py()
        if cells.null_count or not is_row_index(place, "0" if whole else "-"):
            raise table_refusals.nameless(place, len(names), source)
    return table.select([name for name in names if name[:1] != "\0"])


def _without_blanks(table: Any) -> Any:
    """The table without rows that hold no value; a cell of blanks alone holds none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: _trimmed(table[name]) for name in table.column_names}
    table = pa.table(columns)
    rows = functools.reduce(pc.or_, [pc.is_valid(column) for column in table.columns])
    return table if pc.all(rows).as_py() else table.filter(rows)


def _trimmed(texts: Any) -> Any:
    """A column of texts, as an Arrow dictionary, without blanks around them; a cell of blanks alone
    is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    different = [
        (chunk.dictionary, pc.utf8_trim_whitespace(chunk.dictionary)) for chunk in texts.chunks
    ]
    if all(before.equals(after) for before, after in different):
        return texts
    return _without_blank(texts.cast(pa.string())).dictionary_encode()


def _without_blank(texts: Any) -> Any:
    """Plain texts without blanks around them; null where nothing is left."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _published(names: Sequence[str], contract: Contract, source: str) -> list[str]:
    """The names of columns as the contract publishes them; a header may hold their keys instead.

    Raise TableRefused where two of them mean the same column.
    """
    columns = [(contract.find(name.strip()), name) for name in names]
    published = [column.name if column else name for column, name in columns]
    twice = [name for name, count in Counter(published).items() if count > 1]
    if twice:
        raise table_refusals.duplicate_columns(twice, source)
    return published


def _rows(
    data: bytes, header: Header, names: list[str], *, threads: bool
) -> tuple[Any, list[tuple[int, int]]]:
    """The rows below the header as an Arrow table of texts, and those with another number of
    fields, as (row, fields): the rows from 1 where `threads` is off, else 0.
    """
    import pyarrow as pa
    import pyarrow.csv as arrow

    rows = pa.py_buffer(data).slice(header.end)
    texts = pa.dictionary(pa.int32(), pa.string())
    ragged: list[tuple[int, int]] = []

    def skip(row: Any) -> str:
        if not is_blank(row.text, header.separator):
            ragged.append((row.number or 0, row.actual_columns))
        return "skip"

    table = arrow.read_csv(
        rows,
        arrow.ReadOptions(
            column_names=names, use_threads=threads, block_size=min(rows.size, _BLOCK)
        ),
        arrow.ParseOptions(
            delimiter=header.separator, newlines_in_values=True, invalid_row_handler=skip
        ),
        arrow.ConvertOptions(
            column_types=dict.fromkeys(names, texts),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return table, ragged


def _parquet(data: bytes, contract: Contract, source: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        table.validate(full=True)
    except (pa.ArrowException, OSError):
        what = f"{source} is a damaged Parquet file of {len(data)} bytes; a whole one is required"
        fix = "Was it cut off on the way? Copy or export it again."
        raise TableRefused("not a CSV", what, fix) from None
    names = _published(table.column_names, contract, source)
    table_refusals.check_columns(names, contract, source)
    columns = {
        name: simple_texts(values, contract.find(name), source, name)
        for name, values in zip(names, table.columns, strict=True)
    }
    return pa.table(columns)


def simple_texts(values: Any, column: Column | None, source: str, name: str) -> Any:
    """A column of any simple Parquet type, called `name`, as the texts that a CSV would hold;
    `column` is the one of the contract, None where there is none. Raises TableRefused for another
    type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    sort = values.type
    if pa.types.is_nested(sort) or pa.types.is_binary(sort) or pa.types.is_large_binary(sort):
        what = f"{source}: column {name!r} holds {sort}; numbers or texts are required"
        raise TableRefused("wrong type", what, "Write one simple value a cell.")
    if pa.types.is_boolean(sort) and column is not None and column.kind == "boolean":
        values = pc.if_else(values, *reversed(column.values))
    elif pa.types.is_floating(sort):
        different = pc.unique(values)
        texts = [_plain(number) for number in different.to_pylist()]
        values = pc.take(pa.array(texts, pa.string()), pc.index_in(values, different))
    return _without_blank(pc.cast(values, pa.string())).dictionary_encode()


def _plain(number: float | None) -> str:
    if number is None or math.isnan(number):
        return ""
    return str(int(number)) if abs(number) < _LARGEST and number.is_integer() else repr(number)


def numbers(column: Column, texts: "pd.Series[Any]") -> np.ndarray:
    """Texts of a numeric column as float64, shape (rows,): NaN where the cell is missing or holds
    no number of the column's kind. A date is the number of its day.
    """
    import pandas as pd

    cells = _categorical(texts)
    if column.kind == "date":
        days = [day_in_table(column, str(text)) for text in cells.categories]
        numbered = [np.nan if day is None else float(day) for day in (*days, None)]
        return np.array(numbered)[cells.codes]
    written = pd.Series(cells.categories, dtype="str")
    good = written.str.contains(NUMBER_PATTERNS[column.kind]).to_numpy(dtype=bool)
    parsed = np.full(len(written) + 1, np.nan)  # the last place is for code -1: missing
    parsed[:-1][good] = written[good].astype("float64").to_numpy()
    return np.asarray(parsed[cells.codes])


def _categorical(texts: "pd.Series[Any]") -> "pd.Categorical":
    import pandas as pd

    return texts.array if isinstance(texts.array, pd.Categorical) else pd.Categorical(texts)


def _objects(texts: "pd.Series[Any]", column: Column | None = None) -> np.ndarray:
    """Texts as objects, None where missing; of a category that takes any text what it lists."""
    cells = _categorical(texts)
    values = list(cells.categories)
    if column and column.other:
        values = [listed(column, value) if is_text(value) else value for value in values]
    return np.asarray(np.array([*values, None], dtype=object)[cells.codes])


def typed(frame: "pd.DataFrame", contract: Contract) -> dict[str, np.ndarray]:
    """The columns of a validated frame by key, each of shape (rows,); ignored ones are left out.

    They are as `sluice.served.encoding` takes them: numbers are float64 with NaN, the rest objects
    (texts or None); a whole-number id is int64, the target int8 (1 is positive; of several classes
    the place in the contract, and float64 where it is a number). Raises Refused
    where a number, an id or a target cannot be read, which validation would have named. Where the
    contract names a column as `as_of`, its times are there too, as TIME.
    """
    columns = (column for column in contract.columns if column.role != "ignored")
    found = {column.key: _typed(column, contract, frame[column.name]) for column in columns}
    if contract.as_of and contract.as_of in frame:
        column = contract.find(contract.as_of)
        found[TIME] = times_of(_categorical(frame[contract.as_of]), column)
    return found


def _typed(column: Column, contract: Contract, texts: "pd.Series[Any]") -> np.ndarray:
    if contract.target.quantity and column.role == "target":
        number = numbers(column, texts)
        _require(column, ~np.isnan(number))
        return number
    if column.role == "target":
        values = _objects(texts)
        if contract.target.several:
            return _classes(column, values)
        positive = values == contract.target.positive
        _require(column, positive | (values == contract.target.negative))
        return np.asarray(positive, dtype=np.int8)
    if not column.numeric:
        return _objects(texts, column)
    number = numbers(column, texts)
    if column.role == "id" and column.kind == "integer":
        _require(column, np.abs(number) < _LARGEST)
        return number.astype(np.int64)
    _require(column, ~np.isnan(number) | texts.isna().to_numpy())
    return number


def _classes(column: Column, values: np.ndarray) -> np.ndarray:
    """The place of each row's class among the values of the contract."""
    places = {value: place for place, value in enumerate(column.values)}
    found = np.array([places.get(value, -1) for value in values], dtype=np.int8)
    _require(column, found >= 0)
    return found


def _require(column: Column, good: np.ndarray) -> None:
    if not good.all():
        bad = np.count_nonzero(~good)
        what = f"{column.name}: {bad} values cannot be read; {column.allowed} is required"
        raise Refused(what, "Validate the table first; that names each of them.")


def to_parquet(columns: Mapping[str, np.ndarray]) -> bytes:
    """Typed columns as the bytes of a Parquet file: the same columns, the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({key: _arrow(values) for key, values in columns.items()})
    texts = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False, use_dictionary=texts)
    return sink.getvalue()


def _arrow(values: np.ndarray) -> Any:
    import pyarrow as pa

    if values.dtype == object:
        return pa.array(values, pa.string(), from_pandas=True).dictionary_encode()
    return pa.array(values)  # NaN stays NaN: a null would come back as another type


def from_parquet(data: bytes) -> dict[str, np.ndarray]:
    """Typed columns from the bytes that `to_parquet` wrote, each with its dtype."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(io.BytesIO(data))
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    table = pq.read_table(io.BytesIO(data), read_dictionary=texts)
    return {
        name: _objects(table[name].to_pandas()) if name in texts else table[name].to_numpy()
        for name in table.column_names
    }
