"""Records as a program sends them, from the bytes of a body to the numbers that stand for them.

What is plainly allowed is checked while it is parsed: msgspec decodes into a type made from the
contract. Everything else goes the thorough way of `read_records`, which takes the same and finds
every wrong field. A number stands for itself, a text for its place among the values. A record may
say whom it is about, in the id column of the contract: the model is not fed it, the prediction log
keeps its hash.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, cast

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from bento.http.json_door import decoded
from bento.http.wrong_body import (
    named,
    names_once,
    not_json,
    parse_many,
    parse_one,
    shown,
    too_long,
)
from sluice.served.contract import LONGEST, Column, Contract
from sluice.served.encoding import (
    SHOWN,
    FieldError,
    InvalidFields,
    Record,
    positions,
    read_day,
    read_place,
)
from sluice.served.predictions import person_id
from sluice.served.records import read_all

Values = tuple[object, ...]
# What msgspec takes for a type: an annotation, of which the type checker knows no kind.
Kind = Any
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_CHUNK = 500  # records of a list that are read before other requests have their turn


@dataclass(frozen=True)
class Read:
    """Records that the contract allows.

    `numbers` is float64, shape (rows, features); `values` are the features as they were sent;
    `ids` are those of the rows, empty where none was sent.
    """

    numbers: np.ndarray
    values: Sequence[Values]
    ids: Sequence[str]


class Reader:
    """Reads one record, or a list of them."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        # A body has keys or published names; the keys are tried first.
        kinds = record_types(contract)
        self._one = [msgspec.json.Decoder(kind) for kind in kinds]
        self._many = [msgspec.json.Decoder(list[kind]) for kind in kinds]  # type: ignore[valid-type]
        self._numbers = [_numbers_of(column) for column in contract.features]

    def one(self, body: bytes) -> tuple[list[float], Values, str]:
        """The numbers of one record, its values, and the id of its row, empty for none.

        Raise InvalidFields for values that the contract does not allow, Refusal for a body that is
        no record.
        """
        for decoder in self._one:
            record = decoded(decoder, body)
            if record is None:
                continue
            fields = astuple(record)
            names_once(body, len(fields) - fields.count(UNSET))
            values = fields[:-1]
            numbers: list[float] = []
            for number, value in zip(self._numbers, values, strict=True):
                numbers.append(number[value] if number else value)
            if math.inf in numbers:
                break
            return numbers, values, self._id(fields[-1])
        given, fault = parse_one(body, "one record, an object")
        read = self.records([given])
        if fault:
            raise not_json(fault)
        return read.numbers[0].tolist(), read.values[0], read.ids[0]

    async def many(self, body: bytes, most: int) -> Read:
        """A list of at most `most` records; other requests have their turn between its chunks.

        Raise InvalidFields or Refusal, as `one` does, and Refusal for a list that is too long.
        """
        for decoder in self._many:
            rows = decoded(decoder, body)
            if rows is None:
                continue
            if len(rows) > most:
                raise too_long(most)
            read = await self._decoded(body, rows)
            if read:
                return read
        return await self._thorough(body, most)

    async def checked(self, records: Sequence[Record]) -> Read:
        """Many records that are parsed already, with the same turns. Raise InvalidFields."""
        parts = []
        for start in range(0, len(records), _CHUNK):
            parts.append(self.records(records[start : start + _CHUNK]))
            await asyncio.sleep(0)
        return self._joined(parts)

    async def in_columns(self, columns: Mapping[str, Sequence[object]], rows: int) -> Read:
        """Records whose values come column by column, by name; with the same turns.

        Raise InvalidFields.
        """
        parts: list[Read] = []
        errors: list[FieldError] = []
        for start in range(0, rows, _CHUNK):
            values = [column[start : start + _CHUNK] for column in columns.values()]
            records = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
            try:
                parts.append(self.records(records))
            except InvalidFields as refused:
                errors += [replace(error, row=error.row + start) for error in refused.errors]
            if len(errors) >= SHOWN:
                break
            await asyncio.sleep(0)
        if errors:
            raise InvalidFields(errors[:SHOWN])
        return self._joined(parts)

    async def _decoded(self, body: bytes, rows: Sequence[msgspec.Struct]) -> Read | None:
        """Rows that msgspec decoded; None where a name may be in one of them twice, or a date or a
        text is none that the contract allows.

        msgspec keeps the last of two equal names, so the names in the body are counted.
        """
        parts: list[Read] = []
        names = 0
        for start in range(0, len(rows), _CHUNK):
            part, count = self._part([*map(astuple, rows[start : start + _CHUNK])])
            if np.isinf(part.numbers).any():
                return None
            parts.append(part)
            names += count
            await asyncio.sleep(0)
        return self._joined(parts) if named(body, names) else None

    def _part(self, rows: list[Values]) -> tuple[Read, int]:
        """Rows that the contract allows, and how many names were sent for them.

        Goes column by column, and looks values up by `map`: a loop over them would take most of the
        time of a request.
        """
        numbers = np.empty((len(self._numbers), len(rows)))
        *columns, ids = zip(*rows, strict=True)
        names = len(rows) * (len(self._numbers) + 1) - ids.count(UNSET)
        for place, values in enumerate(columns):
            number = self._numbers[place]
            if UNSET in number:
                names -= values.count(UNSET)
            numbers[place] = [*map(number.__getitem__, values)] if number else values
        whom = [*map(self._id, ids)]
        # Adding zero turns negative zeros into zeros.
        return Read(numbers.T + 0.0, [row[:-1] for row in rows], whom), names

    async def _thorough(self, body: bytes, most: int) -> Read:
        """A list with something wrong or unusual in it.

        It is parsed to its end, and checked until `SHOWN` errors are found.
        """
        parts: list[Read] = []
        errors: list[FieldError] = []
        row = 0
        chunks, fault = parse_many(body, most)
        for chunk in chunks:
            if len(errors) < SHOWN:
                try:
                    parts.append(self.records(chunk))
                except InvalidFields as refused:
                    errors += [replace(error, row=error.row + row) for error in refused.errors]
            row += len(chunk)
            await asyncio.sleep(0)
        if errors:
            raise InvalidFields(errors[:SHOWN])
        if fault:
            raise not_json(fault)
        return self._joined(parts)

    def _joined(self, parts: Sequence[Read]) -> Read:
        """The parts of a list as one; there may be none."""
        none = np.empty((0, len(self._numbers)))
        numbers = np.concatenate([none, *(part.numbers for part in parts)])
        values = [row for part in parts for row in part.values]
        ids = [one for part in parts for one in part.ids]
        return Read(numbers, values, ids)

    def records(self, records: Sequence[Record]) -> Read:
        """Records that are parsed already, the thorough way. Raise InvalidFields."""
        errors: list[FieldError] = []
        ids = [self._whom(row, record, errors) for row, record in enumerate(records)]
        names = (self._contract.id.key, self._contract.id.name)
        fed = [_without(record, names) for record in records]
        try:
            numbers = read_all(self._contract, fed)
        except InvalidFields as refused:
            errors += [self._as_sent(error, fed[error.row]) for error in refused.errors]
        if errors:
            raise InvalidFields(sorted(errors, key=lambda error: error.row))
        return Read(numbers, [self._values(record) for record in fed], ids)

    def _values(self, record: Record) -> Values:
        """The values of a record in the order of the contract, UNSET for one that was not sent."""
        values: list[object] = []
        for column in self._contract.features:
            if column.key in record:
                values.append(record[column.key])
            else:
                values.append(record.get(column.name, UNSET))
        return tuple(values)

    def _whom(self, row: int, record: Record, errors: list[FieldError]) -> str:
        """The id of a record's row, empty for none; adds to `errors` where it is not allowed."""
        column = self._contract.id
        names = dict.fromkeys((column.key, column.name))
        values = [record[name] for name in names if name in record]
        if not values:
            return ""
        if len(values) > 1:
            errors.append(FieldError(row, column.name, shown(values[-1]), "each field once"))
        whom = person_id(column, values[0])
        if whom is None and len(values) == 1:
            errors.append(FieldError(row, column.name, shown(values[0]), column.allowed))
        return whom or ""

    def _as_sent(self, error: FieldError, record: Record) -> FieldError:
        """An error with the value as JSON wrote it in the record."""
        column = self._contract.find(error.field)
        names = (column.key, column.name) if column else ()
        value = "missing"
        for name, sent in record.items():
            if name[:80] == error.field or name in names:
                value = shown(sent)
        field = error.field.encode("utf-8", "replace").decode()
        return replace(error, field=field, value=value)

    def _id(self, value: object) -> str:
        """The id that was sent, empty where none was, or none that the contract allows."""
        return "" if value is UNSET else person_id(self._contract.id, value) or ""


def _without(record: Record, names: tuple[str, ...]) -> Record:
    """A record without the fields of these names."""
    return {name: value for name, value in record.items() if name not in names}


class _Numbers(dict[object, float]):
    """The numbers of a numeric column that may be left out: each value stands for itself."""

    def __missing__(self, value: object) -> float:
        return float(cast(float, value))


class _Days(dict[object, float]):
    """The numbers of the days of a column; of what is no day that it allows infinity."""

    def __init__(self, column: Column) -> None:
        super().__init__({"": math.inf})
        self._column = column

    def __missing__(self, value: object) -> float:
        day = read_day(self._column, value)
        return math.inf if math.isnan(day) else day


class _Texts(dict[object, float]):
    """The places of a category that takes any text; of what is no text infinity."""

    def __init__(self, column: Column) -> None:
        super().__init__(positions(column))
        self._column = column

    def __missing__(self, value: object) -> float:
        place = read_place(self._column, self, value)
        return math.inf if math.isnan(place) else place


def _numbers_of(column: Column) -> dict[object, float]:
    """The number that stands for each value of a column; empty where all stand for themselves.

    Infinity stands for what only a closer look can refuse.
    """
    imputed = column.missing == "impute"
    if column.kind == "date" or column.kept:
        numbers: dict[object, float] = _Days(column) if column.kind == "date" else _Numbers()
        if column.kept:
            numbers |= dict.fromkeys((None, UNSET), math.nan)
        return numbers
    if column.numeric:
        if not imputed or column.fill is None:
            return {}
        fill = float(column.fill)
        return _Numbers({None: fill, UNSET: fill})
    numbers = _Texts(column) if column.other else {**positions(column)}
    if column.kind == "boolean":
        numbers |= {False: 0.0, True: 1.0}
    if imputed:
        numbers |= dict.fromkeys((None, UNSET), numbers[column.fill])
    return numbers


def record_types(contract: Contract) -> tuple[type[msgspec.Struct], type[msgspec.Struct]]:
    """What a record is parsed as: `Record` by key, and `PublishedRecord` by published name."""
    keys = {column.key: column.key for column in (*contract.features, contract.id)}
    published = {column.key: column.name for column in (*contract.features, contract.id)}
    return _struct("Record", contract, keys), _struct("PublishedRecord", contract, published)


def _struct(name: str, contract: Contract, names: Mapping[str, str]) -> type[msgspec.Struct]:
    """The type of a record: a field for each feature, in the order of the contract, then the id."""
    fields: list[tuple[str, Kind] | tuple[str, Kind, UnsetType]] = []
    for column in contract.features:
        if column.missing == "impute" or column.kept:
            fields.append((column.key, _type(column), UNSET))
        else:
            fields.append((column.key, _type(column)))
    fields.append((contract.id.key, _id_type(contract.id), UNSET))
    return msgspec.defstruct(
        name, fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
    )


def _type(column: Column) -> Kind:
    """The type that msgspec decodes a value of this column to; it holds the limits."""
    low = float(column.minimum or 0)
    high = float(column.maximum or 0)
    kind: Kind
    if column.kind == "integer":
        kind = Annotated[int, msgspec.Meta(ge=math.ceil(low), le=math.floor(high))]
    elif column.kind == "number":
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    elif column.kind == "date":
        # Its limits are looked at with its number.
        kind = Annotated[str, msgspec.Meta(pattern=_DAY)]
    elif column.other:
        kind = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]
    else:
        kind = Literal[column.values]
    if column.kind == "boolean":
        kind = kind | bool
    if column.missing == "impute" or column.kept:
        kind = kind | None | UnsetType
    return kind


def _id_type(column: Column) -> Kind:
    """The type that msgspec decodes the id of a row to; it may be left out."""
    if column.numeric or column.values:
        return _type(column) | UnsetType
    return Annotated[str, msgspec.Meta(pattern=r"\S", max_length=200)] | UnsetType
