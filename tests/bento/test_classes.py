"""The service of a model of several classes, in this process."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec import convert
from support import parcels
from support.asgi import Client
from support.asgi import client as connected

from bento import process
from bento.answers import Served, load_served
from bento.ops.settings import load
from sluice.model.artifact.model_artifact import Golden, compare_golden
from sluice.served.predictions import person_hash

SALT = "a text of sixteen signs"
RECORD = {"Weight kg": 4.2, "Distance km": 700, "Fragile": "no", "Zone": "rural"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = parcels.artifact(tmp_path_factory.mktemp("parcels") / "model")
    return load_served(folder, "parcels:0123456789abcdef", "sha256:" + "1" * 64)


@pytest.fixture
def client(served: Served, tmp_path: Path) -> Iterator[Client]:
    given = load({"SLUICE_PREDICTION_LOG": str(tmp_path / "log"), "SLUICE_LOG_SALT": SALT})
    app, ends = process.start(served, given)
    with connected(app) as client:
        yield client
    for end in ends:
        end()


def test_an_answer_names_the_class_and_the_probability_of_each(client: Client) -> None:
    answer = client.post("/predict", json=RECORD).json()
    shares = answer["probabilities"]
    assert tuple(shares) == parcels.CLASSES
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-6)
    weighed = {
        name: by * shares[name] for name, by in zip(parcels.CLASSES, parcels.WEIGHTS, strict=True)
    }
    assert answer["prediction"] == max(weighed, key=lambda name: weighed[name])
    assert answer["probability"] == shares[answer["prediction"]]
    assert not {"tier", "threshold", "label"} & set(answer)


def test_its_reasons_lead_to_the_probability_of_the_class(client: Client) -> None:
    answer = client.post("/predict", json=RECORD).json()
    total = answer["baseline"] + sum(r["change"] for r in answer["reasons"]) + answer["others"]
    assert total == pytest.approx(answer["probability"], abs=1e-6)
    assert answer["reasons"]


def test_a_list_has_the_same_answers_in_its_order(client: Client) -> None:
    other = {**RECORD, "Distance km": 5, "Zone": "city"}
    both = client.post("/predict_batch?reasons=1", json=[RECORD, other]).json()
    alone = [client.post("/predict", json=one).json() for one in (RECORD, other)]
    for one, many in zip(alone, both, strict=True):
        assert many["prediction"] == one["prediction"]
        assert many["probabilities"] == pytest.approx(one["probabilities"])
        assert many["baseline"] == pytest.approx(one["baseline"])
    assert both[0]["prediction"] != both[1]["prediction"]


def test_golden_records_are_answered_as_they_were_written(client: Client, tmp_path: Path) -> None:
    folder = parcels.artifact(tmp_path / "again")
    golden = convert(json.loads((folder / "golden.json").read_bytes()), Golden)
    answers = client.post("/predict_batch", json=list(golden.records)).json()
    scores = np.array([list(answer["probabilities"].values()) for answer in answers])
    assert compare_golden(golden, scores) <= 1e-6
    with pytest.raises(Exception, match="golden records"):
        compare_golden(golden, scores[:, [1, 0, 2]])


def test_metrics_have_the_share_of_each_class_and_its_histogram(client: Client) -> None:
    answer = client.post("/predict", json=RECORD).json()
    client.post("/predict_batch", json=[RECORD, RECORD])
    text = client.get("/metrics").text
    name = answer["prediction"]
    assert f'sluice_predictions_total{{prediction="{name}",tier="{name}"}} 3.0' in text
    judged = re.findall(r'sluice_judged_rows_total\{bin="([0-9.]+)",prediction="([^"]+)",', text)
    assert [one for _, one in judged] == [name]
    assert float(judged[0][0]) <= answer["probability"] <= float(judged[0][0]) + 0.05
    assert "sluice_model_threshold" not in text
    assert "sluice_prediction_probability_count 3.0" in text


def test_the_model_says_its_classes_and_the_description_knows_the_answer(client: Client) -> None:
    known = client.get("/model").json()
    assert known["classes"] == list(parcels.CLASSES)
    assert known["weights"] == {"damaged": 3.0, "late": 1.0, "on time": 1.0}
    assert "threshold" not in known
    schemas = client.get("/docs.json").json()["components"]["schemas"]
    assert schemas["Answer"]["properties"]["prediction"]["enum"] == list(parcels.CLASSES)
    assert "ClassAnswer" not in schemas


def test_the_log_keeps_the_class_and_the_probabilities(served: Served, tmp_path: Path) -> None:
    given = load({"SLUICE_PREDICTION_LOG": str(tmp_path / "log"), "SLUICE_LOG_SALT": SALT})
    app, ends = process.start(served, given)
    with connected(app) as client:
        answer = client.post("/predict", json={**RECORD, "Parcel": "P7"}).json()
    for end in ends:
        end()
    [file] = (tmp_path / "log").glob("*.jsonl")
    [line] = [json.loads(line) for line in file.read_text().splitlines()]
    assert line["prediction"] == answer["prediction"]
    assert line["probabilities"] == answer["probabilities"]
    assert line["person"] == person_hash(SALT, "P7")


def test_the_page_shows_the_class_and_each_probability(client: Client) -> None:
    typed = {"weight_kg": "4.2", "distance_km": "700", "fragile": "no", "zone": "rural"}
    page = client.post("/", data=typed).text
    answer = client.post("/predict", json=RECORD).json()
    assert f'<span class="what">Outcome:</span> {answer["prediction"]}' in page
    for share in answer["probabilities"].values():
        assert f"{share:.4f}" in page
    assert "threshold" not in page


def test_the_page_says_how_well_each_class_is_known(client: Client) -> None:
    page = client.get("/quality").text
    for name in parcels.CLASSES:
        assert f'<th scope="row">{name}' in page
    assert "What is taken for what?" in page


def test_a_file_is_answered_row_by_row_with_a_column_for_each_class(client: Client) -> None:
    rows = parcels.to_csv(30).decode().splitlines()
    table = "\n".join(line.rpartition(",")[0] for line in rows) + "\nP9,4,5,no,moon\n"
    page = client.post("/rows", files={"file": ("many.csv", table.encode(), "text/csv")}).text
    assert "30 of 31 rows" in page
    assert '<th scope="col" class="n">damaged</th>' in page
    assert "data:text/csv" in page
    assert "act on" not in page


def test_the_open_inference_protocol_tells_every_class(client: Client) -> None:
    records = [RECORD, {**RECORD, "Weight kg": 21.0, "Zone": "city"}]
    inputs = [
        {"name": name, "shape": [2], "datatype": kind, "data": [one[name] for one in records]}
        for name, kind in zip(RECORD, ("FP64", "INT64", "BYTES", "BYTES"), strict=True)
    ]
    reply = client.post("/v2/models/parcels/infer", json={"inputs": inputs}).json()
    told = {output["name"]: output for output in reply["outputs"]}
    answers = client.post("/predict_batch", json=records).json()
    assert told["prediction"]["data"] == [answer["prediction"] for answer in answers]
    assert told["probability"]["data"] == [answer["probability"] for answer in answers]
    shares = told["probabilities"]
    assert shares["shape"] == [2, len(parcels.CLASSES)]
    assert shares["data"] == [share for a in answers for share in a["probabilities"].values()]
    about = client.get("/v2/models/parcels").json()
    assert {output["name"]: output["shape"] for output in about["outputs"]} == {
        "probability": [-1],
        "prediction": [-1],
        "probabilities": [-1, len(parcels.CLASSES)],
        "id": [-1],
    }
    refused = client.post(
        "/v2/models/parcels/infer", json={"inputs": inputs, "outputs": [{"name": "tier"}]}
    )
    assert refused.status_code == 400
