"""The Open Inference Protocol: answers, refusals and counts of /predict, asked for by column."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.asgi import Client
from support.asgi import client as connected
from support.model_artifacts import small_artifact

from bento import process
from bento.answers import Served, load_served
from bento.http.open_inference import OUTPUTS
from bento.openapi import example
from bento.ops.settings import Settings
from sluice.served.contract import Column

NAME, VERSION = "attrition", "0123456789abcdef"
INFER = f"/v2/models/{NAME}/infer"
MOST = 40
KINDS = {"integer": "INT64", "number": "FP64", "boolean": "BOOL"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder: Path = small_artifact(tmp_path_factory.mktemp("artifact") / "model")
    return load_served(folder, f"{NAME}:{VERSION}", "")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def client(served: Served, log: Path) -> Iterator[Client]:
    given = Settings(drain_seconds=0, max_rows=MOST, max_body_bytes=60_000, prediction_log=str(log))
    app, ends = process.start(served, given)
    with connected(app) as found:
        yield found
    for end in ends:
        end()


def request(served: Served, records: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """These records by column."""
    contract = served.model.contract
    inputs = [
        {
            "name": name,
            "shape": [len(records)],
            "datatype": KINDS.get(kind_of(contract.find(name)), "BYTES"),
            "data": [record[name] for record in records],
        }
        for name in records[0]
    ]
    return {"inputs": inputs, **more}


def kind_of(column: Column | None) -> str:
    return column.kind if column else ""


def asked(client: Client, body: object) -> httpx2.Response:
    return client.post(INFER, json=body)


def columns_of(answer: httpx2.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["data"] for one in answer.json()["outputs"]}


def cell(column: Column) -> st.SearchStrategy[Any]:
    """A value that the contract allows, or one that it does not."""
    if column.numeric:
        low, high = int(column.minimum or 0), int(column.maximum or 0)
        allowed: st.SearchStrategy[Any] = st.integers(low, high)
    else:
        allowed = st.sampled_from(column.values)
    odd = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([1]))
    return st.one_of(*[allowed] * 12, odd)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_answers_and_refusals_are_those_of_predict(
    data: st.DataObject, client: Client, served: Served
) -> None:
    """Of one record those of /predict, of many those of /predict_batch, whatever they hold."""
    columns = served.model.contract.features
    rows = data.draw(st.integers(1, 4))
    published = data.draw(st.booleans())
    records = [
        {(c.name if published else c.key): data.draw(cell(c)) for c in columns} for _ in range(rows)
    ]
    ours = asked(client, request(served, records))
    theirs = client.post("/predict_batch", json=records)
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    if theirs.status_code == 200:
        found = columns_of(ours)
        for name in set(OUTPUTS) - {"id"}:
            assert found[name] == [one[name] for one in theirs.json()], name
        alone = client.post("/predict?reasons=0", json=records[0]).json()
        assert found["probability"][0] == pytest.approx(alone["probability"], abs=1e-6)
        assert found["prediction"][0] == alone["prediction"]
    else:
        assert ours.json() == theirs.json()


def test_the_reply_has_the_form_of_the_protocol(client: Client, served: Served) -> None:
    record = example(served.model.contract)
    wanted = [{"name": "label"}, {"name": "probability"}]
    reply = asked(client, request(served, [record] * 3, id="of mine", outputs=wanted)).json()
    assert reply["model_name"] == NAME and reply["model_version"] == VERSION
    assert reply["id"] == "of mine"
    assert [(one["name"], one["datatype"], one["shape"]) for one in reply["outputs"]] == [
        ("label", "BYTES", [3]),
        ("probability", "FP64", [3]),
    ]
    nested = request(served, [record] * 2)
    for tensor in nested["inputs"]:
        tensor |= {"shape": [2, 1], "data": [[value] for value in tensor["data"]]}
    flat = request(served, [record] * 2)
    for tensor in flat["inputs"]:
        tensor["shape"] = [2, 1]
    assert columns_of(asked(client, nested))["tier"] == columns_of(asked(client, flat))["tier"]
    nobody = request(served, [record])
    for tensor in nobody["inputs"]:
        tensor |= {"shape": [0], "data": []}
    assert columns_of(asked(client, nobody))["label"] == []


def test_what_is_no_request_is_refused_in_a_sentence(client: Client, served: Served) -> None:
    record = example(served.model.contract)
    first = next(iter(record))

    def changed(**part: Any) -> dict[str, Any]:
        whole = request(served, [record])
        whole["inputs"][0] |= part
        return whole

    twice = request(served, [record])
    twice["inputs"].append(twice["inputs"][0])
    for body, words in (
        ([], "is not a request of the Open Inference Protocol, an object"),
        ({"inputs": []}, "has not the inputs of the model"),
        ({"inputs": [{}]}, "no request of the Open Inference Protocol"),
        ({"inputs": [{"name": "x"}] * 900}, "no request of the Open Inference Protocol"),
        (changed(datatype="FP128"), "datatype of an input is not known"),
        (changed(shape=[1, 2]), "the shape of an input is no column"),
        (changed(shape=[-1]), "the shape of an input is no column"),
        (changed(shape=[2]), "not as many values as its shape says"),
        (changed(shape=[2], data=[1, 2]), "not the same number of rows"),
        (changed(shape=[MOST + 1]), "the list is too long"),
        (changed(shape=[10**9]), "the list is too long"),
        (request(served, [record], outputs=[{"name": "reasons"}]), "an output is not known"),
        (
            twice,
            "not the inputs of the model"
            if len(twice["inputs"]) > len(served.model.contract.columns)
            else "an input stands twice",
        ),
        (changed(name="no column"), "fields that the contract does not allow"),
    ):
        refused = asked(client, body)
        assert refused.status_code == 400, body
        assert words in refused.json()["error"], refused.text
    assert first in json.dumps(request(served, [record]))
    for content in (b"", b"{", b'{"inputs": NaN}', b"\xff", b"[" * 50_000):
        kind = {"content-type": "application/json"}
        assert client.post(INFER, content=content, headers=kind).status_code == 400
    doubled = json.dumps(request(served, [record])).replace('"shape"', '"name": "x", "shape"', 1)
    kind = {"content-type": "application/json"}
    assert client.post(INFER, content=doubled, headers=kind).json()["error"] == (
        "a name stands twice"
    )
    binary = {"content-type": "application/octet-stream"}
    assert client.post(INFER, content=b"\0", headers=binary).status_code == 415
    assert asked(client, {"inputs": [], "id": "x" * 70_000}).status_code == 413


def test_it_is_counted_and_logged_as_other_answers_are(
    client: Client, served: Served, log: Path
) -> None:
    record = example(served.model.contract)

    def counts() -> tuple[float, float, float]:
        lines = client.get("/metrics").text.splitlines()

        def total(start: str) -> float:
            return sum(float(line.split()[-1]) for line in lines if line.startswith(start))

        endpoint = f'bentoml_service_request_total{{endpoint="{INFER}"'
        return total("sluice_predictions_total"), total("sluice_judged_rows_total"), total(endpoint)

    before = counts()
    assert asked(client, request(served, [record] * 7)).status_code == 200
    after = counts()
    # Seven rows, one of which the version is judged by, in one request.
    assert [now - then for now, then in zip(after, before, strict=True)] == [7, 1, 1]


def test_what_it_says_of_model_server_and_health(client: Client, served: Served) -> None:
    model = client.get(f"/v2/models/{NAME}").json()
    assert (model["name"], model["versions"], model["platform"]) == (NAME, [VERSION], "onnx")
    assert [one["name"] for one in model["inputs"]] == [
        column.key for column in served.model.contract.features
    ]
    assert client.get("/v2").json()["name"] == "sluice"
    assert client.get("/v2/health/live").json() == {"live": True}
    for path in ("/v2/health/ready", f"/v2/models/{NAME}/ready"):
        assert client.get(path).json() == {"ready": True}
    assert client.get("/v2/models/another").status_code == 404
    assert client.get(INFER).status_code == 405
    described = client.get("/docs.json").json()["paths"]
    for path in (INFER, f"/v2/models/{NAME}", "/v2", "/v2/health/live", "/v2/health/ready"):
        assert path in described


def test_health_takes_no_key_and_answers_do(served: Served, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("k" * 40)
    app, ends = process.start(served, Settings(drain_seconds=0, api_keys=str(keys)))
    with connected(app) as client:
        body = request(served, [example(served.model.contract)])
        assert asked(client, body).status_code == 401
        assert client.get(f"/v2/models/{NAME}").status_code == 401
        with_key = {"authorization": f"Bearer {'k' * 40}"}
        assert client.post(INFER, json=body, headers=with_key).status_code == 200
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/health/ready").status_code == 200
        app.draining = True
        refused = client.get("/v2/health/ready")
        assert (refused.status_code, refused.json()) == (503, {"ready": False})
        security = client.get("/docs.json", headers=with_key).json()["paths"]
        assert "security" in security[INFER]["post"]
        assert "security" not in security["/v2/health/live"]["get"]
    for end in ends:
        end()
