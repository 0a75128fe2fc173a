"""Curves agree with scikit-learn, name no row, and say what they should about a known model."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import structs
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score
from support.gate_cases import small
from support.model_artifacts import trained_metrics

from models.attrition import sample
from sluice.model.artifact.model_card import model_card
from sluice.model.fit.training import trial_of, tuning_of
from sluice.model.quality.diagnostics import (
    Part,
    Scorer,
    Shuffling,
    curve_points,
    learn,
    learning_sets,
    permutation_importance,
    protected_cost,
    with_protected,
)
from sluice.model.quality.diagnostics_file import PrecisionRecall, RankingQuality
from sluice.model.quality.metrics_file import Measures, TrainedRows
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import (
    as_numbers,
    assemble,
    encode,
    feature_names,
    layout,
    read_records,
)
from sluice.served.statements import statements

CONTRACT = Path(__file__).parents[4] / "models" / "attrition" / "contract.toml"


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
    found = curve_points(labels, scores, 0.9)
    roc, curve = found.roc, found.precision_recall
    area = np.trapezoid(roc.true_positive_rate, roc.false_positive_rate)
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)
    steps = np.diff([0.0, *curve.recall])
    assert steps @ np.array(curve.precision) == pytest.approx(
        average_precision_score(labels, scores), abs=5e-3
    )


def test_a_point_of_the_curve_is_what_a_threshold_gives(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = scored
    curve = curve_points(labels, scores, 0.9).precision_recall
    for place in (10, 100, 150):
        flagged = round(curve.recall[place] * labels.sum() / curve.precision[place])
        chosen = scores >= np.sort(scores)[-flagged]
        assert precision_score(labels, chosen) == pytest.approx(curve.precision[place], abs=1e-3)
        assert recall_score(labels, chosen) == pytest.approx(curve.recall[place], abs=1e-3)


def test_points_are_few_json_and_never_single_rows(scored: tuple[np.ndarray, np.ndarray]) -> None:
    found = json.loads(json.dumps(msgspec.to_builtins(curve_points(*scored, 0.9))))
    assert len(found["precision_recall"]["recall"]) <= 200
    few = curve_points(np.array([0, 1] * 15), np.linspace(0, 1, 30), 0.9)
    assert len(few.precision_recall.recall) <= 6
    assert all(cell.rows >= 5 for cell in few.calibration)


def test_tied_scores_are_cut_together() -> None:
    found = curve_points(np.array([1, 0] * 50), np.full(100, 0.5), 0.9)
    assert found.precision_recall == PrecisionRecall(recall=(1.0,), precision=(0.5,))


def test_calibration_of_a_true_probability_lies_on_the_diagonal(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    cells = curve_points(*scored, 0.9).calibration
    assert len(cells) == 10
    assert sum(cell.rows for cell in cells) == 20_000
    assert all(abs(cell.share - cell.score) < 0.04 for cell in cells)
    assert all(cell.interval[0] <= cell.share <= cell.interval[1] for cell in cells)


def numbered(contract: Contract, ages: Iterable[int]) -> tuple[np.ndarray, list[str], int]:
    """A row of numbers for each age, the names of their columns, and the place of the age."""
    columns = read_records(contract, [_record(contract, age) for age in ages])
    names = [column.name for column in contract.features]
    return as_numbers(contract, columns), names, names.index("Age")


def test_only_columns_that_the_model_looks_at_are_important(contract: Contract) -> None:
    ages = np.random.default_rng(1).integers(18, 60, 400)
    numbers, names, age = numbered(contract, ages)
    labels = (ages > 40).astype(int)
    found = permutation_importance(
        lambda rows: rows[:, age] / 100, numbers, labels, names, Shuffling(5, repeats=3, rows=300)
    )
    assert found[0].column == "Age" and found[0].mean > 0.2
    assert all(entry.mean == 0.0 and entry.std == 0.0 for entry in found[1:])
    assert len(found) == len(contract.features)


def test_importance_uses_no_more_rows_than_it_may(contract: Contract) -> None:
    seen = []
    numbers, names, age = numbered(contract, range(18, 60))

    def score(rows: np.ndarray) -> np.ndarray:
        seen.append(len(rows))
        return rows[:, age] / 100

    permutation_importance(
        score, numbers, np.arange(42) % 2, names, Shuffling(5, repeats=1, rows=20)
    )
    assert set(seen) == {20}


def test_shuffling_numbers_is_shuffling_the_column_that_they_stand_for(contract: Contract) -> None:
    """A text has its place among the values; what is derived of a column is derived anew."""
    records = [_record(contract, age) for age in range(18, 60)]
    columns = read_records(contract, records)
    order = np.random.default_rng(4).permutation(len(records))
    numbers = as_numbers(contract, columns)
    for place, column in enumerate(contract.features):
        shuffled = numbers.copy()
        shuffled[:, place] = numbers[order, place]
        expected = encode(contract, {**columns, column.key: columns[column.key][order]})
        assert np.array_equal(assemble(layout(contract), shuffled), expected)


class FirstColumn:
    """A model that scores a row by its first feature."""

    def score(self, features: np.ndarray, /) -> np.ndarray:
        return features[:, 0]


def test_learning_on_more_rows_is_shown_in_order() -> None:
    random = np.random.default_rng(2)
    matrix = random.normal(size=(400, 2))
    labels = (matrix[:, 0] > 0).astype(int)
    seen = []
    counted = []

    def fit(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Scorer:
        seen.append({tuple(row) for row in x})
        counted.append(weights)
        return FirstColumn()

    rows = Part(matrix, labels, np.arange(400.0))
    sets = learning_sets(labels, (1.0, 0.1, 0.5), seed=1)
    found = [learn(fit, rows, rows, chosen) for chosen in sets]
    assert [entry.point.rows for entry in found] == [40, 200, 400]
    assert all(entry.point.validation == 1.0 for entry in found)
    assert all(np.array_equal(entry.scores, matrix[:, 0]) for entry in found)
    assert seen[0] < seen[1] < seen[2]
    assert all(np.array_equal(w, chosen) for w, chosen in zip(counted, sets, strict=True))


def test_a_share_with_one_class_only_is_left_out() -> None:
    labels = np.array([1, *[0] * 99])
    assert [len(chosen) for chosen in learning_sets(labels, (0.01, 1.0), seed=1)] == [100]


def test_the_cost_of_protection_is_read_at_the_same_share_of_flagged_rows() -> None:
    labels = np.array([1, 1, 0, 0])
    without, with_them = np.array([0.9, 0.2, 0.8, 0.1]), np.array([0.9, 0.8, 0.2, 0.1])
    cost = protected_cost(["Gender"], without, with_them, labels, share=0.5)
    assert cost.columns == ("Gender",)
    assert cost.without == RankingQuality(roc_auc=0.75, recall=0.5)
    assert cost.with_them == RankingQuality(roc_auc=1.0, recall=1.0)


def test_protected_columns_are_fed_where_their_cost_is_measured(contract: Contract) -> None:
    opened = with_protected(contract)
    assert opened.role("protected") == ()
    fed = {column.name for column in opened.features}
    assert fed == {column.name for column in (*contract.features, *contract.role("protected"))}


@pytest.mark.parametrize(
    ("spec", "cells"),
    [
        ('kind = "category"\nvalues = ["Female", "Male"]', ["Female", None, "Male"]),
        ('kind = "ordinal"\nvalues = ["young", "old"]', ["young", None, "old"]),
        ('kind = "boolean"\nvalues = ["no", "yes"]', ["no", None, "yes"]),
        ('kind = "integer"\nminimum = 20\nmaximum = 60', [20.0, np.nan, 60.0]),
    ],
)
def test_empty_cells_of_a_protected_column_are_fed_too(spec: str, cells: list[object]) -> None:
    """An attribute that some people did not tell stopped the release at its evidence."""
    text = f"""schema = 2
[target]
column = "Left"
positive = "yes"
negative = "no"
[columns.Left]
role = "target"
kind = "category"
values = ["no", "yes"]
[columns.Size]
role = "feature"
kind = "integer"
minimum = 0
maximum = 9
example = 1
[columns.Told]
role = "protected"
missing = "keep"
{spec}
[columns.No]
role = "id"
kind = "category"
"""
    opened = with_protected(load_contract(text))
    kind = float if "minimum" in spec else object
    matrix = encode(opened, {"size": np.zeros(3), "told": np.array(cells, dtype=kind)})
    assert len(np.unique(matrix, axis=0)) == 3  # nothing is not one of the other two


def test_the_card_holds_what_was_measured_in_training(contract: Contract) -> None:
    trial = trial_of(0, "logistic_regression", {"C": 0.5}, [(0.8, 0.9)])
    metrics = structs.replace(
        trained_metrics(),
        threshold=0.4412,
        rows=TrainedRows(44_699, 21_000, 14_900, 7_000),
        validation=Measures(0.5, 0.685, 0.7522, 0.5, 0.5, 0.5, 0.5, 0.25),
    )
    card = model_card(
        contract,
        metrics,
        tuning_of([trial]),
        {"gate": {"recall_floor": 0.72}},
        {"data": "sha256:ab | <script>"},
    )
    for words in ("0.7522", "44,699", "gate.recall_floor | 0.72", "From 0.4412 on", "## Limits"):
        assert words in card
    for word in ("PROMOTE", "holdout", "<script>"):
        assert word not in card
    assert all(column.name in card for column in (*contract.features, *contract.role("protected")))
    assert "A person decides" in card
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


def test_empty_cells_of_a_protected_category_are_a_value_of_their_own() -> None:
    given = small()
    columns = tuple(
        replace(column, missing="keep") if column.role == "protected" else column
        for column in given.columns
    )
    opened = with_protected(replace(given, columns=columns))
    sex = opened.find("sex")
    assert sex is not None
    values = {column.key: np.array([column.example or 1.0]) for column in opened.features}
    values |= {
        column.key: np.array([column.values[0]]) for column in opened.features if column.values
    }
    found = encode(opened, {**values, "sex": np.array([None], dtype=object)})
    place = feature_names(opened).index("sex=(missing)")
    assert found[0, place] == 1.0
