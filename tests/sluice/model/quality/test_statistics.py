"""Statistics of one model, against scikit-learn, statsmodels and the plain definitions."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from sluice.model.quality.statistics import (
    average_precision,
    brier,
    calibration_error,
    calibration_gap,
    roc_auc,
    roc_auc_interval,
    roc_auc_variance,
    wilson,
    wilson_high,
    wilson_low,
)


def drawn(rows: int = 400, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores that know something of them."""
    random = np.random.default_rng(2)
    labels = (random.random(rows) < 0.4).astype(np.int64)
    scores = np.clip(0.3 * labels + random.random(rows) * 0.7, 0, 1)
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize(("found", "of"), [(30, 50), (0, 9), (9, 9), (7_084, 14_900)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_wilson_is_that_of_statsmodels(found: int, of: int, level: float) -> None:
    expected = proportion_confint(found, of, alpha=1 - level, method="wilson")
    assert wilson(found, of, level) == pytest.approx(expected, abs=1e-12)
    assert wilson_low(found, of, (1 - level) / 2) == pytest.approx(expected[0], abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson_low(0, 0, 0.05) == 0.0
    assert wilson(30, 50) == wilson(30, 50, 0.95)


@pytest.mark.parametrize("ties", [False, True])
def test_areas_and_scores_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = drawn(ties=ties)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(
        average_precision_score(labels, scores), abs=1e-12
    )
    assert brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_of_the_area_by_definition(ties: bool) -> None:
    labels, scores = drawn(80, ties)
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    spread = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(
        negative
    )
    reach = 1.959963984540054 * np.sqrt(spread)
    assert roc_auc_interval(labels, scores) == pytest.approx(
        (wins.mean() - reach, wins.mean() + reach)
    )
    narrow, wide = roc_auc_interval(labels, scores, 0.9), roc_auc_interval(labels, scores, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_interval_of_the_area_at_the_edges() -> None:
    labels = np.array([1, 1, 0, 0, 0])
    assert roc_auc_interval(labels, np.array([0.9, 0.8, 0.3, 0.2, 0.1])) == (1.0, 1.0)
    assert roc_auc_interval(labels, np.array([0.1, 0.2, 0.8, 0.7, 0.9])) == (0.0, 0.0)
    assert roc_auc_interval(np.array([1, 0, 0]), np.array([0.9, 0.5, 0.1])) == (0.0, 1.0)
    assert roc_auc_interval(np.array([1, 1, 0]), np.array([0.9, 0.5, 0.1])) == (0.0, 1.0)
    assert roc_auc_interval(np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.5, 0.4])) == (0.0, 1.0)
    low, high = roc_auc_interval(*drawn(30))
    assert 0 <= low < high <= 1


def test_calibration_error_is_the_mean_gap_over_equal_parts() -> None:
    scores = np.repeat(np.linspace(0.05, 0.95, 10), 20)
    labels = np.zeros(200, dtype=np.int64)
    for part in range(10):
        labels[part * 20 : part * 20 + 2 * part + 1] = 1
    assert calibration_error(labels, scores) == pytest.approx(0, abs=1e-12)
    assert calibration_error(labels, np.clip(scores + 0.03, 0, 1)) == pytest.approx(0.03)
    assert calibration_error(labels, scores - 0.03) == pytest.approx(0.03)
    assert calibration_error(labels, np.full(200, 0.5), parts=1) == pytest.approx(0.0)


def test_calibration_error_of_few_rows() -> None:
    assert calibration_error(np.array([1, 0, 1]), np.array([0.9, 0.2, 0.7])) == pytest.approx(
        (0.1 + 0.2 + 0.3) / 3
    )


def test_calibration_error_weighs_parts_by_their_rows() -> None:
    labels, scores = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.1, 0.1, 0.5, 0.5])
    assert calibration_error(labels, scores, parts=2) == pytest.approx((3 * 0.1 + 2 * 0.5) / 5)


def test_average_precision_where_positives_come_first() -> None:
    assert average_precision(np.array([1, 1, 0, 0]), np.array([0.9, 0.8, 0.2, 0.1])) == 1.0
    assert average_precision(np.array([0, 1]), np.array([0.9, 0.1])) == 0.5


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels of both classes and scores on a coarse grid, so that there are ties."""
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), max_size=40))
    labels, grid = zip(*[*rows, (0, 3), (1, 11)], strict=True)
    return np.array(labels), np.array(grid) / 20


@given(judged())
def test_areas_are_those_of_scikit_learn_whatever_the_ties(
    of: tuple[np.ndarray, np.ndarray],
) -> None:
    assert roc_auc(*of) == pytest.approx(roc_auc_score(*of), abs=1e-12)
    assert average_precision(*of) == pytest.approx(average_precision_score(*of), abs=1e-12)


@given(judged(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_area(
    of: tuple[np.ndarray, np.ndarray], random: Random
) -> None:
    order = list(range(len(of[0])))
    random.shuffle(order)
    labels, scores = of[0][order], of[1][order]
    assert roc_auc(labels, scores) == pytest.approx(roc_auc(*of), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision(*of), abs=1e-12)
    assert roc_auc_interval(labels, scores) == pytest.approx(roc_auc_interval(*of), abs=1e-12)


@given(judged())
def test_only_the_ranking_counts_for_an_area_and_turned_round_it_is_the_rest(
    of: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = of
    assert roc_auc(labels, scores**3) == pytest.approx(roc_auc(labels, scores), abs=1e-12)
    assert roc_auc(labels, 1 - scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-12)
    assert roc_auc(1 - labels, scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-12)


@given(judged())
def test_the_interval_of_the_area_holds_the_area(of: tuple[np.ndarray, np.ndarray]) -> None:
    low, high = roc_auc_interval(*of)
    assert 0 <= low <= roc_auc(*of) + 1e-12
    assert roc_auc(*of) - 1e-12 <= high <= 1


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.5, 0.999))
def test_the_interval_of_a_share_holds_it_and_mirrors_that_of_the_rest(
    successes: int, failures: int, level: float
) -> None:
    trials = successes + failures
    low, high = wilson(successes, trials, level)
    if trials:
        assert low - 1e-12 <= successes / trials <= high + 1e-12
    mirrored = wilson(failures, trials, level)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.integers(0, 100), st.integers(1, 100))
def test_more_of_the_same_rows_make_the_limit_higher(successes: int, failures: int) -> None:
    once = wilson_low(successes, successes + failures, 0.05)
    twice = wilson_low(2 * successes, 2 * (successes + failures), 0.05)
    assert twice >= once - 1e-12
    one_more = wilson_low(successes + 1, successes + failures, 0.05)
    assert one_more > once


@given(judged())
def test_errors_of_calibration_and_brier_are_shares(of: tuple[np.ndarray, np.ndarray]) -> None:
    assert 0 <= calibration_error(*of) <= 1
    assert 0 <= brier(*of) <= 1
    labels = of[0]
    assert calibration_error(labels, labels.astype(float)) == 0
    assert brier(labels, 1.0 - labels) == 1
    # By Jensen's inequality the squared gap of a part is at most its mean squared distance.
    assert calibration_error(*of, parts=1) ** 2 <= brier(*of) + 1e-12


# --- what chance adds
# -----------------------------------------------------------------------------


def _drawn(rows: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores that are this much too high, everywhere alike."""
    random = np.random.default_rng(seed)
    chances = random.uniform(0.1, 0.7, rows)
    return (random.random(rows) < chances).astype(int), chances + gap


@pytest.mark.parametrize("rows", [300, 1_000, 12_000])
@pytest.mark.parametrize("gap", [0.0, 0.05, 0.12])
def test_the_gap_has_no_part_of_chance_and_its_limits_hold(rows: int, gap: float) -> None:
    gaps = [calibration_gap(*_drawn(rows, gap, seed), 0.05) for seed in range(200)]
    if gap:
        assert np.mean([one.value for one in gaps]) == pytest.approx(gap, abs=0.2 / rows**0.5)
        assert np.mean([one.high >= gap for one in gaps]) >= 0.9
    assert np.mean([one.low <= gap for one in gaps]) >= 0.9
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in gaps)


def test_a_perfect_model_on_few_rows_has_a_calibration_error_and_hardly_a_gap() -> None:
    draws = [_drawn(300, 0.0, seed) for seed in range(100)]
    assert np.mean([calibration_error(*draw) for draw in draws]) > 0.05
    assert np.mean([calibration_gap(*draw, 0.05).low for draw in draws]) < 0.003


def test_the_upper_limit_of_a_share_mirrors_the_lower() -> None:
    assert wilson_high(3, 10, 0.05) == pytest.approx(1 - wilson_low(7, 10, 0.05))
    assert (wilson_high(0, 0, 0.05), wilson_high(5, 5, 0.05)) == (1.0, 1.0)


def test_the_variance_of_an_area_is_that_of_many_draws() -> None:
    draws = [_drawn(400, 0.0, seed) for seed in range(400)]
    areas = [roc_auc(*draw) for draw in draws]
    told = np.mean([roc_auc_variance(*draw) for draw in draws])
    assert told == pytest.approx(np.var(areas), rel=0.2)
    assert roc_auc_variance(np.array([1, 0, 0]), np.array([0.3, 0.1, 0.2])) == np.inf
