"""The model artifact: complete, the same bytes again, and golden records that find another model
out.
"""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.gate_cases import CONTRACT, POLICY, SMALL, columns, contract, small, trained
from support.model_artifacts import small_artifact, trained_metrics

from sluice.errors import Refused, SluiceError
from sluice.identity import folder_hash
from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import Texts, read_reference
from sluice.policy import load_policy
from sluice.served.contract import load_contract
from sluice.served.encoding import encode, layout, read_records
from sluice.served.scoring import Model

REFERENCE = {"ä": Texts(values={"é": 7})}
PARTS: dict[str, Any] = {"reference": REFERENCE, "metrics": trained_metrics(), "card": "# Card\n"}


class Session:
    """An ONNX session that gives the same probabilities whatever it is asked."""

    def __init__(self, score: float) -> None:
        self.score = score

    def run(self, outputs: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        rows = len(given["features"])
        return [np.column_stack([np.full(rows, 1 - self.score), np.full(rows, self.score)])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("artifact") / "model"
    place.mkdir()
    model_artifact.write(
        place,
        model_artifact.Parts(trained("gradient_boosting").model, CONTRACT, POLICY, 0.4375, **PARTS),
    )
    return place


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_it_holds_exactly_its_files_and_stands_alone(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(model_artifact.FILES)
    assert (folder / "contract.toml").read_text(encoding="utf-8") == CONTRACT
    assert (folder / "model.onnx").read_bytes() == trained("gradient_boosting").model
    assert read(folder / "reference.json") == {
        "ä": {"kind": "text", "values": {"é": 7}, "missing": 0}
    }
    assert read_reference((folder / "reference.json").read_bytes()) == REFERENCE
    shipped = (folder / "policy.toml").read_text(encoding="utf-8")
    assert tomllib.loads(shipped)["operating_point"]["threshold"] == 0.4375
    assert load_policy(shipped) == load_policy(POLICY)


def test_the_same_parts_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    model = trained("gradient_boosting").model
    for name, threshold in (("again", 0.4375), ("other", 0.4376)):
        (tmp_path / name).mkdir()
        model_artifact.write(
            tmp_path / name, model_artifact.Parts(model, CONTRACT, POLICY, threshold, **PARTS)
        )
    assert folder_hash(tmp_path / "again") == folder_hash(folder) != folder_hash(tmp_path / "other")


def test_golden_records_are_allowed_by_the_contract_clear_of_the_threshold_and_of_both_kinds(
    folder: Path,
) -> None:
    golden = read(folder / "golden.json")
    assert len(golden["records"]) == len(golden["scores"]) == 50
    assert encode(contract(), read_records(contract(), golden["records"])).shape[0] == 50
    assert {key for record in golden["records"] for key in record} == {
        column.key for column in contract().features
    }
    assert min(abs(score - 0.4375) for score in golden["scores"]) > 1e-4
    assert {score >= 0.4375 for score in golden["scores"]} == {True, False}
    assert len({json.dumps(record) for record in golden["records"]}) == 50


def test_golden_records_are_found_again_and_no_real_person_is_among_them(folder: Path) -> None:
    assert model_artifact.check_golden(folder) == 0.0
    real = {
        tuple(values)
        for values in zip(*(columns()[c.key].tolist() for c in contract().features), strict=True)
    }
    made = {
        tuple(record[c.key] for c in contract().features)
        for record in read(folder / "golden.json")["records"]
    }
    assert not made & real


@pytest.mark.parametrize("name", ["Weight", "Age"])
def test_golden_records_stay_inside_narrow_limits(name: str) -> None:
    narrow = SMALL.replace("minimum = -1.5, maximum = 250", "minimum = 0.12345, maximum = 0.12355")
    of = load_contract(narrow.replace("minimum = -5, maximum = 90", "minimum = 40, maximum = 41"))
    found = model_artifact.golden(Model(of, 0.5, Session(0.9), layout(of))).records
    column = of.find(name)
    assert column is not None
    assert all(column.minimum <= record[column.key] <= column.maximum for record in found)


def test_golden_records_use_every_value_and_the_whole_range() -> None:
    found = model_artifact.golden(
        Model(small(), 0.5, Session(0.9), layout(small())), count=200
    ).records
    for column in small().features:
        seen = {record[column.key] for record in found}
        assert column.numeric or seen == set(column.values)
        assert len(seen) > 1
    assert max(record["age"] for record in found) > 70
    assert all(isinstance(record["age"], int) for record in found)


def test_a_model_without_an_answer_has_no_golden_records() -> None:
    with pytest.raises(Refused, match="every golden score is at the threshold"):
        model_artifact.golden(Model(small(), 0.5, Session(0.50001), layout(small())), count=3)


def test_another_model_is_found_out(folder: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    (changed / "model.onnx").write_bytes(trained("logistic_regression").model)
    with pytest.raises(SluiceError, match="golden records: the scores differ by") as caught:
        model_artifact.check_golden(changed)
    assert caught.value.fix


GOLDEN = model_artifact.Golden(threshold=0.5, records=({}, {}), scores=(0.2, 0.7))


@pytest.mark.parametrize(
    "scores",
    [
        [0.2, 0.70001],
        [0.2, float("nan")],
        [0.2],
        [0.2, 0.7, 0.7],
        [],
        [0.7, 0.2],
        [0.2, float("inf")],
    ],
)
def test_scores_that_are_not_the_golden_ones_are_refused(scores: list[float]) -> None:
    with pytest.raises(SluiceError, match="golden records"):
        model_artifact.compare_golden(GOLDEN, np.array(scores))


def test_scores_within_the_tolerance_pass_unless_an_answer_turns() -> None:
    assert model_artifact.compare_golden(GOLDEN, np.array([0.2, 0.7 + 9e-7])) == pytest.approx(9e-7)
    near = model_artifact.Golden(threshold=0.5, records=({},), scores=(0.5,))
    with pytest.raises(SluiceError):
        model_artifact.compare_golden(near, np.array([0.5 - 5e-7]))


def test_golden_records_of_nothing_prove_nothing() -> None:
    nothing = model_artifact.Golden(threshold=0.5, records=(), scores=())
    with pytest.raises(SluiceError):
        model_artifact.compare_golden(nothing, np.array([]))


def test_groups_are_values_bands_and_what_is_missing() -> None:
    rows = [
        {"Spend": spend, "Tier": tier}
        for spend, tier in ((0, "Low"), (10, None), (100.5, "High"), (None, "Mid"))
    ]
    rest = {"Age": 40, "Weight": 70, "Visits": 1, "Region": "N", "Pays-Late?": False}
    read = read_records(small(), [rest | row for row in rows]) | {
        "sex": np.array(["F", "M", "F", "M"], dtype=object)
    }
    groups = model_artifact.segment_groups(small(), read)
    assert {name: values.tolist() for name, values in groups.items()} == {
        "sex": ["F", "M", "F", "M"],
        "tier": ["Low", "missing", "High", "Mid"],
        "spend": ["under 10", "10 to under 100.5", "100.5 and over", "missing"],
    }


def test_groups_of_the_shipped_contract() -> None:
    groups = model_artifact.segment_groups(contract(), columns())
    assert set(groups) == {"gender", "marital_status", "age_band", "job_level"}
    bands = {"under 25", "25 to under 35", "35 to under 45", "45 to under 55", "55 and over"}
    assert set(groups["age_band"]) == bands
    assert all(len(values) == 2_000 for values in groups.values())


def test_a_small_artifact_is_a_real_one(tmp_path: Path) -> None:
    small_artifact(tmp_path / "model", seed=5)
    assert model_artifact.check_golden(tmp_path / "model") < 1e-6
