"""Models made bad on purpose: what changes is what was asked for, and they load and score like any
other.
"""

import itertools

import numpy as np
import pytest
from support.gate_cases import matrix, trained

from flows.drills.gate.mutants import bent, blurred, lowered, turned, unspoken
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


def test_a_group_gets_no_number() -> None:
    place, level, member = a_level()
    assert np.array_equal(
        np.isnan(score(unspoken(trained(FAMILIES[0]).model, place, (level, level)))), member
    )


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
