"""What a request asks besides its records: with reasons or not, about whom, and what somebody
thinks of an answer.
"""

import re
from itertools import islice

from bento.http.request_body import Call, Refusal
from bento.http.wrong_body import Json, not_json, parse_one, shown
from sluice.served.cells import read_cell
from sluice.served.contract import Column
from sluice.served.predictions import person_id

ID = re.compile(rb"[A-Za-z0-9._:-]{1,80}")
_PERSON = re.compile(rb"[A-Za-z0-9._:@-]{1,200}")
_WHY = 2000  # characters of an opinion
_OTHERS = 20  # names that an opinion does not have, of which it is told


def wants_reasons(call: Call) -> bool:
    """Whether the reasons are asked for. Raises Refusal."""
    query = call.query
    if query in (b"", b"reasons=1", b"reasons=0"):
        return query != b"reasons=0"
    raise Refusal(
        400,
        "query",
        "the query is not understood",
        value=query.decode("latin-1")[:80],
        allowed="reasons=0, or nothing",
    )


def person(call: Call, column: Column, named: str) -> str:
    """Whom a record is about that names this person, or nobody: by the header too, in the way of
    the id column.

    Raises Refusal where header and record name two, or the header is not understood.
    """
    given = call.headers.get(b"x-person-id")
    if given is None:
        return named
    if not _PERSON.fullmatch(given):
        raise Refusal(
            400,
            "header",
            "x-person-id is not understood",
            value=given.decode("latin-1")[:80],
            allowed="letters, digits and . _ : @ - (at most 200)",
        )
    found = person_id(column, read_cell(column, given.decode())) or given.decode()
    if named and named != found:
        raise Refusal(
            400,
            "header",
            "the header and the record name two persons",
            value=f"x-person-id is {found[:80]}, {column.name} is {named[:80]}",
            allowed="the same one in both, or one of them alone",
        )
    return found


def opinion_of(body: bytes) -> Json:
    """An opinion on an answer, checked. Raises Refusal."""
    given, fault = parse_one(body, "an object with id, agrees and why")
    found = opinion(given)
    if fault:
        raise not_json(fault)
    return found


def opinion(given: Json) -> Json:
    """The same of one that is parsed already."""
    name, agrees, why = given.get("id"), given.get("agrees"), given.get("why", "")
    others = (key for key in given if key not in ("id", "agrees", "why"))
    wrong = [
        (
            not isinstance(name, str) or not ID.fullmatch(name.encode("utf-8", "replace")),
            "id",
            "the id of an answer",
        ),
        (not isinstance(agrees, bool), "agrees", "true or false"),
        (
            not isinstance(why, str) or len(why) > _WHY,
            "why",
            f"a text of at most {_WHY} characters",
        ),
        *[(True, key, "only: id, agrees, why") for key in islice(others, _OTHERS)],
    ]
    fields = [
        {
            "field": key[:80].encode("utf-8", "replace").decode(),
            "value": shown(given[key]) if key in given else "missing",
            "allowed": allowed,
        }
        for bad, key, allowed in wrong
        if bad
    ]
    if fields:
        raise Refusal(400, "fields", "fields that are not understood", fields=fields)
    return {"id": name, "agrees": agrees, "why": why}
