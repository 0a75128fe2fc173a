"""A loaded artifact: the same scores in any way of asking, and nothing loaded that is not whole."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import tomli_w
from support.gate_cases import matrix, trained
from support.model_artifacts import small_artifact

from sluice.errors import Refused, UsageError
from sluice.policy import FAMILIES
from sluice.served.encoding import InvalidFields
from sluice.served.scoring import Model, load_model, open_session, score_matrix


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("scoring") / "model")


@pytest.fixture(scope="module")
def model(artifact: Path) -> Model:
    return load_model(artifact)


@pytest.fixture
def copied(artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifact, tmp_path / "model"))


def test_a_loaded_model_answers_as_it_did_when_it_was_made(model: Model, artifact: Path) -> None:
    golden = json.loads((artifact / "golden.json").read_text(encoding="utf-8"))
    scores = model.score_records(golden["records"])
    assert model.threshold == golden["threshold"] == 0.5
    assert (scores.dtype, scores.shape) == (np.float64, (50,))
    np.testing.assert_allclose(scores, golden["scores"], rtol=0, atol=1e-6)


def test_one_at_a_time_or_together(model: Model, artifact: Path) -> None:
    records = json.loads((artifact / "golden.json").read_text(encoding="utf-8"))["records"]
    together = model.score_records(records)
    single = np.concatenate([model.score_records([record]) for record in records])
    np.testing.assert_allclose(single, together, rtol=0, atol=1e-6)
    assert ((single >= model.threshold) == (together >= model.threshold)).all()
    assert model.score_records([]).shape == (0,)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_do_not_depend_on_the_rows_beside_or_on_threads(family: str) -> None:
    features = matrix()[0]
    whole = score_matrix(open_session(trained(family).model), features)
    threaded = open_session(trained(family).model, threads=2)
    parts = np.concatenate([score_matrix(threaded, part) for part in np.array_split(features, 37)])
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-6)


def test_a_record_that_is_not_allowed_is_refused(model: Model) -> None:
    with pytest.raises(InvalidFields, match="Age"):
        model.score_records([{}])


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ("", "operating_point"),
        ("[operating_point]", "threshold"),
        ("operating_point = 3", "threshold"),
        ("[operating_point", "policy.toml"),
        ("[operating_point]\nthreshold = 1", "is 1"),
        ("[operating_point]\nthreshold = '0.5'", "'0.5'"),
        ("[operating_point]\nthreshold = 1.01", "1.01"),
        ("[operating_point]\nthreshold = -0.01", "-0.01"),
        ("[operating_point]\nthreshold = nan", "nan"),
        ("[operating_point]\nthreshold = true", "True"),
    ],
)
def test_an_artifact_without_a_threshold_is_not_loaded(
    copied: Path, policy: str, word: str
) -> None:
    (copied / "policy.toml").write_text(policy)
    with pytest.raises(UsageError) as caught:
        load_model(copied)
    assert str(copied / "policy.toml") in caught.value.what
    assert word in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("threshold", ["0.0", "1.0", "0.4412"])
def test_a_threshold_is_a_share(copied: Path, threshold: str) -> None:
    (copied / "policy.toml").write_text(
        tomli_w.dumps({"operating_point": {"threshold": float(threshold)}})
    )
    assert load_model(copied).threshold == float(threshold)


def test_an_artifact_whose_contract_is_damaged_is_not_loaded(copied: Path) -> None:
    (copied / "contract.toml").write_text("schema = 9")
    with pytest.raises(UsageError, match=r"contract\.toml"):
        load_model(copied)


def test_a_model_that_points_at_another_file_is_not_loaded(copied: Path) -> None:
    (copied / "weights").write_bytes(bytes(64))
    loaded = onnx.load_from_string((copied / "model.onnx").read_bytes())
    tensor = loaded.graph.initializer.add(name="w", data_type=1, dims=[16], data_location=1)
    tensor.external_data.add(key="location", value="weights")
    (copied / "model.onnx").write_bytes(loaded.SerializeToString())
    with pytest.raises(Refused, match="another file"):
        load_model(copied)


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_a_model_cut_short_is_refused(copied: Path, kept: float) -> None:
    whole = (copied / "model.onnx").read_bytes()
    (copied / "model.onnx").write_bytes(
        whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
    )
    with pytest.raises(Refused):
        load_model(copied)
