"""Records as a program sends them, from the bytes of a body to the numbers that stand for them.

What is plainly allowed is checked while it is parsed. Everything else goes the thorough way of `read_records`, which
takes the same and finds every wrong field. A number stands for itself, a text for its place among the values. A record
may say whom it is about, in the id column of the contract: the model is not fed it, the prediction log keeps its hash.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from bento.bodies import Refusal, names_once, parse
from sluice.contract import Column, Contract
from sluice.encoding import FieldError, InvalidFields
from sluice.predictions import person_id
from sluice.records import read_all

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Read:
    """Records that the contract allows: numbers, shape (rows, features), the values as they were sent, and whom each is
    about, empty where that was not said."""

    numbers: np.ndarray
    values: Sequence[Values]
    persons: Sequence[str]


class Reader:
    """Reads one record, or a list of them."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        kinds = [_struct(contract, by_key) for by_key in (True, False)]
        self._one = [msgspec.json.Decoder(kind) for kind in kinds]
        self._many = [msgspec.json.Decoder(list[kind]) for kind in kinds]  # type: ignore[valid-type]
        self._places = [_places(column) for column in contract.features]

    def one(self, body: bytes) -> tuple[list[float], Values, str]:
        """The numbers of one record, its values, and whom it is about. Raises InvalidFields, or Refusal."""
        for decoder in self._one:
            try:
                values = astuple(decoder.decode(body))
            except (msgspec.DecodeError, RecursionError):
                continue
            names_once(body, len(values) - values.count(UNSET))
            person, values = values[-1], values[:-1]
            return [p[v] if p else v for p, v in zip(self._places, values, strict=True)], values, self._person(person)
        record = parse(body)
        if type(record) is not dict:
            raise other(record, "one record, an object")
        read = self.records([record])
        return read.numbers[0].tolist(), read.values[0], read.persons[0]

    def many(self, body: bytes) -> Read:
        """The same of a list."""
        for decoder in self._many:
            try:
                rows = [*map(astuple, decoder.decode(body))]
            except (msgspec.DecodeError, RecursionError):
                continue
            return self._columns(body, rows) if rows else Read(np.empty((0, len(self._places))), [], [])
        records = parse(body)
        if type(records) is not list:
            raise other(records, "a list of records")
        return self.records(records)

    def _columns(self, body: bytes, rows: list[Values]) -> Read:
        numbers = np.empty((len(self._places), len(rows)))
        *columns, persons = zip(*rows, strict=True)
        given = len(rows) * len(self._places) + len(rows) - persons.count(UNSET)
        for place, values in enumerate(columns):
            places = self._places[place]
            given -= values.count(UNSET) if UNSET in places else 0
            numbers[place] = [*map(places.__getitem__, values)] if places else values
        names_once(body, given)
        return Read(numbers.T + 0.0, [row[:-1] for row in rows], [*map(self._person, persons)])  # no negative zero

    def records(self, records: Sequence[Mapping[str, Any]]) -> Read:
        """Records that are parsed already, the thorough way. Raises InvalidFields."""
        features = self._contract.features
        errors: list[FieldError] = []
        named = (self._contract.id.key, self._contract.id.name)
        persons = [self._whom(row, record, errors) for row, record in enumerate(records)]
        records = [{name: record[name] for name in record if name not in named} for record in records]
        try:
            numbers = read_all(self._contract, records)
        except InvalidFields as refused:
            raise InvalidFields(sorted([*errors, *refused.errors], key=lambda error: error.row)) from None
        if errors:
            raise InvalidFields(errors)
        values = [tuple(record.get(c.key, record.get(c.name, UNSET)) for c in features) for record in records]
        return Read(numbers, values, persons)

    def _whom(self, row: int, record: Mapping[str, Any], errors: list[FieldError]) -> str:
        column = self._contract.id
        given = [record[name] for name in dict.fromkeys((column.key, column.name)) if name in record]
        found = person_id(column, given[0]) if given else ""
        if len(given) > 1 or found is None:
            allowed = "each field once" if len(given) > 1 else column.allowed
            errors.append(FieldError(row, column.name, repr(given[-1])[:80], allowed))
        return found or ""

    def _person(self, given: Any) -> str:
        return "" if given is UNSET else person_id(self._contract.id, given) or ""


class _Numbers(dict[Any, float]):
    """Numbers of a column that may be left out: each stands for itself, what is missing for what it is filled with."""

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
    return places if column.missing != "impute" else places | dict.fromkeys((None, UNSET), places[column.fill])


def _struct(contract: Contract, by_key: bool) -> type[msgspec.Struct]:
    fields = [(c.key, _type(c), UNSET) if c.missing == "impute" else (c.key, _type(c)) for c in contract.features]
    fields.append((contract.id.key, _id(contract.id), UNSET))
    names = {column.key: column.key if by_key else column.name for column in (*contract.features, contract.id)}
    return msgspec.defstruct("Record", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _type(column: Column) -> Any:
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    if column.kind == "integer":
        kind: Any = Annotated[int, msgspec.Meta(ge=math.ceil(low), le=math.floor(high))]
    elif column.kind == "number":
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    else:
        kind = Literal[column.values]
    more = [*([bool] if column.kind == "boolean" else []), *([None, UnsetType] if column.missing == "impute" else [])]
    return reduce(or_, more, kind)


def _id(column: Column) -> Any:
    return (
        _type(column)
        if column.numeric or column.values
        else Annotated[str, msgspec.Meta(pattern=r"\S", max_length=200)]
    ) | UnsetType


def other(value: Any, allowed: str) -> Refusal:
    """The refusal of a body that is another thing than what is allowed."""
    return Refusal(400, "json", f"the body is not {allowed}", value=repr(value)[:80], allowed=allowed)
