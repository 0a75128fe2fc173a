"""The service of a model of a number, in this process."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from support import deliveries
from support.asgi import Client
from support.asgi import client as connected

from bento import process
from bento.answers import Served, load_served
from bento.ops.settings import load
from sluice.model.artifact.model_artifact import Golden, compare_golden, load_golden
from sluice.served.predictions import person_hash
from sluice.served.quantity_cells import limits_of, names_of

SALT = "a text of sixteen signs"
RECORD = {"Weight kg": 4.2, "Distance km": 14, "Lift": "no", "Zone": "rural"}
FAR = {"Weight kg": 59.0, "Distance km": 60, "Lift": "no", "Zone": "city"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = deliveries.artifact(tmp_path_factory.mktemp("deliveries") / "model")
    return load_served(folder, "deliveries:0123456789abcdef", "sha256:" + "1" * 64)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The same model, where nothing above 100 minutes is plausible."""
    folder = deliveries.artifact(tmp_path_factory.mktemp("narrow") / "model")
    contract = folder / "contract.toml"
    contract.write_text(deliveries.CONTRACT.replace("maximum = 240.0", "maximum = 100.0"))
    return load_served(folder, "deliveries:0123456789abcdef", "")


@pytest.fixture
def client(served: Served, tmp_path: Path) -> Iterator[Client]:
    given = load({"SLUICE_PREDICTION_LOG": str(tmp_path / "log"), "SLUICE_LOG_SALT": SALT})
    app, ends = process.start(served, given)
    with connected(app) as client:
        yield client
    for end in ends:
        end()


def predicted(client: Client, record: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/predict", json=record).json()
    return answer


def test_an_answer_is_a_number_with_its_unit(client: Client, served: Served) -> None:
    answer = predicted(client, RECORD)
    [expected] = served.model.score_records([RECORD])
    assert answer["value"] == pytest.approx(expected, rel=1e-9)
    assert answer["unit"] == "min"
    assert answer["label"] == f"{expected:,.1f} min"
    assert answer["outside"] is False
    assert answer["bin"] == 1 + np.searchsorted(served.model.bins, expected, side="right")
    assert not {"tier", "threshold", "probability", "prediction"} & set(answer)


def test_an_answer_beyond_its_range_is_given_and_marked(narrow: Served) -> None:
    app, ends = process.start(narrow, load({}))
    with connected(app) as client:
        answer = predicted(client, FAR)
        assert answer["value"] > 100.0
        assert answer["outside"] is True
        page = client.post("/", data=typed(FAR)).text
        assert "It lies at an end of what is plausible</strong> (0.0 min to 100.0 min)" in page
        rows = "Delivery,Weight kg,Distance km,Lift,Zone\nD1,59,60,no,city\nD2,4.2,14,no,rural\n"
        many = client.post("/rows", files={"file": ("two.csv", rows.encode(), "text/csv")}).text
        assert "1 lies at an end of what is plausible, and is marked." in many
        text = client.get("/metrics").text
        judged = 'sluice_judged_rows_total{bin="100",prediction="outside",tier="outside"}'
        assert f"{judged} 1.0" in text
        told = re.findall(r'sluice_predictions_total\{prediction="outside",tier="10"\} (.*)', text)
        assert told == ["3.0"]
    for end in ends:
        end()


def test_its_reasons_lead_to_the_answer_in_its_unit(client: Client) -> None:
    answer = predicted(client, RECORD)
    total = answer["baseline"] + sum(r["change"] for r in answer["reasons"]) + answer["others"]
    assert total == pytest.approx(answer["value"], abs=1e-4)
    first = answer["reasons"][0]
    way = "raises" if first["change"] > 0 else "lowers"
    assert first["text"].endswith(f": {way} the answer by {abs(first['change']):,.1f} min.")


def test_a_list_has_the_same_answers_in_its_order(client: Client) -> None:
    both = client.post("/predict_batch?reasons=1", json=[RECORD, FAR]).json()
    alone = [predicted(client, one) for one in (RECORD, FAR)]
    for one, many in zip(alone, both, strict=True):
        assert many["value"] == pytest.approx(one["value"], rel=1e-6)
        assert many["label"] == one["label"]
        assert many["baseline"] == pytest.approx(one["baseline"])
        assert [r["field"] for r in many["reasons"]] == [r["field"] for r in one["reasons"]]


def test_golden_records_are_answered_as_they_were_written(client: Client, tmp_path: Path) -> None:
    golden: Golden = load_golden(deliveries.artifact(tmp_path / "again"))
    answers = client.post("/predict_batch", json=list(golden.records)).json()
    values = np.array([answer["value"] for answer in answers])
    assert compare_golden(golden, values) <= golden.allowed
    with pytest.raises(Exception, match="golden records"):
        compare_golden(golden, values + 10 * golden.allowed)


def test_metrics_count_numbers_by_bin_and_by_hundredth_of_the_range(
    client: Client, served: Served
) -> None:
    answer = predicted(client, RECORD)
    client.post("/predict_batch", json=[RECORD])
    text = client.get("/metrics").text
    name = f'sluice_predictions_total{{prediction="inside",tier="{answer["bin"]}"}}'
    assert f"{name} 2.0" in text
    inside = r'\{bin="([^"]+)",prediction="inside",tier="inside"\} ([0-9.]+)'
    judged = dict(re.findall(f"sluice_judged_rows_total{inside}", text))
    # Every limit is told from the start, so that a judge knows what is counted by.
    assert set(judged) == set(names_of(limits_of(deliveries.QUANTITY)))
    [hit] = [name for name, count in judged.items() if float(count)]
    assert float(hit) < answer["value"] <= float(hit) + 2.4 + 1e-9
    assert "sluice_model_threshold" not in text
    assert "sluice_prediction_probability" not in text
    assert "sluice_prediction_quantity_count 2.0" in text
    assert "Numbers that were answered, in min" in text


def test_the_model_says_its_range_and_the_description_knows_the_answer(client: Client) -> None:
    known = client.get("/model").json()
    assert known["quantity"] == {"unit": "min", "low": 0.0, "high": 240.0, "decimals": 1}
    assert len(known["bins"]) == 9
    assert "threshold" not in known
    assert "adds up to the answer" in known["reasons"]
    schemas = client.get("/docs.json").json()["components"]["schemas"]
    value = schemas["Answer"]["properties"]["value"]
    assert "Plausible is 0 to 240" in value["description"]
    assert schemas["Answer"]["properties"]["unit"] == {"const": "min"}
    assert "NumberAnswer" not in schemas


def test_what_is_answered_is_what_is_described(client: Client) -> None:
    described = client.get("/docs.json").json()
    schema = {"$ref": "#/components/schemas/Answers", "components": described["components"]}
    answers = client.post("/predict_batch?reasons=1", json=[RECORD, FAR]).json()
    jsonschema.validate(answers, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**answers[0], "unit": "h"}], schema)


def test_the_log_keeps_the_number_and_its_bin(served: Served, tmp_path: Path) -> None:
    given = load({"SLUICE_PREDICTION_LOG": str(tmp_path / "log"), "SLUICE_LOG_SALT": SALT})
    app, ends = process.start(served, given)
    with connected(app) as client:
        answer = predicted(client, {**RECORD, "Delivery": "D7"})
    for end in ends:
        end()
    [file] = (tmp_path / "log").glob("*.jsonl")
    [line] = [json.loads(line) for line in file.read_text().splitlines()]
    assert {name: line[name] for name in ("value", "bin", "outside")} == {
        name: answer[name] for name in ("value", "bin", "outside")
    }
    assert line["person"] == person_hash(SALT, "D7")
    assert line["inputs"]["distance_km"] == 14


def typed(record: dict[str, Any]) -> dict[str, str]:
    keys = {"Weight kg": "weight_kg", "Distance km": "distance_km", "Lift": "lift", "Zone": "zone"}
    return {keys[name]: str(value) for name, value in record.items()}


def test_the_page_speaks_of_the_number_with_its_unit(client: Client, served: Served) -> None:
    page = client.post("/", data=typed(RECORD)).text
    answer = predicted(client, RECORD)
    assert f'<span class="what">Minutes:</span> {answer["label"]}' in page
    off = served.metrics["validation"]["mae"]  # type: ignore[index]
    assert f"it was off by {off:.1f} min on the average" in page
    assert "The mean answer, for comparison" in page
    for word in ("probability", "threshold", "Risk", "points", "This score", "mean score"):
        assert word not in page, word


def test_the_page_says_how_far_it_is_off(client: Client, served: Served) -> None:
    page = client.get("/quality").text
    found: Any = served.metrics["validation"]
    assert f'<td class="n">{found["mae"]:.1f} min</td>' in page
    assert "Off by at most 10.0 min" in page
    assert f"the model is off by {100 * found['skill']:.0f} % less" in page


def test_a_file_is_answered_row_by_row_in_its_order(client: Client) -> None:
    rows = deliveries.to_csv(30).decode().splitlines()
    table = "\n".join(line.rpartition(",")[0] for line in rows) + "\nD9,4,5,no,moon\n"
    page = client.post("/rows", files={"file": ("many.csv", table.encode(), "text/csv")}).text
    assert "30 of 31 rows" in page
    assert '<th scope="col" class="n">Minutes</th>' in page
    assert "act on" not in page
    download = re.search(r"base64,([A-Za-z0-9+/=]+)", page)
    assert download
    lines = list(csv.DictReader(io.StringIO(base64.b64decode(download[1]).decode("utf-8-sig"))))
    assert [line["Delivery"] for line in lines[:30]] == [f"D{row:06d}" for row in range(30)]
    assert all(re.fullmatch(r"[0-9]+\.[0-9]", line["Minutes"]) for line in lines[:30])
    assert lines[30]["Problem"].startswith("Zone is")
    assert all(line["Reasons"] for line in lines[:30])


def test_the_open_inference_protocol_tells_the_number(client: Client) -> None:
    records = [RECORD, FAR]
    kinds = ("FP64", "INT64", "BYTES", "BYTES")
    inputs = [
        {"name": name, "shape": [2], "datatype": kind, "data": [one[name] for one in records]}
        for name, kind in zip(RECORD, kinds, strict=True)
    ]
    reply = client.post("/v2/models/deliveries/infer", json={"inputs": inputs}).json()
    told = {output["name"]: output["data"] for output in reply["outputs"]}
    answers = client.post("/predict_batch", json=records).json()
    for name in ("value", "outside", "bin"):
        assert told[name] == [answer[name] for answer in answers]
    about = client.get("/v2/models/deliveries").json()
    assert {output["name"]: output["datatype"] for output in about["outputs"]} == {
        "value": "FP64",
        "outside": "BOOL",
        "bin": "INT64",
        "id": "BYTES",
    }
    wanted = {"inputs": inputs, "outputs": [{"name": "probability"}]}
    assert client.post("/v2/models/deliveries/infer", json=wanted).status_code == 400
