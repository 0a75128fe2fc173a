"""What a request says besides its records: with reasons or not, the id of its row, and feedback."""

import re
from itertools import islice

import msgspec

from bento.http.request_body import Call, Refusal
from bento.http.wrong_body import Json, not_json, parse_one, shown
from sluice.served.cells import read_cell
from sluice.served.contract import Column
from sluice.served.predictions import person_id

ROW_ID = "x-row-id"
OLD_ROW_ID = "x-person-id"  # what it was called before
ID = re.compile(rb"[A-Za-z0-9._:-]{1,80}")
_ROW_ID = re.compile(rb"[A-Za-z0-9._:@-]{1,200}")
_WHY = 2000  # characters of an opinion
_NAMED = 20  # unknown fields of an opinion that a refusal lists


class Opinion(msgspec.Struct, frozen=True):
    """What a person thinks of the answer with this id; `why` may be empty."""

    id: str
    agrees: bool
    why: str


_OPINION = tuple(field.name for field in msgspec.structs.fields(Opinion))


def wants_reasons(call: Call, *, unsaid: bool) -> bool:
    """Whether the reasons are asked for; `unsaid` where nothing is said of them. Raise Refusal."""
    query = call.query
    if not query:
        return unsaid
    if query in (b"reasons=1", b"reasons=0"):
        return query == b"reasons=1"
    raise Refusal(
        400,
        "query",
        "the query is not understood",
        value=query.decode("latin-1")[:80],
        allowed="reasons=0, reasons=1, or nothing",
    )


def row_id(call: Call, column: Column, named: str) -> str:
    """The id of the row that a record is about, empty for none.

    `named` is what the record says; the headers ROW_ID and OLD_ROW_ID may say it instead, each as a
    cell of the id column would. Raise Refusal where one of them is not understood, or where two of
    the three differ.
    """
    said, place = named, column.name
    for header in (ROW_ID, OLD_ROW_ID):
        given = call.headers.get(header.encode())
        if given is None:
            continue
        found = _in_header(header, given, column)
        if said and said != found:
            raise Refusal(
                400,
                "header",
                "two rows are named for one record",
                value=f"{header} is {found[:80]}, {place} is {said[:80]}",
                allowed="the same one everywhere, or one of them alone",
            )
        said, place = found, header
    return said


def _in_header(header: str, given: bytes, column: Column) -> str:
    """The id in a header. Raise Refusal."""
    if not _ROW_ID.fullmatch(given):
        raise Refusal(
            400,
            "header",
            f"{header} is not understood",
            value=given.decode("latin-1")[:80],
            allowed="letters, digits and . _ : @ - (at most 200)",
        )
    text = given.decode()
    return person_id(column, read_cell(column, text)) or text


def opinion_of(body: bytes) -> Opinion:
    """The opinion on an answer in a body, checked. Raise Refusal."""
    given, fault = parse_one(body, "an object with id, agrees and why")
    checked = opinion(given)
    if fault:
        raise not_json(fault)
    return checked


def opinion(given: Json) -> Opinion:
    """An opinion that is parsed already, checked. Raise Refusal naming every wrong field."""
    allowed = _wrong_parts(given)
    unknown = (key for key in given if key not in _OPINION)
    allowed |= dict.fromkeys(islice(unknown, _NAMED), "only: id, agrees, why")
    if allowed:
        fields = [_wrong_field(given, key, text) for key, text in allowed.items()]
        raise Refusal(400, "fields", "fields that are not understood", fields=fields)
    return msgspec.convert({"why": "", **given}, Opinion)


def _wrong_parts(given: Json) -> dict[str, str]:
    """What is allowed in each part of an opinion that is wrong."""
    name = given.get("id")
    agrees = given.get("agrees")
    why = given.get("why", "")
    allowed: dict[str, str] = {}
    if not isinstance(name, str) or not ID.fullmatch(name.encode("utf-8", "replace")):
        allowed["id"] = "the id of an answer"
    if not isinstance(agrees, bool):
        allowed["agrees"] = "true or false"
    if not isinstance(why, str) or len(why) > _WHY:
        allowed["why"] = f"a text of at most {_WHY} characters"
    return allowed


def _wrong_field(given: Json, key: str, allowed: str) -> Json:
    """A wrong part of an opinion, as a refusal lists it."""
    return {
        "field": key[:80].encode("utf-8", "replace").decode(),
        "value": shown(given[key]) if key in given else "missing",
        "allowed": allowed,
    }
