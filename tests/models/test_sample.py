"""The embedded default data: the same bytes everywhere, and the shape and strength of the published
table.
"""

import hashlib
import itertools
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.attrition import sample

NUMBERS = ["Age", "Years at Company", "Monthly Income", "Distance from Home", "Company Tenure"]
CATEGORIES = [name for name in sample.CHOICES if name not in {"Gender", "Marital Status"}]

# column: the limits, then the quartiles of the published table
RANGES = {
    "Age": (18, 28, 39, 49, 59),
    "Years at Company": (1, 7, 13, 23, 51),
    "Monthly Income": (1300, 5658, 7354, 8880, 16200),
    "Distance from Home": (1, 25, 50, 75, 99),
    "Company Tenure": (2, 36, 56, 76, 130),
}
# share of the rows that left, in the published table
LEFT = {
    ("Gender", "Female"): 0.532,
    ("Gender", "Male"): 0.429,
    ("Marital Status", "Single"): 0.668,
    ("Marital Status", "Married"): 0.361,
    ("Job Level", "Entry"): 0.632,
    ("Job Level", "Senior"): 0.203,
    ("Remote Work", "Yes"): 0.249,
    ("Work-Life Balance", "Poor"): 0.601,
    ("Education Level", "PhD"): 0.249,
}


@pytest.fixture(scope="module")
def generated() -> pd.DataFrame:
    """The default table, all rows."""
    return pd.DataFrame(sample.generate())


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """The published table, where the environment says where it is."""
    place = os.environ.get("SLUICE_REAL_DATA")
    if not place:
        pytest.skip(
            "needs the real file: set SLUICE_REAL_DATA to employee_attrition.csv or its folder"
        )
    path = Path(place)
    return pd.read_csv(path / "employee_attrition.csv" if path.is_dir() else path)


def test_the_bytes_are_those_the_shipped_pointer_names() -> None:
    pointer = tomllib.loads(
        (Path(__file__).parents[2] / "data" / "attrition.toml").read_text("utf-8")
    )
    first, second = (sample.to_csv(sample.generate()) for _ in range(2))
    assert pointer == {
        "reference": f"sample:{sample.__name__}",
        "sha256": hashlib.sha256(first).hexdigest(),
        "rows": sample.ROWS,
    }
    assert first == second


def test_fewer_rows_are_the_first_rows_of_more(generated: pd.DataFrame) -> None:
    few = sample.generate(5000)
    pd.testing.assert_frame_equal(pd.DataFrame(few), generated.head(5000))
    assert all(len(column) == 0 for column in sample.generate(0).values())


def test_another_seed_is_a_fresh_draw_of_the_same_world() -> None:
    one, other = (pd.DataFrame(sample.generate(20_000, seed)) for seed in (101, 102))
    assert np.mean(one["Attrition"] == other["Attrition"]) < 0.55
    assert np.mean(one["Attrition"] == "Left") == pytest.approx(
        np.mean(other["Attrition"] == "Left"), abs=0.02
    )


def test_the_csv_reads_back_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "employees.csv"
    sample.main([str(target), "--rows", "300", "--seed", "7"])
    assert target.read_bytes() == sample.to_csv(sample.generate(300, 7))
    assert [path.name for path in tmp_path.iterdir()] == ["employees.csv"]
    assert "300 rows" in capsys.readouterr().out
    expected = pd.DataFrame(sample.generate(300, 7))
    pd.testing.assert_frame_equal(pd.read_csv(target), expected, check_dtype=False)


@pytest.mark.parametrize("arguments", ["missing/employees.csv", "employees.csv --rows 0"])
def test_what_cannot_be_written_is_said_in_a_sentence(
    arguments: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        sample.main(arguments.split())
    assert arguments.removeprefix("employees.csv ") in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_columns_ids_and_values_are_as_published(generated: pd.DataFrame) -> None:
    assert tuple(generated.columns) == sample.NAMES
    assert generated.shape == (74_498, 24)
    assert not generated.isna().any(axis=None)
    assert generated["Employee ID"].tolist() == list(range(1, 74_499))
    for name, table in sample.CHOICES.items():
        assert set(generated[name]) == set(table)
    assert "Bachelor\N{RIGHT SINGLE QUOTATION MARK}s Degree" in set(generated["Education Level"])


def test_every_table_of_shares_is_whole() -> None:
    assert {sum(share for share, _ in table.values()) for table in sample.CHOICES.values()} == {
        1000
    }


def test_shares_and_quartiles_are_the_published_ones(generated: pd.DataFrame) -> None:
    for name, table in sample.CHOICES.items():
        shares = generated[name].value_counts(normalize=True)
        for value, (share, _) in table.items():
            assert shares[value] == pytest.approx(share / 1000, abs=0.008), (name, value)
    for name, (low, *quartiles, high) in RANGES.items():
        column = generated[name]
        assert column.between(low, high).all(), name
        spread = (high - low) * 0.02
        assert np.quantile(column, [0.25, 0.5, 0.75]) == pytest.approx(quartiles, abs=spread), name


def test_columns_depend_on_each_other_as_published(generated: pd.DataFrame) -> None:
    assert (generated["Age"] - generated["Years at Company"] >= 8).all()
    assert (generated["Company Tenure"] - generated["Years at Company"]).between(1, 79).all()
    for role, (mean, deviation) in sample.INCOME.items():
        income = generated.loc[generated["Job Role"] == role, "Monthly Income"]
        assert income.mean() == pytest.approx(mean, rel=0.01)
        assert income.std() == pytest.approx(deviation, rel=0.03)


def test_who_leaves_is_as_published(generated: pd.DataFrame) -> None:
    left = generated["Attrition"] == "Left"
    assert left.mean() == pytest.approx(0.4755, abs=0.01)
    for (name, value), share in LEFT.items():
        assert left[generated[name] == value].mean() == pytest.approx(share, abs=0.02), (
            name,
            value,
        )


def test_associations_are_those_of_the_real_file(
    generated: pd.DataFrame, real: pd.DataFrame
) -> None:
    difference = (_associations(generated) - _associations(real)).abs()
    assert len(difference) == 23 * 22 / 2
    assert difference.max() < 0.05, difference.idxmax()


def test_a_model_of_one_file_ranks_the_other(generated: pd.DataFrame, real: pd.DataFrame) -> None:
    from sklearn.metrics import roc_auc_score

    for trained, judged in ((generated, real), (real, generated)):
        scores = (
            _logistic().fit(_matrix(trained), _labels(trained)).predict_proba(_matrix(judged))[:, 1]
        )
        assert roc_auc_score(_labels(judged), scores) >= 0.78


@pytest.mark.parametrize("family", ["logistic regression", "boosting"])
def test_a_pipeline_ends_where_it_does_on_the_real_file(
    family: str, generated: pd.DataFrame, real: pd.DataFrame
) -> None:
    make = _logistic if family == "logistic regression" else _boosting
    assert _strength(generated, make()) == pytest.approx(_strength(real, make()), abs=0.02)


def _labels(table: pd.DataFrame) -> NDArray[np.bool_]:
    return (table["Attrition"] == "Left").to_numpy()


def _associations(table: pd.DataFrame) -> "pd.Series[float]":
    """Cramer's V of every pair of columns but the id; numbers in tenths."""
    codes = {
        name: pd.factorize(pd.qcut(table[name], 10) if name in NUMBERS else table[name])[0]
        for name in sample.NAMES[1:]
    }
    pairs = itertools.combinations(codes, 2)
    return pd.Series(
        {f"{one} / {other}": _cramers_v(codes[one], codes[other]) for one, other in pairs}
    )


def _cramers_v(one: NDArray[Any], other: NDArray[Any]) -> float:
    width = int(other.max()) + 1
    counts = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width).reshape(
        -1, width
    )
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    chi2 = ((counts - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / counts.sum() / (min(counts.shape) - 1)))


def _matrix(table: pd.DataFrame) -> NDArray[np.float64]:
    """The features: numbers first, then the place of each other value in its table."""
    codes = [
        pd.Categorical(table[name], categories=list(sample.CHOICES[name])).codes
        for name in CATEGORIES
    ]
    return np.column_stack([table[NUMBERS], *codes]).astype(float)


def _logistic() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

    bins = KBinsDiscretizer(10, quantile_method="averaged_inverted_cdf")
    numbers, categories = slice(len(NUMBERS)), slice(len(NUMBERS), None)
    encoder = make_column_transformer((bins, numbers), (OneHotEncoder(), categories))
    return make_pipeline(encoder, LogisticRegression(max_iter=300))


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(learning_rate=0.15, max_iter=80, max_leaf_nodes=8)


def _strength(table: pd.DataFrame, model: Any) -> dict[str, float]:
    """Holdout metrics, the mean of five turns of train (60 %), validation and holdout; threshold
    from validation.
    """
    matrix, labels = _matrix(table), _labels(table)
    turns = [_turn(matrix, labels, model, (np.arange(len(table)) + turn) % 5) for turn in range(5)]
    return {name: float(np.mean([turn[name] for turn in turns])) for name in turns[0]}


def _turn(
    matrix: NDArray[np.float64], labels: NDArray[np.bool_], model: Any, part: NDArray[np.int64]
) -> dict[str, float]:
    from sklearn.metrics import (
        average_precision_score,
        brier_score_loss,
        precision_score,
        roc_auc_score,
    )

    model.fit(matrix[part > 1], labels[part > 1])
    scores = model.predict_proba(matrix)[:, 1]
    flagged = scores[part == 0] >= _threshold(labels[part == 1], scores[part == 1])
    truth, scores = labels[part == 0], scores[part == 0]
    return {
        "precision": precision_score(truth, flagged),
        "recall": flagged[truth].mean(),
        "roc_auc": roc_auc_score(truth, scores),
        "average_precision": average_precision_score(truth, scores),
        "brier": brier_score_loss(truth, scores),
    }


def _threshold(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The lowest one whose precision is at least 0.685, which is the one of the highest recall."""
    from sklearn.metrics import precision_recall_curve

    precision, _, thresholds = precision_recall_curve(labels, scores)
    return float(thresholds[precision[:-1] >= 0.685].min())
