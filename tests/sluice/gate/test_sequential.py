"""A use that goes on: its e-value is one, its level holds over twenty looks, and it finds a point
of recall in time.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sluice.gate import spending
from sluice.gate.paired import Pairs, better
from sluice.gate.power import positives_needed
from sluice.gate.sequential import log_e_value, rows_needed

GAIN = 0.01  # the margin of the shipped policy
LEVEL = 0.05
LOOKS = 20  # after the first one


@given(
    side=st.integers(1, 60),
    share=st.floats(0.0, 1.0),
    positives=st.integers(120, 5_000),
    gain=st.floats(0.001, 0.1),
)
def test_the_mean_of_the_e_value_is_one_if_neither_is_better(
    side: int, share: float, positives: int, gain: float
) -> None:
    discordant = round(share * 2 * side)
    counts = np.arange(max(0, discordant - side), min(discordant, side) + 1)
    chances = stats.hypergeom.pmf(counts, 2 * side, discordant, side)
    logarithms = [
        log_e_value(Pairs(int(gained), int(discordant - gained), positives, side), gain)
        for gained in counts
    ]
    assert float(chances @ np.exp(logarithms)) == pytest.approx(1.0, rel=1e-6)
    assert logarithms == sorted(logarithms)  # more gained is more evidence


def test_models_that_do_not_differ_tell_nothing() -> None:
    for pairs in (Pairs(0, 0, 500, 0), Pairs(0, 0, 500, 7), Pairs(7, 7, 500, 7)):
        assert log_e_value(pairs, GAIN) == 0.0
        assert rows_needed(pairs, GAIN, 0.01) is None


def test_models_that_flag_different_numbers_of_rows_have_no_e_value() -> None:
    with pytest.raises(ValueError, match="equal numbers are required"):
        log_e_value(Pairs(5, 2, 500), GAIN)


@pytest.mark.parametrize("times", [1, 3, 10])
def test_so_many_rows_of_the_same_reach_the_level(times: int) -> None:
    pairs = Pairs(60 * times, 40 * times, 1_500 * times, 110 * times)
    needed = rows_needed(pairs, GAIN, 0.001)
    assert needed is not None
    grown = needed / pairs.rows
    same = Pairs(
        math.ceil(pairs.gained * grown),
        math.ceil(pairs.lost * grown),
        needed,
        math.ceil(110 * times * grown),
    )
    assert log_e_value(same, GAIN) == pytest.approx(math.log(1000), rel=0.15)


def test_a_lead_of_less_than_half_the_gain_is_never_shown() -> None:
    assert rows_needed(Pairs(520, 480, 10_000, 1_050), GAIN, 0.05) is None
    assert rows_needed(Pairs(580, 480, 10_000, 1_110), GAIN, 0.05) is not None


def test_a_lead_of_just_more_is_shown_after_very_many_rows() -> None:
    assert rows_needed(Pairs(529, 480, 10_000, 1_050), GAIN, 0.05) is None
    assert rows_needed(Pairs(532, 480, 10_000, 1_050), GAIN, 0.05) == 75_703


# Rows come in batches, and of each either model flags as many alone. In a real holdout the cut of
# the candidate moves with every batch: benchmarks/going_on.py draws rows and cuts.


def _walks(random: np.random.Generator, sizes: list[int], gain: float, draws: int) -> np.ndarray:
    """Whether each of so many uses ends with "better", at whichever look; shape (draws,)."""
    prevalence, discordant = 0.476, 0.07
    gained, side, before = np.zeros((draws, 2), dtype=int), 0, 0
    shown = np.zeros(draws, dtype=bool)
    for look, size in enumerate(sizes):
        alone = round((size - before) * discordant / 2 / prevalence)
        shift = gain * (size - before) / 2 / alone
        gained = gained + random.binomial(
            alone, [prevalence + shift, prevalence - shift], (draws, 2)
        )
        side, before = side + alone, size
        shown |= _shown(gained, side, size, first=look == 0)
    return shown


def _shown(gained: np.ndarray, side: int, positives: int, *, first: bool) -> np.ndarray:
    """What the rule `better` says of each table; equal tables are asked once."""
    tables, place = np.unique(gained, axis=0, return_inverse=True)
    said = np.zeros(len(tables), dtype=bool)
    spread = np.sqrt(tables.sum(axis=1) + 1.0)
    # Who leads by less than one and a half of these is far from any level here.
    near = np.flatnonzero(tables[:, 0] - tables[:, 1] > 1.2 * spread)
    for number in near:
        pairs = Pairs(int(tables[number, 0]), int(tables[number, 1]), positives, side)
        if first:
            said[number] = better(pairs) <= spending.first_level(LEVEL, 0)
        else:
            said[number] = log_e_value(pairs, GAIN) >= -math.log(spending.later_level(LEVEL, 0))
    return said[place.ravel()]


def _sizes(first: float) -> list[int]:
    """So many positives at each look, from a part of those at which the fixed test has a power of
    0.8 for one point, to twice these.
    """
    fixed = positives_needed(0.01, 0.07, spending.level_of(LEVEL, 0), positive_share=0.476)
    return [round(fixed * part) for part in np.linspace(first, 2.0, LOOKS + 1)]


def test_twenty_later_looks_at_equal_models_promote_at_no_more_than_the_level_of_the_use() -> None:
    shown = _walks(np.random.default_rng(1), _sizes(0.25), 0.0, 10_000)
    level = spending.level_of(LEVEL, 0)
    assert shown.mean() <= level
    assert shown.mean() >= level / 5  # it does look


@pytest.mark.parametrize("first", [0.1, 0.5])
def test_one_point_is_found_within_twice_the_rows_of_the_fixed_test(first: float) -> None:
    shown = _walks(np.random.default_rng(2), _sizes(first), 0.01, 1_000)
    assert shown.mean() >= 0.8
