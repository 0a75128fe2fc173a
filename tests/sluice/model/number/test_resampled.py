"""How surely a ratio of two sums is known."""

import numpy as np
import pytest

from sluice.model.number.resampled import UNITS, Limits, gain_p_value, limits_of


def test_limits_of_a_mean_are_about_those_of_student() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = limits_of(values, np.ones(400), 0.05)
    reach = 1.649 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - reach, abs=0.02)
    assert found.high == pytest.approx(values.mean() + reach, abs=0.02)


def test_they_hold_as_often_as_they_say_where_errors_are_skewed() -> None:
    chance = np.random.default_rng(2)
    held = [
        limits_of(chance.lognormal(0.0, 1.0, 200), np.ones(200), 0.05).low <= np.exp(0.5)
        for _ in range(150)
    ]
    assert 0.88 <= np.mean(held) <= 0.99


def test_equal_rows_give_equal_limits_and_many_rows_are_joined() -> None:
    values = np.random.default_rng(3).normal(0.0, 1.0, 3 * UNITS)
    found = limits_of(values, np.ones(len(values)), 0.05)
    assert found == limits_of(values, np.ones(len(values)), 0.05)
    assert found.high - found.value == pytest.approx(1.645 / np.sqrt(len(values)), rel=0.1)


def test_rows_that_belong_together_widen_limits() -> None:
    values = np.repeat(np.random.default_rng(4).normal(0.0, 1.0, 50), 8)
    alone = limits_of(values, np.ones(400), 0.05)
    together = limits_of(values, np.ones(400), 0.05, np.repeat(np.arange(50), 8))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_what_does_not_vary_is_known_and_too_few_units_tell_nothing() -> None:
    assert limits_of(np.full(20, 2.0), np.ones(20), 0.05) == Limits(2.0, 2.0, 2.0)
    assert limits_of(np.array([1.0, 2.0]), np.ones(2), 0.05).high == np.inf
    assert limits_of(np.ones(9), np.zeros(9), 0.05).low == -np.inf


def test_a_gain_is_found_and_none_is_not() -> None:
    chance = np.random.default_rng(5)
    assert gain_p_value(chance.normal(0.3, 1.0, 300)) < 0.001
    assert gain_p_value(chance.normal(-0.3, 1.0, 300)) == 1.0
    assert gain_p_value(np.zeros(300)) == 1.0


def test_a_gain_that_no_draw_reaches_has_the_bound_of_such_sums() -> None:
    sure = gain_p_value(np.ones(200))
    assert sure == pytest.approx(np.exp(-100.0))
    assert gain_p_value(np.array([1.0, 1.0, 1.0])) == pytest.approx(1 / 8, abs=0.02)


def test_it_errs_as_often_as_it_says() -> None:
    chance = np.random.default_rng(6)
    low = [gain_p_value(chance.standard_t(3, 60)) <= 0.1 for _ in range(200)]
    assert 0.04 <= np.mean(low) <= 0.17
