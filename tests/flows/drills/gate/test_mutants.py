"""Models made bad on purpose: what changes is what was asked for, and they load and score like any
other.
"""

import itertools
from pathlib import Path

import numpy as np
import pytest
from support import deliveries, parcels
from support.gate_cases import matrix, trained

from flows.drills.gate.mutants import bent, blurred, lowered, mixed, turned
from sluice.model.fit.conversion import scores_of
from sluice.served.encoding import encode
from sluice.served.scoring import open_session, score_matrix

FAMILIES = ("logistic_regression", "gradient_boosting")


def score(model: bytes) -> np.ndarray:
    return score_matrix(open_session(model), matrix()[0])


def a_level() -> tuple[int, int, np.ndarray]:
    """A whole-numbered feature, a value of it, and the rows that have it."""
    features = matrix()[0]
    place = next(p for p, values in enumerate(features.T) if 2 < len(np.unique(values)) < 10)
    level = int(np.unique(features[:, place])[1])
    return place, level, features[:, place] == level


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_follow_the_curve(family: str) -> None:
    model = trained(family).model
    before, points = score(model), [(0.0, 0.2), (0.4, 0.3), (0.4001, 0.8), (1.0, 0.5)]
    assert np.allclose(
        score(bent(model, points)), np.interp(before, *zip(*points, strict=True)), atol=1e-3
    )
    assert np.allclose(score(bent(model, [(0.0, 0.0), (1.0, 1.0)])), before, atol=1e-6)
    twice = bent(bent(model, [(0.0, 0.0), (1.0, 0.5)]), [(0.0, 0.0), (1.0, 0.5)])
    assert np.allclose(score(twice), before / 4, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_order_is_turned_around_in_its_place(family: str) -> None:
    model = trained(family).model
    before = score(model)
    low, high = np.quantile(before, [0.3, 0.6])
    after = score(bent(model, turned(float(low), float(high))))
    inside = (before > low + 1e-3) & (before < high - 1e-3)
    assert np.allclose(
        after[~inside & ((before < low) | (before > high))],
        before[~inside & ((before < low) | (before > high))],
        atol=1e-3,
    )
    assert np.corrcoef(before[inside], after[inside])[0, 1] < -0.99
    assert (after[inside] > low - 1e-3).all()
    assert (after[inside] < high + 1e-3).all()
    assert all(x < y for (x, _), (y, _) in itertools.pairwise(turned(0.0, 0.5)))


def test_a_group_is_lowered_and_no_other() -> None:
    model = trained(FAMILIES[0]).model
    place, level, member = a_level()
    before, after = score(model), score(lowered(model, place, (level, level), 0.2))
    assert np.allclose(after[member], np.maximum(before[member] - 0.2, 0), atol=1e-6)
    assert np.allclose(after[~member], before[~member], atol=1e-6)


def test_a_part_of_the_probabilities_of_several_classes_becomes_that_of_others(
    tmp_path: Path,
) -> None:
    artifact = parcels.artifact(tmp_path / "parcels")
    model = (artifact / "model.onnx").read_bytes()
    rows = encode(parcels.contract(), parcels.columns(200))
    before, others = scores_of(model, rows), np.array([0.5, 0.3, 0.2])
    after = scores_of(mixed(model, others, 0.25), rows)
    assert np.allclose(after, 0.75 * before + 0.25 * others, atol=1e-6)
    assert np.allclose(after.sum(axis=1), 1.0, atol=1e-6)


def test_of_a_number_what_is_moved_is_its_share_of_the_range(tmp_path: Path) -> None:
    artifact = deliveries.artifact(tmp_path / "deliveries")
    model = (artifact / "model.onnx").read_bytes()
    rows = encode(deliveries.contract(), deliveries.columns(200))
    quantity = deliveries.QUANTITY
    shares = quantity.shares(scores_of(model, rows, quantity))
    moved = bent(model, [(0.0, 0.1), (1.0, 0.6)])
    after = quantity.shares(scores_of(moved, rows, quantity))
    assert np.allclose(after, 0.1 + 0.5 * shares, atol=1e-5)


def test_noise_is_the_same_for_a_row_alone() -> None:
    model, features = trained(FAMILIES[0]).model, matrix()[0]
    weights = np.where((features % 1 == 0).all(axis=0), np.arange(3, 3 + features.shape[1]), 0)
    noisy = blurred(model, weights, 0.3)
    before, after = score(model), score(noisy)
    assert 0.05 < np.abs(after - before).mean() < 0.3
    assert abs(float((after - before).mean())) < 0.02
    session = open_session(noisy)
    alone = np.concatenate([score_matrix(session, features[[row]]) for row in range(50)])
    assert np.abs(alone - after[:50]).max() < 1e-6
