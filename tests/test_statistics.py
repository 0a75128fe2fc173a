"""Intervals and tests against other ways of computing them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import roc_auc_score

from sluice.statistics import mcnemar_greater, roc_auc_interval, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "level", "expected"),
    [
        # R. Newcombe (1998), table I, method 3.
        (81, 263, 0.95, (0.2553, 0.3662)), (15, 148, 0.95, (0.0624, 0.1605)), (0, 20, 0.95, (0.0, 0.1611)),
        (1, 29, 0.95, (0.0061, 0.1718)), (20, 20, 0.95, (0.8389, 1.0)), (0, 0, 0.95, (0.0, 1.0)),
    ],
)  # fmt: skip
def test_wilson_gives_the_published_limits(
    successes: int, trials: int, level: float, expected: tuple[float, float]
) -> None:
    assert wilson(successes, trials, level) == pytest.approx(expected, abs=6e-5)


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n + 1))), st.sampled_from([0.8, 0.95])
)
@settings(max_examples=50, deadline=None)
def test_wilson_limits_are_where_the_score_test_turns(counts: tuple[int, int], level: float) -> None:
    successes, trials = counts
    share, z = successes / trials, stats.norm.ppf(0.5 + level / 2)

    def beyond(p: float) -> float:
        return (share - p) ** 2 - z**2 * p * (1 - p) / trials

    low, high = wilson(successes, trials, level)
    assert low == pytest.approx(optimize.brentq(beyond, 0, share), abs=1e-9)
    assert high == pytest.approx(optimize.brentq(beyond, share, 1), abs=1e-9)


@pytest.mark.parametrize("gained", range(8))
@pytest.mark.parametrize("lost", range(8))
def test_mcnemar_is_exact(gained: int, lost: int) -> None:
    """Every way in which the rows that differ could have fallen, counted."""
    ways = [sum(way) for way in itertools.product((0, 1), repeat=gained + lost)]
    expected = sum(found >= gained for found in ways) / len(ways)
    assert mcnemar_greater(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_mcnemar_says_nothing_about_nothing_and_finds_what_is_large() -> None:
    assert mcnemar_greater(0, 0) == 1.0
    assert mcnemar_greater(100, 50) < 1e-4 < 0.5 < mcnemar_greater(50, 100)
    tail = sum(math.comb(150, k) for k in range(100, 151)) / 2**150
    assert mcnemar_greater(100, 50) == pytest.approx(tail, rel=1e-9)


def scored(positives: int, negatives: int, seed: int, ties: bool = True) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [positives, negatives])
    scores = random.normal(labels * 0.8)
    order = random.permutation(len(labels))
    return labels[order], (scores.round(1) if ties else scores)[order]


@pytest.mark.parametrize(("positives", "negatives"), [(5, 5), (7, 40), (40, 7), (60, 50)])
@pytest.mark.parametrize("ties", [True, False])
def test_delong_is_the_variance_over_all_pairs(positives: int, negatives: int, ties: bool) -> None:
    labels, scores = scored(positives, negatives, seed=positives, ties=ties)
    one, zero = scores[labels == 1], scores[labels == 0]
    wins = (one[:, None] > zero[None, :]) + 0.5 * (one[:, None] == zero[None, :])
    variance = wins.mean(axis=1).var(ddof=1) / positives + wins.mean(axis=0).var(ddof=1) / negatives
    low, high = roc_auc_interval(labels, scores, 0.9)
    reach = stats.norm.ppf(0.95) * math.sqrt(variance)
    assert low == pytest.approx(max(0, wins.mean() - reach), abs=1e-12)
    assert high == pytest.approx(min(1, wins.mean() + reach), abs=1e-12)
    assert low < roc_auc_score(labels, scores) < high


def test_delong_is_about_as_wide_as_a_bootstrap() -> None:
    labels, scores = scored(300, 400, seed=1)
    random = np.random.default_rng(2)
    one, zero = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    areas = []
    for _ in range(400):
        rows = np.concatenate([random.choice(one, len(one)), random.choice(zero, len(zero))])
        ranks = stats.rankdata(scores[rows])[: len(one)].sum()
        areas.append((ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(zero)))
    np.testing.assert_allclose(roc_auc_interval(labels, scores), np.quantile(areas, [0.025, 0.975]), atol=0.012)


def test_delong_covers_the_true_area_as_often_as_it_says() -> None:
    true = stats.norm.cdf(0.8 / math.sqrt(2))
    found = [roc_auc_interval(*scored(80, 80, seed, ties=False), 0.9) for seed in range(300)]
    covered = np.mean([low <= true <= high for low, high in found])
    assert 0.85 <= covered <= 0.95


def test_an_area_at_its_end_has_an_interval_that_ends_there() -> None:
    labels = np.array([1] * 10 + [0] * 10)
    assert roc_auc_interval(labels, labels * 0.5) == (1.0, 1.0)
    assert roc_auc_interval(labels, 1.0 - labels) == (0.0, 0.0)
    low, high = roc_auc_interval(labels, np.full(20, 0.3))
    assert low == pytest.approx(0.5) == high
    assert 0.0 <= roc_auc_interval(*scored(5, 5, 3))[0] <= roc_auc_interval(*scored(5, 5, 3))[1] <= 1.0
