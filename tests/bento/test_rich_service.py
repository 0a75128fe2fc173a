"""The service of a model with missing numbers, dates and categories of any text: what it takes, how
it refuses, and what it shows and keeps.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.asgi import Client
from support.asgi import client as connected
from support.rich_contract import rich, rich_artifact, rows

from bento import process
from bento.answers import Served, load_served
from bento.openapi import example
from bento.ops.settings import Settings
from flows.adapters.prediction_days import _columns, _line_type
from sluice.model.artifact.model_artifact import check_golden, load_golden
from sluice.served.days import day_of
from sluice.served.uploaded_table import check_record

KEYS = {column.name: column.key for column in rich().features}


def record(number: int = 0, **changed: Any) -> dict[str, Any]:
    """A row as a program sends it, by key."""
    row = rows(number + 1)[number]
    return {key: row[name] for name, key in KEYS.items()} | changed


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_artifact(tmp_path_factory.mktemp("rich") / "model")


@pytest.fixture(scope="module")
def served(artifact: Path) -> Served:
    return load_served(artifact, "rich:0123456789abcdef", "")


@contextmanager
def service(served: Served, log: Path) -> Iterator[Client]:
    app, ends = process.start(served, Settings(prediction_log=str(log), log_salt="salt"))
    try:
        with connected(app) as client:
            yield client
    finally:
        for end in ends:
            end()


@pytest.fixture(scope="module")
def client(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with service(served, tmp_path_factory.mktemp("log")) as asked:
        yield asked


def test_one_and_many_and_the_file_have_the_same_answers(client: Client, served: Served) -> None:
    sent = [record(number) for number in range(40)]
    one = [client.post("/predict?reasons=0", json=each).json()["probability"] for each in sent]
    many = client.post("/predict_batch?reasons=0", json=sent).json()
    assert [answer["probability"] for answer in many] == one
    assert served.model.score_records(sent).tolist() == one
    assert any(each["last_seen"] is None for each in sent)


def test_what_may_be_missing_is_null_or_left_out(client: Client) -> None:
    sent = record(last_seen=None, charges=None)
    bare = {key: value for key, value in sent.items() if value is not None}
    answers = [client.post("/predict", json=each).json() for each in (sent, bare)]
    assert answers[0]["probability"] == answers[1]["probability"]
    filled = client.post("/predict", json=sent | {"charges": 120.0}).json()
    assert filled["probability"] != answers[0]["probability"]
    told = {reason["field"]: reason for reason in answers[0]["reasons"]}
    assert told["charges"]["value"] is None
    assert "Charges is not known: " in told["charges"]["text"]


def test_what_is_not_listed_counts_as_other(client: Client) -> None:
    def told(place: str) -> float:
        sent = record(place=place)
        return float(client.post("/predict?reasons=0", json=sent).json()["probability"])

    assert told("Atlantis") == told("other") == told(" Lemuria ")
    assert told("place 3") != told("other")
    assert told(" place 3 ") == told("place 3")


REFUSED = {
    "a day that is none": ({"begins": "2023-02-30"}, "Begins", "a date from 1999-12-31"),
    "a time": ({"begins": "2023-02-03T10:00:00"}, "Begins", "without a time or a time zone"),
    "a time zone": ({"last_seen": "2023-02-03+02:00"}, "Last seen", "without a time"),
    "a day out of range": ({"begins": "1899-01-01"}, "Begins", "from 1999-12-31 to 2030-02-28"),
    "a number as a day": ({"begins": 19_000}, "Begins", "a date"),
    "no day where one is needed": ({"begins": None}, "Begins", "a date"),
    "an endless text": ({"place": "x" * 201}, "Place", "a text of at most 200 characters"),
    "a blank text": ({"place": "  "}, "Place", "a text of at most 200 characters"),
    "what the table has for missing": ({"place": "?"}, "Place", "a text of at most"),
    "a list": ({"place": ["a"]}, "Place", "a text of at most"),
    "a number as a text": ({"plan": 3}, "Plan", "a text of at most"),
    "a text as a number": ({"charges": "12"}, "Charges", "a number"),
    "a huge number": ({"charges": 1e300}, "Charges", "a number from -5 to 1000"),
    "a fraction": ({"calls": 1.5}, "Calls", "a whole number"),
    "the weight of a row": ({"weight": 1.0}, "weight", "only: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_with_its_column(client: Client, case: str) -> None:
    changed, field, allowed = REFUSED[case]
    for path, body in (("/predict", record(**changed)), ("/predict_batch", [record(**changed)])):
        refused = client.post(path, json=body)
        assert refused.status_code == 400
        [wrong] = refused.json()["fields"]
        assert wrong["field"] == field
        assert allowed in wrong["allowed"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_not_what_is_missing(client: Client, number: str) -> None:
    body = json.dumps(record(charges=0)).replace('"charges": 0', f'"charges": {number}')
    refused = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert refused.status_code == 400


def test_the_page_asks_for_days_and_offers_texts(client: Client) -> None:
    page = client.get("/").text
    assert re.search(r'<input type="date" id="begins"[^>]+min="1999-12-31" max="2030-02-28"', page)
    assert '<datalist id="place-offered">' in page
    assert "What is not offered counts as other." in page
    assert "weight" not in page.lower()
    sent = {key: "" if value is None else str(value) for key, value in record().items()}
    answered = client.post("/", data=sent)
    assert answered.status_code == 200
    wrong = client.post("/", data=sent | {"begins": "2023-02-30"})
    assert wrong.status_code == 400
    assert "Begins must be a date from 1999-12-31 to 2030-02-28" in wrong.text


def test_the_description_takes_what_the_service_takes(client: Client) -> None:
    described = client.get("/docs.json").json()["components"]["schemas"]["Record"]
    assert "begins" in described["required"]
    assert "last_seen" not in described["required"]
    assert described["properties"]["place"]["maxLength"] == 200
    assert check_record(rich(), example(rich())) == ()


def test_golden_records_have_what_is_missing_and_days(artifact: Path) -> None:
    golden = load_golden(artifact)
    assert any(each["charges"] is None for each in golden.records)
    assert all(day_of(str(each["begins"])) is not None for each in golden.records)
    assert check_golden(artifact) <= 1e-6


def test_the_log_keeps_days_and_no_text_that_nobody_listed(served: Served, tmp_path: Path) -> None:
    with service(served, tmp_path) as client:
        client.post("/predict", json=record(place="Anna Smith, Baker Street", last_seen=None))
    [file] = tmp_path.glob("predictions-*.jsonl")
    text = file.read_text()
    assert "Anna" not in text
    line = json.loads(text)
    assert line["inputs"]["place"] == "other"
    import msgspec

    read = msgspec.json.decode(text.encode(), type=_line_type(rich()))
    columns = _columns([read], rich())
    assert columns["begins"][0] == day_of(record()["begins"])
    assert columns["last_seen"][0] != columns["last_seen"][0]
