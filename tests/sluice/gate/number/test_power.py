"""What a holdout of numbers can tell, beside what the test of a gain finds."""

import numpy as np
import pytest

from sluice.gate.number.power import detectable, report, rows_needed
from sluice.model.number.resampled import gain_p_value


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
