"""Curves agree with scikit-learn, name no row, and say what they should about a known model."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

from models.attrition import sample
from sluice.model.diagnostics import Scorer, curve_points, learning_curve, permutation_importance
from sluice.model.model_card import model_card
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import Columns, read_records
from sluice.served.statements import statements

CONTRACT = Path(__file__).parents[3] / "models" / "attrition" / "contract.toml"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(CONTRACT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    chance = random.random(20_000)
    return (random.random(20_000) < chance).astype(int), chance


def test_the_curves_have_the_area_that_scikit_learn_measures(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = scored
    found = curve_points(labels, scores)
    roc, curve = found["roc"], found["precision_recall"]
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)
    steps = np.diff([0.0, *curve["recall"]])
    assert steps @ curve["precision"] == pytest.approx(
        average_precision_score(labels, scores), abs=5e-3
    )


def test_a_point_of_the_curve_is_what_a_threshold_gives(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = scored
    curve = curve_points(labels, scores)["precision_recall"]
    for place in (10, 100, 150):
        flagged = round(curve["recall"][place] * labels.sum() / curve["precision"][place])
        chosen = scores >= np.sort(scores)[-flagged]
        assert precision_score(labels, chosen) == pytest.approx(curve["precision"][place], abs=1e-3)
        assert recall_score(labels, chosen) == pytest.approx(curve["recall"][place], abs=1e-3)


def test_points_are_few_json_and_never_single_rows(scored: tuple[np.ndarray, np.ndarray]) -> None:
    found = json.loads(json.dumps(curve_points(*scored)))
    assert len(found["precision_recall"]["recall"]) <= 200
    few = curve_points(np.array([0, 1] * 15), np.linspace(0, 1, 30))
    assert len(few["precision_recall"]["recall"]) <= 6
    assert all(cell["rows"] >= 5 for cell in few["calibration"])


def test_tied_scores_are_cut_together() -> None:
    found = curve_points(np.array([1, 0] * 50), np.full(100, 0.5))
    assert found["precision_recall"] == {"recall": [1.0], "precision": [0.5]}


def test_calibration_of_a_true_probability_lies_on_the_diagonal(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    cells = curve_points(*scored)["calibration"]
    assert len(cells) == 10
    assert sum(cell["rows"] for cell in cells) == 20_000
    assert all(abs(cell["share"] - cell["score"]) < 0.04 for cell in cells)
    assert all(cell["interval"][0] <= cell["share"] <= cell["interval"][1] for cell in cells)


def test_only_columns_that_the_model_looks_at_are_important(contract: Contract) -> None:
    columns = read_records(
        contract, [_record(contract, age) for age in np.random.default_rng(1).integers(18, 60, 400)]
    )
    labels = (columns["age"] > 40).astype(int)
    found = permutation_importance(
        lambda c: c["age"] / 100, columns, labels, contract, seed=5, repeats=3, rows=300
    )
    assert found[0]["column"] == "Age" and found[0]["mean"] > 0.2
    assert all(entry["mean"] == 0.0 and entry["std"] == 0.0 for entry in found[1:])
    assert len(found) == len(contract.features)


def test_importance_uses_no_more_rows_than_it_may(contract: Contract) -> None:
    seen = []

    def score(columns: Columns) -> np.ndarray:
        seen.append(len(columns["age"]))
        return columns["age"] / 100

    columns = read_records(contract, [_record(contract, age) for age in range(18, 60)])
    permutation_importance(score, columns, np.arange(42) % 2, contract, seed=5, repeats=1, rows=20)
    assert set(seen) == {20}


def test_learning_on_more_rows_is_shown_in_order() -> None:
    random = np.random.default_rng(2)
    matrix = random.normal(size=(400, 2))
    labels = (matrix[:, 0] > 0).astype(int)
    seen = []

    def fit(x: np.ndarray, y: np.ndarray) -> Scorer:
        seen.append({tuple(row) for row in x})
        return lambda z: z[:, 0]

    found = learning_curve(fit, matrix, labels, matrix, labels, (1.0, 0.1, 0.5), seed=1)
    assert [entry["rows"] for entry in found] == [40, 200, 400]
    assert all(entry["validation"] == 1.0 for entry in found)
    assert seen[0] < seen[1] < seen[2]


def test_the_card_holds_nothing_of_the_holdout_and_no_duration(contract: Contract) -> None:
    metrics = {
        "threshold": 0.4412,
        "rows": {"train": 44_699, "validation": 14_900, "holdout": 11_111},
        "holdout": {"recall": 0.7631},
        "validation": {"recall": 0.7522, "precision": 0.685},
        "cross_validation": {"roc_auc": {"mean": 0.8, "std": 0.003}},
    }
    trials = [
        {
            "number": 0,
            "family": "logistic_regression",
            "parameters": {},
            "score": 0.8,
            "seconds": 12.345,
        }
    ]
    tuning = {
        "winner": {"family": "logistic_regression", "parameters": {"C": 0.5}},
        "trials": trials,
    }
    card = model_card(
        contract,
        metrics,
        tuning,
        {"gate": {"recall_floor": 0.72}},
        {"data": "sha256:ab | <script>"},
    )
    assert "0.7522" in card and "44,699" in card and "gate.recall_floor | 0.72" in card
    for word in ("0.7631", "11,111", "12.345", "PROMOTE", "holdout", "<script>"):
        assert word not in card
    assert all(column.name in card for column in (*contract.features, *contract.role("protected")))
    assert "A person decides" in card


def test_the_card_of_a_bare_model_still_reads(contract: Contract) -> None:
    assert "## Limits" in model_card(contract, {}, {}, {}, {})
    assert set(statements(contract)) == {"use", "misuse", "limits", "duties"}


def _record(contract: Contract, age: int) -> dict[str, object]:
    record: dict[str, object] = {column.key: column.example for column in contract.features}
    return record | {
        "age": int(age),
        "years_at_company": int(age) % 9,
        "company_tenure": 20 + int(age) % 7,
    }


def test_the_sample_has_the_columns_these_tests_speak_of(contract: Contract) -> None:
    header = sample.to_csv(sample.generate(10)).decode().splitlines()[0]
    assert header.split(",") == [column.name for column in contract.columns]
