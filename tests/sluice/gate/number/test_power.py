"""What a holdout of numbers can tell, beside what the test of a gain finds."""

import numpy as np
import pytest

from sluice.gate.number.power import (
    VARIATION,
    detectable,
    first_release,
    report,
    rows_needed,
    skilled_rows_needed,
)
from sluice.model.number.resampled import gain_p_value, limits_of


def test_the_rows_that_a_gain_needs_are_those_that_show_it() -> None:
    for gain in (0.005, 0.02, 0.1):
        rows = rows_needed(gain, 0.4, 0.025)
        assert detectable(rows, 0.4, 0.025) <= gain < detectable(rows - 1, 0.4, 0.025)


@pytest.mark.parametrize("gain", [0.0, -0.01, float("nan")])
def test_what_is_no_gain_needs_no_rows(gain: float) -> None:
    with pytest.raises(ValueError, match="is no gain"):
        rows_needed(gain, 0.4, 0.05)


def test_the_first_use_has_less_of_the_level_than_the_whole() -> None:
    told = report({"all": 900, "zone = city": 300}, 0.05, wanted=(0.02,))
    assert told.use_level < told.level
    assert [group.at_level < group.at_use for group in told.groups] == [True, True]
    assert told.groups[1].at_use == pytest.approx(told.groups[0].at_use * 3**0.5)
    [wanted] = told.wanted
    assert wanted.difference == 0.02
    assert wanted.at_level == rows_needed(0.02, 0.4, 0.05) == 2474
    assert wanted.at_use == rows_needed(0.02, 0.4, told.use_level)


@pytest.mark.parametrize("tails", [3, 30])
def test_the_smallest_gain_is_found_as_often_as_it_says(tails: int) -> None:
    """Gains of Student's distribution with heavy tails, and with hardly any."""
    rows, spread, error = 400, 0.4, 12.0
    told = report({"all": rows}, 0.05, spread=spread)
    drawn = np.random.default_rng(7).standard_t(tails, (300, rows))
    spreads = drawn / np.sqrt(tails / (tails - 2)) * spread
    gains = error * (spreads + told.groups[0].at_level)
    found = sum(gain_p_value(one) <= told.level for one in gains)
    # Three standard errors of 0.8 in 300 draws are 0.07; heavy tails are often less spread.
    assert 0.73 <= found / len(gains) <= 0.92


def linear(rows: int, skill: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How far the median and a linear model of this skill are off, of normal outcomes."""
    chance = np.random.default_rng(seed)
    left = 1.0 - skill
    known, other = chance.normal(size=(2, rows))
    outcomes = np.sqrt(1 - left**2) * known + left * other
    return np.abs(outcomes), left * np.abs(other)


@pytest.mark.parametrize(("floor", "above"), [(0.2, 0.05), (0.5, 0.05), (0.1, 0.1)])
def test_a_first_release_clears_its_floor_as_often_as_it_says(floor: float, above: float) -> None:
    needed = skilled_rows_needed(floor, above, 0.05)
    cleared = 0
    for seed in range(200):
        off, mine = linear(needed, floor + above, seed)
        cleared += limits_of(off - mine, off, 0.05).low > floor
    # Three standard errors of 0.8 in 200 draws are 0.085.
    assert 0.71 <= cleared / 200 <= 0.89


def test_what_a_first_release_is_told_agrees_with_itself() -> None:
    told = first_release(0.3, 900, 0.05, variation=0.9, holdout=0.2)
    assert (told.floor, told.rows, told.holdout) == (0.3, 900, 0.2)
    for need in told.needs:
        assert need.rows == skilled_rows_needed(0.3, need.above, 0.05, variation=0.9)
        assert need.times == need.rows / 900
    assert told.clears is not None
    enough = skilled_rows_needed(0.3, told.clears - 0.3, 0.05, variation=0.9)
    assert enough == pytest.approx(900, abs=1)
    below = skilled_rows_needed(told.highest, 0.3 - told.highest, 0.05, variation=0.9)
    assert below == pytest.approx(900, abs=1)


def test_few_rows_clear_no_floor_above_nothing() -> None:
    told = first_release(0.05, 10, 0.05)
    assert told.highest == 0.0
    assert told.clears is not None
    assert 0.05 < told.clears < 1
    near = first_release(0.95, 1_000, 0.05)
    assert [need.above for need in near.needs] == [0.01, 0.02, 0.03]


@pytest.mark.parametrize(("floor", "above"), [(0.3, 0.0), (0.3, -0.1), (0.9, 0.1), (0.9, 0.2)])
def test_a_skill_that_is_not_between_floor_and_one_is_none(floor: float, above: float) -> None:
    with pytest.raises(ValueError, match="are no floor and a skill above it"):
        skilled_rows_needed(floor, above, 0.05)


def test_of_normal_outcomes_it_is_known_how_much_a_median_varies() -> None:
    off = np.abs(np.random.default_rng(1).normal(size=1_000_000))
    assert off.std() / off.mean() == pytest.approx(VARIATION, rel=0.005)
