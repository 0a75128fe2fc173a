"""Bodies that are wrong from end to end, or hold what JSON cannot: told exactly, at little cost,
and nobody waits.
"""

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from support.asgi import Client
from support.asgi import client as connected
from support.model_artifacts import small_artifact

from bento import process
from bento.answers import Served, load_served
from bento.http.request_body import Refusal
from bento.http.wrong_body import RECORD_BYTES
from bento.ops.settings import Settings
from sluice.served.encoding import InvalidFields

MOST = 3000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return load_served(
        small_artifact(tmp_path_factory.mktemp("artifact") / "model"), "attrition:1", ""
    )


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Client]:
    app, ends = process.start(served, Settings(drain_seconds=0, max_rows=MOST))
    with connected(app) as client:
        yield client
    for end in ends:
        end()


@pytest.fixture(scope="module")
def record(served: Served) -> dict[str, Any]:
    return {c.key: c.example for c in served.model.contract.features}


def post(client: Client, path: str, body: str) -> httpx2.Response:
    return client.post(path, content=body.encode(), headers={"content-type": "application/json"})


def wrong(number: int) -> str:
    return "[" + ",".join(['{"a":1}'] * number) + "]"


def test_a_list_of_wrong_records_that_is_too_long_is_just_too_long(client: Client) -> None:
    answer = post(client, "/predict_batch", wrong(MOST + 1))
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "the list is too long",
        "value": f"more than {MOST} records",
        "allowed": f"at most {MOST}",
    }
    assert len(post(client, "/predict_batch", wrong(MOST)).json()["fields"]) == 100


def test_so_is_one_of_right_records(client: Client, record: dict[str, Any]) -> None:
    answer = client.post("/predict_batch", json=[record] * (MOST + 1))
    assert answer.json()["value"] == f"more than {MOST} records"


def test_a_wrong_list_costs_little_memory(served: Served) -> None:
    body = wrong(300_000).encode()
    tracemalloc.start()
    with pytest.raises(Refusal, match="too long"):
        asyncio.run(served.reader.many(body, MOST))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(body)


def test_after_a_hundred_wrong_fields_no_others_are_looked_for(
    client: Client, served: Served, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    records = served.reader.records
    monkeypatch.setattr(
        type(served.reader), "records", lambda _, some: looked.append(len(some)) or records(some)
    )
    answer = client.post("/predict_batch", json=[record, *[record | {"age": 3}] * 2000]).json()
    assert [field["row"] for field in answer["fields"]] == list(range(1, 101))
    assert answer["more"] == "there may be more: after 100 no others are looked for"
    assert sum(looked) < 200
    assert "more" not in client.post("/predict_batch", json=[record, record | {"age": 3}]).json()


def test_one_record_of_very_many_wrong_names_is_listed_in_part(client: Client) -> None:
    answer = post(client, "/predict", json.dumps({f"a{number}": 1 for number in range(15_000)}))
    assert len(answer.json()["fields"]) == 100
    opinion = post(client, "/feedback", json.dumps({f"a{number}": 1 for number in range(15_000)}))
    assert len(opinion.json()["fields"]) < 30


@pytest.mark.parametrize("path", ["/predict", "/predict_batch", "/feedback"])
def test_what_is_too_large_for_a_record_is_refused(client: Client, path: str) -> None:
    body = '{"a": [' + "[]," * (RECORD_BYTES // 3) + "[]]}"
    answer = post(client, path, f"[{body}]" if path == "/predict_batch" else body)
    assert (answer.status_code, answer.json()["error"]) == (413, "a record is too large")


@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_another_request_is_answered_while_a_list_is_looked_at(
    client: Client, record: dict[str, Any], kind: str
) -> None:
    rows = [record if kind == "right" else record | {"age": 3}] * MOST
    ended: list[str] = []

    async def ask(name: str, path: str, body: Any) -> None:
        answer = await client._client.post(path, json=body)
        assert answer.status_code == (400 if name == "wrong" else 200)
        ended.append(name)

    async def both() -> None:
        long = asyncio.create_task(ask(kind, "/predict_batch", rows))
        await asyncio.sleep(0)
        for name in "abc":
            await ask(name, "/predict", record)
        await long

    client._runner.run(both())
    assert ended == ["a", "b", "c", kind]


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1E999", "1" * 400, "9" * 5000]
)
def test_numbers_that_are_none_are_named(
    client: Client, record: dict[str, Any], number: str
) -> None:
    one = json.dumps(record).replace(f'"age": {record["age"]}', f'"age": {number}')
    for path, body, row in (
        ("/predict", one, 0),
        ("/predict_batch", f"[{json.dumps(record)}, {one}]", 1),
    ):
        answer = post(client, path, body)
        assert answer.status_code == 400
        assert answer.json()["fields"] == [
            {
                "row": row,
                "field": "Age",
                "value": number[:80],
                "allowed": "a whole number from 18 to 65 years",
            }
        ]
    named = post(
        client, "/predict", json.dumps(record)[:-1] + f', "employee_id": {number}}}'
    ).json()["fields"]
    assert [(field["field"], field["value"]) for field in named] == [("Employee ID", number[:80])]
    [said] = post(client, "/feedback", f'{{"id": "a", "agrees": {number}}}').json()["fields"]
    assert (said["field"], said["value"], said["allowed"]) == (
        "agrees",
        number[:80],
        "true or false",
    )


@pytest.mark.parametrize(
    "body", ['{"age": NaN', '{"age": NaN,}', '{"age": nan}', '{"why": "NaN \\ud800"}']
)
def test_what_is_broken_besides_is_not_json(client: Client, body: str) -> None:
    for path, sent in (("/predict", body), ("/predict_batch", f"[{body}]"), ("/feedback", body)):
        answer = post(client, path, sent)
        assert answer.status_code == 400
        if "why" not in body:
            assert answer.json()["error"].startswith("the body is not JSON")


def test_a_broken_end_is_told_before_wrong_fields(client: Client) -> None:
    answer = post(client, "/predict_batch", '[{"a": NaN},' + wrong(500)[1:-1] + ", nope]")
    assert answer.json() == {
        "error": "the body is not JSON: JSON is malformed: invalid character (byte 7)"
    }


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("null", "null"),
        ("true", "true"),
        ('"36"', '"36"'),
        ("[36, null]", "[36, null]"),
        ('{"a": 1}', '{"a": 1}'),
        ("17.50", "17.5"),
        ('"\u00e4"', '"\u00e4"'),
    ],
)
def test_values_are_shown_as_they_were_sent(
    client: Client, record: dict[str, Any], sent: str, said: str
) -> None:
    one = json.dumps(record).replace(f'"age": {record["age"]}', f'"age": {sent}')
    for path, body in (("/predict", one), ("/predict_batch", f"[{one}]")):
        [field] = post(client, path, body).json()["fields"]
        assert field["value"] == said
    fields = post(client, "/feedback", f'{{"id": "", "agrees": "no", "x": {sent}}}').json()[
        "fields"
    ]
    assert [(field["field"], field["value"]) for field in fields] == [
        ("id", '""'),
        ("agrees", '"no"'),
        ("x", said),
    ]


def test_what_is_left_out_is_missing(client: Client, record: dict[str, Any]) -> None:
    left = {name: value for name, value in record.items() if name != "age"}
    [field] = client.post("/predict", json=left).json()["fields"]
    assert (field["field"], field["value"]) == ("Age", "missing")


def test_a_name_that_stands_twice_is_found_among_many(client: Client) -> None:
    names = [f'"a{number}": 1' for number in range(15_000)]
    answer = post(client, "/predict", "{" + ", ".join([*names, names[-1]]) + "}").json()
    assert (answer["error"], answer["value"]) == ("a name stands twice", "a14999")


def test_a_name_that_stands_twice_is_found_in_a_list(
    client: Client, record: dict[str, Any]
) -> None:
    twice = json.dumps(record)[:-1] + f', "age": {record["age"]}}}'
    answer = post(client, "/predict_batch", f"[{json.dumps(record)},{twice}]").json()
    assert (answer["error"], answer["value"]) == ("a name stands twice", "age")


def test_half_a_character_is_no_failure(client: Client) -> None:
    for body in ('{"\\ud800": NaN}', '{"a": [NaN, "\\udfff"]}', '{"\\ud800": NaN, "\\ud800": 1}'):
        for path, sent in (
            ("/predict", body),
            ("/predict_batch", f"[{body}]"),
            ("/feedback", body),
        ):
            assert post(client, path, sent).status_code == 400


def test_the_records_of_a_list_may_be_spread_over_lines(
    served: Served, record: dict[str, Any]
) -> None:
    mixed = record | {"age": float(record["age"])}
    body = json.dumps([mixed] * 120, indent=1).replace("\n", "\r\n\t ")
    read = asyncio.run(served.reader.many(body.encode(), MOST))
    assert read.numbers.shape == (120, len(record))
    with pytest.raises(InvalidFields) as refused:
        asyncio.run(
            served.reader.many(json.dumps([record] * 120 + [record | {"age": 3}]).encode(), MOST)
        )
    assert refused.value.errors[0].row == 120


@pytest.mark.parametrize(
    ("header", "body", "status"),
    [
        ("4711", None, 200),
        ("0004711", 4711, 200),
        ("4711.0", 4711, 200),
        ("4711", 4712, 400),
        ("a.b", 4711, 400),
    ],
)
def test_header_and_record_name_the_same_person(
    client: Client, record: dict[str, Any], header: str, body: int | None, status: int
) -> None:
    sent = record if body is None else record | {"employee_id": body}
    answer = client.post("/predict", json=sent, headers={"x-row-id": header})
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {
            "error": "two rows are named for one record",
            "value": f"x-row-id is {header}, Employee ID is {body}",
            "allowed": "the same one everywhere, or one of them alone",
        }


def test_an_address_that_nobody_knows_is_answered_in_json(client: Client) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json() == {
        "error": "nothing is here",
        "value": "/nothing",
        "allowed": "/docs.json lists them",
    }
    answer = client.post("/rows.csv")
    assert (answer.status_code, answer.json()["error"]) == (405, "POST is not known here")
    assert "GET" in answer.headers["allow"]
