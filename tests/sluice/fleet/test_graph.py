"""The graph of a fleet: each row is scored by the weights of its key, and the weights come back."""

from pathlib import Path

import numpy as np
import pytest
from support.model_artifacts import small_artifact

from sluice.errors import Refused
from sluice.fleet.graph import Weights, graph_of, weights_of
from sluice.fleet.teaching import Fit
from sluice.served.scoring import open_session, score_matrix


def fleet(models: int, columns: int) -> Weights:
    chance = np.random.default_rng(1)
    weights = chance.normal(size=(models, columns))
    weights[:, 0] = 0.0
    return Weights(weights, chance.normal(size=models))


@pytest.mark.parametrize("missing", [False, True])
def test_a_row_is_scored_by_the_model_of_its_key(missing: bool) -> None:
    own = fleet(7, 5)
    keys = np.array([6, 0, 3, 3, 1, 5, 2, 4])
    chance = np.random.default_rng(2)
    features = chance.normal(size=(8, 5)).astype(np.float32)
    features[:, 0] = keys
    if missing:
        features[2, 3] = np.nan
    session = open_session(graph_of(own, 0, missing=missing))
    scores = score_matrix(session, features)
    for row, key in enumerate(keys):
        alone = Fit(own.weights[key], float(own.intercepts[key]))
        assert scores[row] == pytest.approx(alone.scores(features[[row]])[0], abs=1e-6)
        assert score_matrix(session, features[[row]])[0] == scores[row]


def test_the_place_of_a_key_is_no_quantity() -> None:
    own = fleet(3, 4)
    own.weights[:, 0] = 5.0
    session = open_session(graph_of(own, 0, missing=False))
    score = score_matrix(session, np.array([[2, 0, 0, 0]], dtype=np.float32))[0]
    assert score == pytest.approx(1 / (1 + np.exp(-own.intercepts[2])), abs=1e-6)


def test_the_weights_come_back_as_they_were_and_equal_ones_give_equal_bytes() -> None:
    own = fleet(4, 6)
    content = graph_of(own, 0, missing=True)
    back = weights_of(content)
    assert (back.weights == own.weights).all()
    assert (back.intercepts == own.intercepts).all()
    assert graph_of(own, 0, missing=True) == content


def test_another_model_has_no_weights_of_a_fleet(tmp_path: Path) -> None:
    folder = small_artifact(tmp_path / "model")
    with pytest.raises(Refused, match="none of a fleet"):
        weights_of((folder / "model.onnx").read_bytes())
    with pytest.raises(Refused, match="none of a fleet"):
        weights_of(b"no model at all")
