"""Evidence of a fall: rare where nothing falls, soon where something does, exact on small cases."""

import numpy as np
import pytest

from sluice.monitor.falls import DAYS, WEEKS, fall_evidence, loss_evidence, surely_below

YEARS = 400


def year(share: float, after: float, week: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Hits and trials of years in which a share moves at the beginning of a week."""
    random = np.random.default_rng(seed)
    trials = random.poisson(300 / 7, (YEARS, DAYS))
    shares = np.where(np.arange(DAYS) < 7 * week, share, after)
    return random.binomial(trials, shares), trials


def test_a_year_exactly_at_the_limit_raises_no_more_alarms_than_its_level() -> None:
    hits, trials = year(0.75, 0.75, 0)
    alarms = (fall_evidence(hits, trials, 0.75) >= 20).any(axis=1).mean()
    assert alarms <= 0.05


def test_the_mean_of_the_evidence_is_at_most_one() -> None:
    """The law that all of it rests on, worked out over every outcome of two days."""
    share, days = 0.6, [3, 4]
    total = 0.0
    for first in range(days[0] + 1):
        for second in range(days[1] + 1):
            evidence = fall_evidence(np.array([first, second]), np.array(days), share)[-1]
            total += _chance(first, days[0], share) * _chance(second, days[1], share) * evidence
    assert total == pytest.approx(1.0, abs=1e-9)


def _chance(hits: int, trials: int, share: float) -> float:
    from math import comb

    return comb(trials, hits) * share**hits * (1 - share) ** (trials - hits)


@pytest.mark.parametrize("week", [0, 26, 40])
def test_a_fall_is_found_soon_however_late_in_the_year_it_begins(week: int) -> None:
    hits, trials = year(0.75, 0.65, week)
    alarmed = fall_evidence(hits, trials, 0.73) >= 50
    found = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1), DAYS) - 7 * week
    assert np.median(found) <= 4 * 7
    assert np.quantile(found, 0.8) <= 6 * 7


def test_a_rise_is_no_fall() -> None:
    hits, trials = year(0.75, 0.85, 10)
    assert not (fall_evidence(hits, trials, 0.73) >= 20).any()


def test_days_without_labels_change_nothing() -> None:
    hits, trials = np.array([20, 0, 0, 25]), np.array([40, 0, 0, 40])
    evidence = fall_evidence(hits, trials, 0.75)
    assert evidence[0] == pytest.approx(evidence[1]) == pytest.approx(evidence[2])
    assert evidence[3] > evidence[0] > 1


@pytest.mark.parametrize("limit", [0.0, 0.01, 1.0])
def test_a_limit_at_an_end_is_finite(limit: float) -> None:
    evidence = fall_evidence(np.array([0, 5]), np.array([5, 5]), limit)
    assert np.isfinite(evidence).all()


def test_a_large_loss_is_found_and_the_promised_one_is_not() -> None:
    random = np.random.default_rng(2)
    losses = np.linspace(0, 1, 51)
    same = np.exp(-losses / 0.2)
    larger = np.exp(-losses / 0.3)
    promised = float(losses @ same / same.sum())
    quiet = random.multinomial(40, same / same.sum(), (YEARS, DAYS))
    worse = random.multinomial(40, larger / larger.sum(), DAYS)
    assert (loss_evidence(losses, quiet, promised).max(axis=1) >= 20).mean() <= 0.05
    assert loss_evidence(losses, worse, promised).max() >= 1_000


def test_what_a_share_is_surely_below_follows_the_fall() -> None:
    hits, trials = year(0.75, 0.55, 26)
    below = surely_below(hits[0], trials[0], 0.02)
    assert below.shape == (DAYS,)
    assert 0.85 < below[0] <= 1
    assert 0.75 < below[25 * 7] < 0.9
    assert below[-1] < 0.62
    assert (np.diff(below) <= 0).all()


def test_the_stake_of_a_year_is_spent_in_its_weeks() -> None:
    """After the last week nobody begins to bet: what is held only moves with what is seen."""
    hits, trials = np.zeros(DAYS + 14), np.zeros(DAYS + 14)
    evidence = fall_evidence(hits, trials, 0.5)
    assert evidence == pytest.approx(np.ones(DAYS + 14))
    assert WEEKS * 7 == DAYS
