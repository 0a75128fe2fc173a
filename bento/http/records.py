"""Records as a program sends them, from the bytes of a body to the numbers that stand for them.

What is plainly allowed is checked while it is parsed. Everything else goes the thorough way of
`read_records`, which takes the same and finds every wrong field. A number stands for itself, a text
for its place among the values. A record may say whom it is about, in the id column of the contract:
the model is not fed it, the prediction log keeps its hash.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from bento.http.wrong_body import (
    named,
    names_once,
    not_json,
    parse_many,
    parse_one,
    shown,
    too_long,
)
from sluice.served.contract import Column, Contract
from sluice.served.encoding import SHOWN, FieldError, InvalidFields
from sluice.served.predictions import person_id
from sluice.served.records import read_all

Values = tuple[Any, ...]
_CHUNK = 500  # records of a list read between two looks at what else is to be done


@dataclass(frozen=True)
class Read:
    """Records that the contract allows: numbers, shape (rows, features), the values as they were
    sent, and whom each is about, empty where that was not said."""

    numbers: np.ndarray
    values: Sequence[Values]
    persons: Sequence[str]


class Reader:
    """Reads one record, or a list of them."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        kinds = record_types(contract)
        self._one = [msgspec.json.Decoder(kind) for kind in kinds]
        self._many = [msgspec.json.Decoder(list[kind]) for kind in kinds]  # type: ignore[valid-type]
        self._places = [_places(column) for column in contract.features]

    def one(self, body: bytes) -> tuple[list[float], Values, str]:
        """The numbers of one record, its values, and whom it is about. Raises InvalidFields, or
        Refusal.
        """
        for decoder in self._one:
            try:
                values = astuple(decoder.decode(body))
            except (msgspec.DecodeError, RecursionError):
                continue
            names_once(body, len(values) - values.count(UNSET))
            person, values = values[-1], values[:-1]
            return (
                [p[v] if p else v for p, v in zip(self._places, values, strict=True)],
                values,
                self._person(person),
            )
        record, fault = parse_one(body, "one record, an object")
        read = self.records([record])
        if fault:
            raise not_json(fault)
        return read.numbers[0].tolist(), read.values[0], read.persons[0]

    async def many(self, body: bytes, most: int) -> Read:
        """The same of a list of at most so many, letting other requests have their turn now and
        then.
        """
        for decoder in self._many:
            try:
                rows = decoder.decode(body)
            except (msgspec.DecodeError, RecursionError):
                continue
            if len(rows) > most:
                raise too_long(most)
            read = await self._columns(body, rows)
            if read:
                return read
        return await self._thorough(body, most)

    async def checked(self, records: Sequence[Mapping[str, Any]]) -> Read:
        """Many records that are parsed already, in the same way. Raises InvalidFields."""
        parts = []
        for start in range(0, len(records), _CHUNK):
            parts.append(self.records(records[start : start + _CHUNK]))
            await asyncio.sleep(0)
        return self._joined(parts)

    async def _columns(self, body: bytes, rows: Sequence[msgspec.Struct]) -> Read | None:
        """Rows that the contract allows, nothing where a name may stand twice among them."""
        parts, given = [], 0
        for start in range(0, len(rows), _CHUNK):
            part, names = self._part([*map(astuple, rows[start : start + _CHUNK])])
            parts.append(part)
            given += names
            await asyncio.sleep(0)
        return self._joined(parts) if named(body, given) else None

    def _part(self, rows: list[Values]) -> tuple[Read, int]:
        """What some rows say, and how many names stand in them."""
        numbers = np.empty((len(self._places), len(rows)))
        *columns, persons = zip(*rows, strict=True)
        given = len(rows) * len(self._places) + len(rows) - persons.count(UNSET)
        for place, values in enumerate(columns):
            places = self._places[place]
            given -= values.count(UNSET) if UNSET in places else 0
            numbers[place] = [*map(places.__getitem__, values)] if places else values
        whom = [*map(self._person, persons)]
        return Read(numbers.T + 0.0, [row[:-1] for row in rows], whom), given  # no negative zero

    async def _thorough(self, body: bytes, most: int) -> Read:
        """A list in which something is wrong, or unusual: read to its end, and looked at until
        enough is found.
        """
        parts: list[Read] = []
        errors: list[FieldError] = []
        row = 0
        chunks, fault = parse_many(body, most)
        for chunk in chunks:
            try:
                parts += [self.records(chunk)] if len(errors) < SHOWN else []
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
        numbers = np.concatenate(
            [np.empty((0, len(self._places))), *(part.numbers for part in parts)]
        )
        values = [row for part in parts for row in part.values]
        return Read(numbers, values, [person for part in parts for person in part.persons])

    def records(self, records: Sequence[Mapping[str, Any]]) -> Read:
        """Records that are parsed already, the thorough way. Raises InvalidFields."""
        features = self._contract.features
        errors: list[FieldError] = []
        named = (self._contract.id.key, self._contract.id.name)
        persons = [self._whom(row, record, errors) for row, record in enumerate(records)]
        records = [
            {name: record[name] for name in record if name not in named} for record in records
        ]
        try:
            numbers = read_all(self._contract, records)
        except InvalidFields as refused:
            sent = [self._as_sent(error, records[error.row]) for error in refused.errors]
            raise InvalidFields(sorted([*errors, *sent], key=lambda error: error.row)) from None
        if errors:
            raise InvalidFields(errors)
        values = [
            tuple(record.get(c.key, record.get(c.name, UNSET)) for c in features)
            for record in records
        ]
        return Read(numbers, values, persons)

    def _whom(self, row: int, record: Mapping[str, Any], errors: list[FieldError]) -> str:
        column = self._contract.id
        given = [
            record[name] for name in dict.fromkeys((column.key, column.name)) if name in record
        ]
        found = person_id(column, given[0]) if given else ""
        if len(given) > 1 or found is None:
            allowed = "each field once" if len(given) > 1 else column.allowed
            errors.append(FieldError(row, column.name, shown(given[-1]), allowed))
        return found or ""

    def _as_sent(self, error: FieldError, record: Mapping[str, Any]) -> FieldError:
        """The same error, with the value as the record has it."""
        column = self._contract.find(error.field)
        names = (column.key, column.name) if column else ()
        given = [
            value for name, value in record.items() if name[:80] == error.field or name in names
        ]
        field = error.field.encode("utf-8", "replace").decode()
        return replace(error, field=field, value=shown(given[-1]) if given else "missing")

    def _person(self, given: Any) -> str:
        return "" if given is UNSET else person_id(self._contract.id, given) or ""


class _Numbers(dict[Any, float]):
    """Numbers of a column that may be left out: each stands for itself, what is missing for what it
    is filled with.
    """

    def __missing__(self, value: Any) -> float:
        return float(value)


def _places(column: Column) -> dict[Any, float]:
    """The number for each value of a column; empty where each number stands for itself."""
    if column.numeric:
        fill = column.fill if column.missing == "impute" else None
        return {} if fill is None else _Numbers({None: float(fill), UNSET: float(fill)})
    places: dict[Any, float] = {value: float(place) for place, value in enumerate(column.values)}
    if column.kind == "boolean":
        places |= {False: 0.0, True: 1.0}
    return (
        places
        if column.missing != "impute"
        else places | dict.fromkeys((None, UNSET), places[column.fill])
    )


def record_types(contract: Contract) -> tuple[type[msgspec.Struct], type[msgspec.Struct]]:
    """What a record is parsed as: `Record`, its columns by key, and `PublishedRecord`, by published
    name.
    """
    keys = {column.key: column.key for column in (*contract.features, contract.id)}
    published = {column.key: column.name for column in (*contract.features, contract.id)}
    return _struct("Record", contract, keys), _struct("PublishedRecord", contract, published)


def _struct(name: str, contract: Contract, names: Mapping[str, str]) -> type[msgspec.Struct]:
    fields = [
        (c.key, _type(c), UNSET) if c.missing == "impute" else (c.key, _type(c))
        for c in contract.features
    ]
    fields.append((contract.id.key, _id(contract.id), UNSET))
    return msgspec.defstruct(
        name, fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
    )


def _type(column: Column) -> Any:
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    if column.kind == "integer":
        kind: Any = Annotated[int, msgspec.Meta(ge=math.ceil(low), le=math.floor(high))]
    elif column.kind == "number":
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    else:
        kind = Literal[column.values]
    more = [
        *([bool] if column.kind == "boolean" else []),
        *([None, UnsetType] if column.missing == "impute" else []),
    ]
    return reduce(or_, more, kind)


def _id(column: Column) -> Any:
    return (
        _type(column)
        if column.numeric or column.values
        else Annotated[str, msgspec.Meta(pattern=r"\S", max_length=200)]
    ) | UnsetType
