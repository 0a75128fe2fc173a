"""The service, in this process: answers, refusals, description, metrics. tests/e2e has the real
one.
"""

import asyncio
import json
import pickle
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import convert
from support.asgi import Client
from support.asgi import client as connected
from support.model_artifacts import PROJECT, scores, small_artifact

from bento import process
from bento.answers import Served, Together, answer_all, load_served
from bento.app import drawn
from bento.http.request_body import Refusal
from bento.ops.settings import Settings, load
from sluice.errors import UsageError
from sluice.model.artifact.model_artifact import Golden, compare_golden
from sluice.served.encoding import InvalidFields, assemble, encode, read_records
from sluice.served.predictions import person_id
from sluice.served.scoring import Session

NAME = "attrition:0123456789abcdef"
REFERENCE = {
    "age": {
        "kind": "number",
        "whole": True,
        "edges": [17.5, 30.5, 60.5],
        "counts": [10, 30],
        "missing": 0,
    },
    "job_role": {"kind": "text", "values": {"Media": 7, "Finance": 30}, "missing": 0},
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_artifact(tmp_path_factory.mktemp("artifact") / "model")
    (folder / "reference.json").write_text(json.dumps(REFERENCE))
    return folder


@pytest.fixture(scope="module")
def served(artifact: Path) -> Served:
    return load_served(artifact, NAME, "sha256:" + "1" * 64)


def start(served: Served, **given: Any) -> Iterator[Client]:
    app, ends = process.start(served, Settings(drain_seconds=0, **given))
    with connected(app) as client:
        yield client
    for end in ends:
        end()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Client]:
    yield from start(served, max_rows=60, max_body_bytes=60_000)


@pytest.fixture(scope="module")
def golden(artifact: Path) -> Any:
    return json.loads((artifact / "golden.json").read_text())


@pytest.fixture(scope="module")
def record(golden: Any) -> Any:
    return golden["records"][0]


def post(
    client: Client, path: str, content: bytes | str, kind: str = "application/json"
) -> httpx2.Response:
    return client.post(path, content=content, headers={"content-type": kind})


def test_the_golden_records_get_the_golden_scores(client: Client, golden: Any) -> None:
    answers = client.post("/predict_batch", json=golden["records"]).json()
    assert compare_golden(convert(golden, Golden), scores(answers)) < 1e-6
    singles = [client.post("/predict", json=record).json() for record in golden["records"]]
    assert compare_golden(convert(golden, Golden), scores(singles)) < 1e-6


def test_an_answer_says_all_there_is_to_say(client: Client, record: Any, served: Served) -> None:
    answer = client.post("/predict", json=record).json()
    assert answer["prediction"] == (answer["probability"] >= 0.5)
    assert answer["label"] == ("Leave" if answer["prediction"] else "Stay")
    assert answer["tier"] in ("very low", "low", "medium", "high")
    assert (answer["threshold"], answer["model"], answer["image"]) == (
        0.5,
        NAME,
        "sha256:" + "1" * 64,
    )
    assert answer["reasons"]
    assert all(
        re.fullmatch(r".+ is .+: (rais|lower)es the probability by .+ points\.", r["text"])
        for r in answer["reasons"]
    )
    changes = sum(reason["change"] for reason in answer["reasons"])
    total = answer["baseline"] + changes + answer["others"]
    assert total == pytest.approx(answer["probability"], abs=1e-9)
    assert "reasons" not in client.post("/predict?reasons=0", json=record).json()
    assert answer["id"] != client.post("/predict", json=record).json()["id"]


class Counted:
    """The session of a model, which notes how many rows it is asked about in each call."""

    def __init__(self, session: Session) -> None:
        self.rows: list[int] = []
        self._session = session

    def run(
        self, output_names: list[str], input_feed: Mapping[str, np.ndarray]
    ) -> Sequence[np.ndarray]:
        self.rows.append(len(input_feed["features"]))
        return self._session.run(output_names, input_feed)


@pytest.mark.parametrize(
    ("path", "rows", "explained"),
    [
        ("/predict", 1, 1),
        ("/predict?reasons=1", 1, 1),
        ("/predict?reasons=0", 1, 0),
        ("/predict_batch", 50, 0),
        ("/predict_batch?reasons=0", 50, 0),
        ("/predict_batch?reasons=1", 50, 50),
        ("/predict_batch?reasons=1", 1, 1),
    ],
)
def test_reasons_cost_what_is_stated_and_nothing_where_nobody_asks(
    path: str, rows: int, explained: int, served: Served, golden: Any
) -> None:
    counted = Counted(served.model.session)
    watched = replace(served, model=replace(served.model, session=counted))
    records = golden["records"][:rows]
    for client in start(watched):
        counted.rows.clear()
        if path.startswith("/predict_batch"):
            answers = client.post(path, json=records).json()
        else:
            answers = [client.post(path, json=records[0]).json()]
    assert sum("reasons" in one for one in answers) == explained
    assert sum(counted.rows) == rows + explained * served.background.cost
    # Nobody else waits longer than for the reasons of two.
    assert max(counted.rows) <= max(rows, 2 * served.background.cost)


def test_reasons_are_the_same_alone_in_a_list_and_without_a_server(
    client: Client, served: Served, golden: Any
) -> None:
    records = golden["records"][:5]
    listed = client.post("/predict_batch?reasons=1", json=records).json()
    here, _ = answer_all(served, records, "a", True)
    for record, one, other in zip(records, listed, here, strict=True):
        alone = client.post("/predict", json=record).json()
        texts = [reason["text"] for reason in alone["reasons"]]
        assert texts == [reason["text"] for reason in one["reasons"]]
        assert texts == [reason["text"] for reason in other["reasons"]]


def test_reasons_of_too_many_are_refused_before_anything_is_scored(
    served: Served, record: Any
) -> None:
    for client in start(served):
        answer = client.post("/predict_batch?reasons=1", json=[record] * 501)
        assert answer.status_code == 400
        assert answer.json()["error"] == "the list is too long for reasons"
        assert answer.json()["allowed"] == "at most 500, or reasons=0"
        assert client.post("/predict_batch", json=[record] * 501).status_code == 200


def test_published_names_are_understood(client: Client, record: Any, served: Served) -> None:
    published = {column.name: record[column.key] for column in served.model.contract.features}
    for path, body in (("/predict", published), ("/predict_batch", [published, record])):
        answer = client.post(f"{path}?reasons=0", json=body).json()
        answer = answer if path == "/predict" else answer[0]
        assert answer["probability"] == pytest.approx(
            client.post("/predict", json=record).json()["probability"]
        )


def test_what_may_be_left_out_may_be_left_out(client: Client, record: Any) -> None:
    left = {key: value for key, value in record.items() if key != "distance_from_home"}
    answers = [
        client.post("/predict", json=each).json()["probability"]
        for each in (left, left | {"distance_from_home": None}, left | {"distance_from_home": 50})
    ]
    assert answers[0] == answers[1] == answers[2]
    truths = record | {"overtime": True, "remote_work": False}
    assert client.post("/predict", json=truths).json() | {"id": ""} == client.post(
        "/predict", json=record | {"overtime": "Yes", "remote_work": "No"}
    ).json() | {"id": ""}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("age", 3),
        ("age", 10**400),
        ("age", "38"),
        ("age", True),
        ("age", 38.5),
        ("age", None),
        ("age", [38]),
        ("job_role", "media"),
        ("job_role", 3),
        ("job_role", None),
        ("job_role", {"a": 1}),
        ("overtime", 1),
        ("gender", "Female"),
        ("employee_id", 0),
        ("employee_id", "4711"),
        ("employee_id", None),
        ("employee_id", True),
        ("nonsense", "=1+1"),
        ("Age", 38),
        ("distance_from_home", -1),
    ],
)
def test_a_wrong_field_is_named(client: Client, record: Any, field: str, value: Any) -> None:
    for path, body in (
        ("/predict", record | {field: value}),
        ("/predict_batch", [record, record | {field: value}]),
    ):
        answer = post(client, path, json.dumps(body))
        assert answer.status_code == 400
        if value != 10**400:  # which no reader of JSON takes for a number
            [said] = answer.json()["fields"]
            assert said["row"] == (path != "/predict")
            assert said["field"].lower().replace(" ", "_") in (field.lower(), "distance_from_home")
            assert said["value"]
            assert said["allowed"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "1",
        '"x"',
        "[]",
        "[1]",
        "[[]]",
        '{"age": NaN}',
        '{"age": Infinity}',
        '{"age": 1e999}',
        "{} {}",
        '{"age": 38, "age": 39}',
        '{"a": {"b": 1, "b": 2}}',
        "[" * 5000,
        '{"a":' * 900 + "1" + "}" * 900,
        "\ufeff{}",
        '{"a": "\\ud800"}',
        '{"a": ' + "9" * 5000 + ":}",
        "{'a': 1}",
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict_batch", "/feedback"])
def test_what_is_no_json_object_is_refused(client: Client, path: str, body: str) -> None:
    answer = post(client, path, body)
    assert answer.status_code == (200 if (path, body) == ("/predict_batch", "[]") else 400)
    assert answer.headers["content-type"] == "application/json"


def test_bytes_that_are_no_text_are_refused(client: Client) -> None:
    assert post(client, "/predict", b'{"age": "\xff\xfe"}').status_code == 400


def test_a_name_that_stands_twice_is_named(client: Client, record: Any) -> None:
    body = json.dumps(record)[:-1] + ', "age": 20}'
    answer = post(client, "/predict", body)
    assert (answer.status_code, answer.json()["value"]) == (400, "age")
    escaped = json.dumps(record)[:-1] + ', "\\u0061ge": 20}'
    assert post(client, "/predict_batch", f"[{escaped}]").json()["error"] == "a name stands twice"


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        raise AssertionError("opened")


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "Application/Vnd.Bentoml+Pickle; a=b",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=windows-1252",
        "application/json; charset=utf-8; charset=latin-1",
        "application/xml",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict_batch", "/feedback"])
def test_other_content_types_are_not_opened(client: Client, path: str, kind: str) -> None:
    answer = post(client, path, b"\x80\x04.", kind)
    assert answer.status_code == 415
    assert answer.json()["allowed"] == "application/json"
    assert pickle.loads(b"\x80\x04N.") is None  # what would have been opened


def test_packed_bodies_are_not_read(client: Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post("/predict", content=b"{}", headers=headers).status_code == 415


def test_the_usual_spellings_of_json_are_read(client: Client, record: Any) -> None:
    for kind in (
        "application/json; charset=utf-8",
        "Application/JSON",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf8",
        "application/json;charset=UTF8;",
        'application/json; charset = "utf8"',
        "application/json; charset=us-ascii",
        "application/json; profile=record; charset=utf-8",
        "application/json; profile=record",
    ):
        assert post(client, "/predict", json.dumps(record), kind).status_code == 200


def test_too_much_is_refused(client: Client, record: Any) -> None:
    answer = client.post("/predict_batch", json=[record] * 61)
    assert (answer.status_code, answer.json()["allowed"]) == (400, "at most 60")
    answer = post(client, "/predict", b" " * 60_001)
    assert (answer.status_code, answer.json()["allowed"]) == (413, "at most 60000 bytes")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1000

    headers = {"content-type": "application/json"}
    assert client.post("/predict", content=pieces(), headers=headers).status_code == 413
    assert (
        client.post(
            "/predict", content=b"{}", headers={**headers, "content-length": "x"}
        ).status_code
        == 413
    )


def test_a_query_that_is_not_understood_is_refused(client: Client, record: Any) -> None:
    for query in ("reasons=2", "reasons=0&reasons=1", "explain=1"):
        assert client.post(f"/predict?{query}", json=record).status_code == 400


def test_other_methods_and_addresses(client: Client) -> None:
    answer = client.get("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.request("TRACE", "/readyz").status_code == 405
    assert client.get("/nothing").status_code == 404
    assert client.request("HEAD", "/model").status_code == 200
    assert client.request("HEAD", "/model").content == b""


def test_a_person_is_named_in_plain_letters_or_not_at_all(client: Client, record: Any) -> None:
    assert client.post("/predict", json=record, headers={"x-row-id": "a.b@c-1"}).status_code == 200
    for name in ("", "a b", "x" * 201, "\x84"):
        headers = {"x-row-id": name.encode("latin-1")}
        assert client.post("/predict", json=record, headers=headers).status_code == 400


def test_ids_of_requests_are_kept_where_they_are_sane(client: Client) -> None:
    assert client.get("/model", headers={"x-request-id": "a-1"}).headers["x-request-id"] == "a-1"
    assert re.fullmatch(
        "[0-9a-f]{16}",
        client.get("/model", headers={"x-request-id": "a b"}).headers["x-request-id"],
    )
    assert client.get("/", headers={"x-request-id": "a-1"}).headers["x-request-id"] == "a-1"


def test_the_model_is_described(client: Client, artifact: Path) -> None:
    said = client.get("/model").json()
    assert said["model"] == NAME
    assert said["metrics"] == json.loads((artifact / "metrics.json").read_text())
    assert said["intended_use"] and said["not_to_be_used_for"] and said["limits"]
    # The limit nearest to the threshold has moved there.
    limits = [0.25, 0.45, 0.65]
    nearest = min(limits, key=lambda limit: abs(limit - said["threshold"]))
    moved = [said["threshold"] if limit == nearest else limit for limit in limits]
    assert [tier["below"] for tier in said["tiers"]] == [*moved, None]
    assert said["digests"]["model"].startswith("sha256:")


def test_every_address_is_described(client: Client, served: Served) -> None:
    document = client.get("/docs.json").json()
    routes = {*client.app._handlers, *(r.path for r in client.app._page.routes)}
    assert routes <= set(document["paths"])
    for path in ("/predict", "/predict_batch"):
        assert {"200", "400", "408", "413", "415"} <= set(
            document["paths"][path]["post"]["responses"]
        )
    schema = document["components"]["schemas"]["Record"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["age"]["minimum"] == 18
    assert schema["properties"]["job_role"]["enum"][0] == "Education"
    assert schema["properties"]["job_level"]["enum"] == ["Entry", "Mid", "Senior"]
    assert schema["properties"]["company_size"]["enum"] == ["Small", "Medium", "Large"]
    assert all(
        column["title"] and column["description"] for column in schema["properties"].values()
    )
    assert "distance_from_home" not in schema["required"]
    assert not {"gender", "marital_status"} & set(schema["properties"])
    assert "employee_id" in schema["properties"]
    assert "employee_id" not in schema["required"]


def test_the_examples_of_the_description_are_answered(client: Client) -> None:
    content = client.get("/docs.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert client.post("/predict", json=example["value"]).status_code == 200


def metric(client: Client, name: str) -> dict[str, float]:
    found = client.get("/metrics").text.splitlines()
    lines = [line for line in found if line.startswith(name) and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_what_happens_is_counted(served: Served, record: Any) -> None:
    for client in start(served):
        client.post("/predict", json=record | {"age": 60, "job_role": "Finance"})
        client.post("/predict", json=record | {"age": 65, "job_role": "Technology"})
        client.post("/predict", json=record | {"age": 3})
        client.post("/predict_batch", json=[record] * 5)
        post(client, "/predict", "{")
        found = metric(client, "")
        assert sum(v for k, v in found.items() if k.startswith("sluice_predictions_total")) == 7
        assert found["sluice_prediction_probability_count"] == 7
        assert found['sluice_prediction_probability_bucket{le="+Inf"}'] == 7
        low, outside = record["age"] > 60, record["job_role"] not in ("Finance", "Media")
        assert found['sluice_input_out_of_reference_total{column="age"}'] == 1 + 5 * low
        assert found['sluice_input_out_of_reference_total{column="job_role"}'] == 1 + 5 * outside
        assert found['sluice_refused_requests_total{kind="fields"}'] == 1
        assert found['sluice_refused_requests_total{kind="json"}'] == 1
        assert found['sluice_refused_fields_total{column="Age"}'] == 1
        totals = {k: v for k, v in found.items() if k.startswith("bentoml_service_request_total")}
        assert {
            (re.findall('"([^"]*)"', k)[0], re.findall('code="([^"]*)"', k)[0], v)
            for k, v in totals.items()
        } == {
            ("/predict", "200", 2.0),
            ("/predict", "400", 2.0),
            ("/predict_batch", "200", 1.0),
        }
        # One row of each request that was answered, however many rows it had.
        judged = {k: v for k, v in found.items() if k.startswith("sluice_judged_rows_total")}
        assert sum(judged.values()) == 3
        [build] = [k for k in found if k.startswith("sluice_build_info")]
        assert served.digests.model in build


def test_the_row_that_a_request_is_judged_by_is_chosen_by_its_id() -> None:
    places = [drawn(f"request-{number}", 5) for number in range(500)]
    assert set(places) == set(range(5))
    assert min(places.count(place) for place in range(5)) > 70
    assert drawn("request-1", 5) == drawn("request-1", 5)
    assert drawn("anything", 1) == 0


def test_the_canary_is_judged_by_metrics_that_there_are(client: Client, record: Any) -> None:
    template = next(yaml.safe_load_all((PROJECT / "deploy/argocd/base/analysis.yaml").read_text()))
    client.post("/predict", json=record)
    client.post("/predict_batch", json=[record])
    text = client.get("/metrics").text
    expected = {"/predict.*": {"/predict", "/predict_batch"}, "/predict": {"/predict"}}
    for judged in template["spec"]["metrics"]:
        query = judged["provider"]["prometheus"]["query"]
        for argument in template["spec"]["args"]:
            query = query.replace(f"{{{{args.{argument['name']}}}}}", argument.get("value", ""))
        for name, labels in re.findall(r"(bentoml_\w+)\{([^}]*)", query):
            series = [line for line in text.splitlines() if line.startswith(name + "{")]
            assert series, name
            there = set(re.findall(r"(\w+)=", series[0]))
            # The others are put there by Prometheus: deploy/argocd/README.md.
            assert (
                set(re.findall(r"(\w+)=~?", labels)) - {"namespace", "rollouts_pod_template_hash"}
                <= there
            )
            [endpoint] = re.findall(r'endpoint=~"([^"]*)"', labels)
            judged_paths = {
                path
                for line in series
                for path in re.findall(r'endpoint="([^"]*)"', line)
                if re.fullmatch(endpoint, path)
            }
            assert judged_paths == expected[endpoint]


def test_metrics_of_all_workers_are_added_up(
    served: Served, record: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for client in start(served):
        client.post("/predict", json=record)
        before = metric(client, "sluice_predictions_total")
        [own] = tmp_path.glob("sluice-*.json")
        state = json.loads(own.read_text())
        (tmp_path / "sluice-999999.json").write_text(json.dumps({**state, "in_progress": 5}))
        after = metric(client, "sluice_predictions_total")
        assert sum(after.values()) == 2 * sum(before.values()) == 2
        # the other one is dead
        assert list(metric(client, "bentoml_service_request_in_progress").values()) == [1]


def test_operators_have_a_listener_of_their_own(served: Served, record: Any) -> None:
    from flows.adapters.server import free_port

    port = free_port()
    for client in start(served, metrics_bind=f"127.0.0.1:{port}"):
        assert client.get("/metrics").status_code == client.get("/docs.json").status_code == 404
        assert "sluice_build_info" in httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        assert "/metrics" not in httpx2.get(f"http://127.0.0.1:{port}/docs.json").json()["paths"]
        elsewhere = httpx2.get(f"http://127.0.0.1:{port}/predict")
        assert (elsewhere.status_code, elsewhere.json()) == (404, {"error": "nothing is here"})


def test_connections_are_closed_while_it_stops(served: Served, record: Any) -> None:
    for client in start(served):
        client.app.draining = True
        assert client.post("/predict", json=record).headers["connection"] == "close"
        assert client.get("/").headers["connection"] == "close"


def test_rows_of_one_turn_are_scored_together(served: Served, golden: Any) -> None:
    async def ask() -> list[tuple[float, Any]]:
        together = Together(served)
        return await asyncio.gather(
            *(
                together.ask(served.reader.one(json.dumps(r).encode())[0], p % 2 == 0)
                for p, r in enumerate(golden["records"])
            )
        )

    answers = asyncio.run(ask())
    assert (
        compare_golden(
            convert(golden, Golden), np.array([probability for probability, _ in answers])
        )
        < 1e-6
    )
    assert [bool(why) for _, why in answers] == [place % 2 == 0 for place in range(len(answers))]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 300),
    st.floats(),
    st.integers(),
    st.text(max_size=3),
    st.sampled_from(["Yes", "No", "High", "Low", "Good", "Media", "Mid", "PhD"]),
)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.dictionaries(st.integers(0, 19), VALUES, max_size=3),
    row=st.integers(0, 49),
    extra=st.booleans(),
    whom=st.dictionaries(st.sampled_from(["employee_id", "Employee ID"]), VALUES | st.just(4711.0)),
)
def test_the_quick_way_takes_what_the_thorough_way_takes(
    served: Served,
    golden: Any,
    changes: dict[int, Any],
    row: int,
    extra: bool,
    whom: dict[str, Any],
) -> None:
    contract = served.model.contract
    record = dict(golden["records"][row])
    for place, value in changes.items():
        record[contract.features[place].key] = value
    if extra:
        record.popitem()
    sent = record | whom
    one, many = json.dumps(sent).encode(), json.dumps([golden["records"][0], sent]).encode()
    ids = [person_id(contract.id, value) for value in whom.values()] or [""]
    try:
        expected = encode(contract, read_records(contract, [record]))
        if None in ids or len(ids) > 1:
            raise InvalidFields(read_errors(served, sent))
    except InvalidFields:
        for way in (lambda: served.reader.one(one), lambda: read_many(served, many)):
            with pytest.raises((InvalidFields, Refusal)):
                way()
        return
    for numbers in (
        np.array([served.reader.one(one)[0]]) + 0.0,
        read_many(served, many).numbers[1:],
    ):
        assert assemble(served.model.layout, numbers).tobytes() == expected.tobytes()
    assert [served.reader.one(one)[2]] == ids == read_many(served, many).ids[1:]


def read_many(served: Served, body: bytes) -> Any:
    return asyncio.run(served.reader.many(body, 10))


def read_errors(served: Served, record: Any) -> Any:
    """What the thorough way says of a record that it must refuse."""
    with pytest.raises(InvalidFields) as refused:
        served.reader.records([record])
    return refused.value.errors


def test_settings_are_read_and_refused() -> None:
    assert load({}) == Settings()
    given = load(
        {
            "SLUICE_MAX_ROWS": "5",
            "SLUICE_LOG_SAMPLE": "0.1",
            "SLUICE_LOG_REQUESTS": "1",
            "SLUICE_LOG_SALT": "x" * 16,
        }
    )
    assert (given.max_rows, given.log_sample, given.log_requests, given.log_salt) == (
        5,
        0.1,
        True,
        "x" * 16,
    )
    for name, value in (
        ("MAX_ROWS", "many"),
        ("MAX_ROWS", "0"),
        ("LOG_SAMPLE", "2"),
        ("LOG_REQUESTS", "maybe"),
        ("METRICS_BIND", "here"),
        ("DRAIN_SECONDS", "-1"),
        ("LOG_SAMPLE", "nan"),
    ):
        with pytest.raises(UsageError, match=f"SLUICE_{name}|is nan"):
            load({f"SLUICE_{name}": value})
