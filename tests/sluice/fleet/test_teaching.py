"""The models of a shard: taught as scikit-learn would, each from its own rows alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sluice.fleet.parcels import packed, unpacked
from sluice.fleet.teaching import FAMILY, Rows, crossed, fit, folds_of, strengths_tried, teach

COLUMNS = 6


def rows(count: int, seed: int) -> Rows:
    """Rows with one column that says nothing, one large one, and some missing numbers."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(count, COLUMNS)).astype(np.float32)
    features[:, 0] = 0.0
    features[:, 1] = 20_000 + 9_000 * features[:, 1]
    logits = features[:, 2] - 0.8 * features[:, 3] + (features[:, 1] - 20_000) / 9_000
    labels = (chance.random(count) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    features[chance.random(count) < 0.1, 4] = np.nan
    hashes = chance.integers(0, 2**63, count).astype(np.uint64)
    return Rows(features, labels, hashes)


@pytest.mark.parametrize("strength", [0.3, 30.0])
def test_a_model_is_that_of_scikit_learn(strength: float) -> None:
    one = rows(400, 1)
    filled = np.nan_to_num(one.features.astype(np.float64))
    scaled = StandardScaler().fit_transform(filled)
    other = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=1000).fit(scaled, one.labels)
    mine = fit(one.features, one.labels, strength).scores(one.features)
    assert mine == pytest.approx(other.predict_proba(scaled)[:, 1], abs=1e-6)


def test_classes_that_a_column_tells_apart_still_give_numbers() -> None:
    features = np.repeat([[-1.0], [1.0]], 20, axis=0).astype(np.float32)
    labels = np.repeat([0, 1], 20)
    scores = fit(features, labels, 0.3).scores(features)
    assert np.isfinite(scores).all()
    assert scores[:20].max() < 0.1
    assert scores[20:].min() > 0.9


def test_each_fold_has_rows_of_both_classes_whatever_the_order_of_the_rows() -> None:
    labels = np.array([0] * 20 + [1] * 5)
    hashes = np.random.default_rng(2).integers(0, 2**63, 25).astype(np.uint64)
    numbers = folds_of(labels, hashes, 5)
    for fold in range(5):
        assert set(labels[numbers == fold]) == {0, 1}
    turned = folds_of(labels[::-1], hashes[::-1], 5)[::-1]
    assert (turned == numbers).all()


def test_a_fold_is_not_learnt_from() -> None:
    """Labels without any relation to the features are ranked by chance."""
    chance = np.random.default_rng(3)
    features = chance.normal(size=(60, 40)).astype(np.float32)
    labels = np.arange(60) % 2
    numbers = folds_of(labels, chance.integers(0, 2**63, 60).astype(np.uint64), 5)
    assert np.mean(crossed(features, labels, numbers, 0.3).areas) < 0.75


def test_a_shard_teaches_each_model_from_its_own_rows() -> None:
    models = [rows(200, seed) for seed in range(3)]
    parcel = packed(
        {
            "features": np.concatenate([one.features for one in models]),
            "labels": np.concatenate([one.labels for one in models]),
            "hashes": np.concatenate([one.hashes for one in models]),
            "starts": np.array([0, 200, 400, 600]),
            "strength": np.array(3.0),
            "folds": np.array(4),
        }
    )
    found = unpacked(teach(parcel))
    assert found["weights"].shape == (3, COLUMNS)
    assert found["areas"].shape == (3, 4)
    alone = fit(models[1].features, models[1].labels, 3.0)
    assert (found["weights"][1] == alone.weights).all()
    assert found["intercepts"][1] == alone.intercept
    assert teach(parcel) == teach(parcel)


def test_a_penalty_is_tried_on_every_drawn_model() -> None:
    trials = strengths_tried([rows(150, 1), rows(150, 2)], 3)
    assert [trial.family for trial in trials] == [FAMILY] * len(trials)
    assert len({trial.parameters["strength"] for trial in trials}) == len(trials)
    assert all(len(trial.folds) == 3 for trial in trials)


def test_a_parcel_holds_no_objects() -> None:
    with pytest.raises(ValueError, match="names holds objects"):
        packed({"names": np.array(["a", None], dtype=object)})
