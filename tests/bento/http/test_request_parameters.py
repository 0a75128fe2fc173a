"""What a request says besides its records: what is not understood is refused by name."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.http.request_body import Call, Message, Refusal
from bento.http.request_parameters import Opinion, opinion_of, row_id, wants_reasons
from sluice.served.contract import Column

WHOLE = Column("Customer ID", "customer_id", "integer", "id", minimum=1, maximum=10**6)
TEXT = Column("Customer ID", "customer_id", "category", "id")


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def call(query: bytes = b"", headers: Mapping[bytes, bytes] | None = None) -> Call:
    return Call("r1", headers or {}, query, nothing)


def about(header: bytes, column: Column = WHOLE, named: str = "") -> str:
    return row_id(call(headers={b"x-row-id": header}), column, named)


def refused(body: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        opinion_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


@pytest.mark.parametrize(("query", "wanted"), [(b"reasons=1", True), (b"reasons=0", False)])
def test_reasons_are_given_unless_they_are_not_wanted(query: bytes, wanted: bool) -> None:
    assert wants_reasons(call(query), unsaid=True) is wanted
    assert wants_reasons(call(query), unsaid=False) is wanted


def test_where_nothing_is_said_of_reasons_the_address_decides() -> None:
    assert wants_reasons(call(b""), unsaid=True)
    assert not wants_reasons(call(b""), unsaid=False)


@pytest.mark.parametrize(
    "query", [b"reasons=2", b"reasons", b"reasons=0&x=1", b"Reasons=0", b"\xff" * 500]
)
def test_another_query_is_refused_with_what_is_allowed(query: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        wants_reasons(call(query), unsaid=True)
    assert (caught.value.status, caught.value.kind) == (400, "query")
    assert caught.value.body == {
        "error": "the query is not understood",
        "value": query.decode("latin-1")[:80],
        "allowed": "reasons=0, reasons=1, or nothing",
    }


def test_without_a_header_the_record_says_the_id() -> None:
    assert row_id(call(), WHOLE, "7") == "7"
    assert row_id(call(), WHOLE, "") == ""


@given(st.integers(1, 10**6))
def test_a_number_in_the_header_is_the_id_of_the_record(number: int) -> None:
    for written in (f"{number}", f"{number}.0", f"00{number}"):
        assert about(written.encode(), named=str(number)) == str(number)


def test_an_id_that_the_contract_does_not_know_is_kept_as_written() -> None:
    """A header may come from another system; the answer must be found again all the same."""
    assert about(b"A-7") == "A-7"
    assert about(b"A-7", TEXT) == "A-7"


@pytest.mark.parametrize("header", [b"", b" ", b"a b", b"a\n", b"x" * 201, b"\xe9", b"a;b"])
def test_a_header_that_is_no_id_is_refused(header: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        about(header)
    assert caught.value.kind == "header"
    assert caught.value.body["error"] == "x-row-id is not understood"
    assert len(str(caught.value.body["value"])) <= 80


def test_header_and_record_name_one_row() -> None:
    with pytest.raises(Refusal) as caught:
        about(b"8", named="7")
    assert caught.value.body["error"] == "two rows are named for one record"
    assert caught.value.body["value"] == "x-row-id is 8, Customer ID is 7"


def test_the_old_name_of_the_header_says_the_same() -> None:
    assert row_id(call(headers={b"x-person-id": b"7"}), WHOLE, "") == "7"
    both = call(headers={b"x-person-id": b"7.0", b"x-row-id": b"7"})
    assert row_id(both, WHOLE, "7") == "7"


@pytest.mark.parametrize(
    ("headers", "named", "value"),
    [
        ({b"x-person-id": b"8"}, "7", "x-person-id is 8, Customer ID is 7"),
        ({b"x-person-id": b"8", b"x-row-id": b"7"}, "", "x-person-id is 8, x-row-id is 7"),
        ({b"x-person-id": b"8", b"x-row-id": b"7"}, "7", "x-person-id is 8, x-row-id is 7"),
    ],
)
def test_two_rows_are_not_named_for_one_record(
    headers: dict[bytes, bytes], named: str, value: str
) -> None:
    with pytest.raises(Refusal) as caught:
        row_id(call(headers=headers), WHOLE, named)
    assert caught.value.body["value"] == value


def test_both_headers_are_looked_at() -> None:
    with pytest.raises(Refusal) as caught:
        row_id(call(headers={b"x-row-id": b"7", b"x-person-id": b""}), WHOLE, "")
    assert caught.value.body["error"] == "x-person-id is not understood"


IDS = st.text("abcXYZ019._:-", min_size=1, max_size=80)


@given(IDS, st.booleans(), st.text(max_size=2000).filter(lambda text: text.isprintable()))
def test_an_opinion_is_taken_as_it_was_sent(name: str, agrees: bool, why: str) -> None:
    body = json.dumps({"why": why, "agrees": agrees, "id": name}).encode()
    assert opinion_of(body) == Opinion(name, agrees, why)


def test_why_may_be_left_out() -> None:
    assert opinion_of(b'{"id": "a1", "agrees": true}') == Opinion("a1", True, "")


@pytest.mark.parametrize(
    ("given_id", "agrees", "why", "wrong"),
    [
        (7, True, "", ["id"]),
        ("", True, "", ["id"]),
        ("x" * 81, True, "", ["id"]),
        ("a b", True, "", ["id"]),
        ("a1", 1, "", ["agrees"]),
        ("a1", "true", "", ["agrees"]),
        ("a1", None, "", ["agrees"]),
        ("a1", True, None, ["why"]),
        ("a1", True, "x" * 2001, ["why"]),
        ([], {}, 7, ["id", "agrees", "why"]),
    ],
)
def test_every_wrong_part_is_named(
    given_id: object, agrees: object, why: object, wrong: list[str]
) -> None:
    refusal = refused({"id": given_id, "agrees": agrees, "why": why})
    assert (refusal.status, refusal.kind) == (400, "fields")
    assert [field["field"] for field in refusal.body["fields"]] == wrong  # type: ignore[attr-defined]


def test_what_is_missing_is_named_as_missing() -> None:
    assert refused({}).body["fields"] == [
        {"field": "id", "value": "missing", "allowed": "the id of an answer"},
        {"field": "agrees", "value": "missing", "allowed": "true or false"},
    ]


def test_unknown_parts_are_named_and_no_more_than_twenty() -> None:
    more = {f"part {number}": number for number in range(1000)}
    fields = refused({"id": "a1", "agrees": True, **more}).body["fields"]
    assert len(fields) == 20  # type: ignore[arg-type]
    assert fields[0] == {  # type: ignore[index]
        "field": "part 0",
        "value": "0",
        "allowed": "only: id, agrees, why",
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b"null", b"{", b"\xff", b'{"id": "a", "id": "b"}', b"[" * 100_000],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body).kind == "json"


def test_a_number_that_json_does_not_have_is_named_as_it_was_sent() -> None:
    [field] = refused(b'{"id": "a1", "agrees": NaN}').body["fields"]  # type: ignore[misc]
    assert field["value"] == "NaN"
