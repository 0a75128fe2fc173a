"""Reasons and tiers: the change of the score when one column is put to what is usual, for every
model the same.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.gate_cases import contract, small
from support.model_artifacts import small_artifact

from bento.http.records import Reader
from sluice.served.encoding import encode, read_records
from sluice.served.histograms import read_histograms
from sluice.served.reasons import changes, in_words, shown, usual
from sluice.served.scoring import Model, load_model, score_matrix
from sluice.served.tiers import Tiers

REFERENCE = {
    "age": {
        "kind": "number",
        "whole": True,
        "edges": [17.5, 30.5, 40.5, 60.5],
        "counts": [10, 20, 10],
        "missing": 0,
    },
    "monthly_income": {
        "kind": "number",
        "whole": True,
        "edges": [1000.5, 2000.5],
        "counts": [8],
        "missing": 0,
    },
    "job_role": {"kind": "text", "values": {"Media": 7, "(other)": 50, "Finance": 3}, "missing": 0},
    "distance_from_home": {
        "kind": "number",
        "whole": True,
        "edges": [],
        "counts": [],
        "missing": 9,
    },
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(small_artifact(tmp_path_factory.mktemp("artifact") / "model"))


@pytest.fixture(scope="module")
def records(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = small_artifact(tmp_path_factory.mktemp("again") / "model")
    return json.loads((Path(folder) / "golden.json").read_text())["records"]


def test_usual_is_the_middle_or_the_most_common() -> None:
    keys = [column.key for column in contract().features]
    values = usual(contract(), read_histograms(REFERENCE)).values
    at = dict(zip(keys, values, strict=True))
    assert (at["age"], at["monthly_income"], at["job_role"]) == (36, 1500, "Media")
    # nothing is known: the example
    assert (at["distance_from_home"], at["job_level"]) == (50, "Mid")


def test_usual_needs_nothing_but_the_contract() -> None:
    for given in (small(), contract()):
        at = usual(given, {})
        assert all(
            value in column.values
            if not column.numeric
            else column.minimum <= value <= column.maximum
            for column, value in zip(given.features, at.values, strict=True)
        )


def test_a_change_is_what_the_model_says_of_the_changed_row(model: Model, records: Any) -> None:
    at = usual(model.contract, read_histograms(REFERENCE))
    numbers = Reader(model.contract).records(records).numbers
    scores = model.score_records(records)
    found = changes(model, numbers, scores, at)
    assert found.shape == (len(records), len(model.contract.features))
    for place, column in enumerate(model.contract.features):
        changed = [record | {column.key: at.values[place]} for record in records]
        again = score_matrix(
            model.session, encode(model.contract, read_records(model.contract, changed))
        )
        assert found[:, place] == pytest.approx(scores - again, abs=1e-6)


def test_the_strongest_are_named_in_order(model: Model, records: Any) -> None:
    at = usual(model.contract, read_histograms(REFERENCE))
    numbers = Reader(model.contract).records(records).numbers
    found = changes(model, numbers, model.score_records(records), at)
    said = in_words(model.contract, numbers, found, at)
    for row, reasons in enumerate(said):
        sizes = [abs(reason.change) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert len(reasons) <= 3
        assert sizes[0] == pytest.approx(np.abs(found[row]).max())
        assert all(reason.value == records[row][reason.field] for reason in reasons)


def test_nobody_unusual_has_no_reasons(model: Model) -> None:
    at = usual(model.contract, read_histograms(REFERENCE))
    record = dict(zip([c.key for c in model.contract.features], at.values, strict=True))
    numbers = Reader(model.contract).records([record]).numbers
    assert in_words(
        model.contract, numbers, changes(model, numbers, model.score_records([record]), at), at
    ) == [[]]


def test_the_words() -> None:
    given = contract()
    at = usual(given, read_histograms(REFERENCE))
    numbers = at.numbers[None, :].copy()
    place = [c.key for c in given.features].index("monthly_income")
    numbers[0, place] = 7300
    change = np.zeros(numbers.shape)
    change[0, place] = -0.0614
    [[reason]] = in_words(given, numbers, change, at)
    assert (
        reason.text
        == "Monthly Income is 7,300, usual is 1,500: lowers the probability by 6.1 points."
    )
    assert (reason.field, reason.name, reason.value, reason.usual) == (
        "monthly_income",
        "Monthly Income",
        7300,
        1500,
    )


def test_numbers_go_back_to_values() -> None:
    columns = {column.key: column for column in small().features}
    assert shown(columns["age"], 40.0) == 40
    assert shown(columns["weight"], 2.5) == 2.5
    assert shown(columns["tier"], 2.0) == "High"


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "very low"),
        (0.2499999, "very low"),
        (0.25, "low"),
        (0.4499, "low"),
        (0.45, "medium"),
        (0.65, "high"),
        (1.0, "high"),
    ],
)
def test_tiers(probability: float, expected: str) -> None:
    assert Tiers().of(probability) == expected
    assert contract().tiers.of(probability) == expected
