"""What a holdout can tell: against simulation, and there and back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.holdouts import LIMITS

from sluice.gate.paired import Pairs, recall_difference, unit_variance
from sluice.gate.power import (
    DISCORDANT,
    WHOLE,
    Group,
    Wanted,
    achieved,
    count,
    detectable,
    largest,
    margin_needed,
    positives_needed,
    report,
    saving,
)
from sluice.gate.spending import first_level


@pytest.mark.parametrize(
    ("positives", "gain", "discordant"),
    [(7_000, 0.01, 0.08), (2_000, 0.02, 0.06), (400, 0.06, 0.1)],
)
@pytest.mark.parametrize("level", [0.05, 0.0025])
def test_power_is_that_of_the_exact_test(
    positives: int, gain: float, discordant: float, level: float
) -> None:
    random = np.random.default_rng(1)
    more, less = (discordant + gain) / 2, (discordant - gain) / 2
    draws = random.multinomial(positives, [more, less, 1 - discordant], 20_000)
    found = (stats.binom.sf(draws[:, 0] - 1, draws[:, 0] + draws[:, 1], 0.5) <= level).mean()
    # exact is never bolder
    assert achieved(gain, positives, discordant, level) == pytest.approx(found, abs=0.035)


@pytest.mark.parametrize(
    ("positives", "gain", "discordant", "share"),
    [(7_000, 0.01, 0.074, 0.47), (1_000, 0.03, 0.1, 0.47), (2_000, 0.02, 0.08, 0.15)],
)
@pytest.mark.parametrize("level", [0.05, 0.0025])
def test_power_at_equal_counts_is_that_of_the_exact_test(
    positives: int, gain: float, discordant: float, share: float, level: float
) -> None:
    random, draws = np.random.default_rng(2), 20_000
    # How many rows differ is chance too; both sides are equal because the models are cut so.
    sides = discordant / share / 2
    side = random.poisson(sides * positives, draws)
    more, less = share + gain / sides / 2, share - gain / sides / 2
    gained, lost = random.binomial(side, more), random.binomial(side, less)
    found = (stats.hypergeom.sf(gained - 1, 2 * side, gained + lost, side) <= level).mean()
    told = achieved(gain, positives, discordant, level, positive_share=share)
    assert told == pytest.approx(found, abs=0.035)


def test_equal_counts_need_fewer_positives() -> None:
    alone, tied = (
        positives_needed(0.01, 0.074, 0.0025, positive_share=share) for share in (0.0, 0.47)
    )
    assert tied / alone == pytest.approx(0.53, abs=0.01)
    known = detectable(7_000, 0.074, 0.0025, positive_share=0.47)
    assert known is not None
    assert known < 0.01
    assert achieved(known, 7_000, 0.074, 0.0025, positive_share=0.47) == pytest.approx(0.8)


def test_a_gain_takes_as_many_rows_that_are_no_positives() -> None:
    assert largest(0.1) == largest(0.1, 0.2) == largest(0.1, 0.5) == 0.1
    assert largest(0.1, 0.8) == pytest.approx(0.025)
    assert detectable(100_000, 0.1, 0.05, positive_share=0.8) < 0.025
    with pytest.raises(ValueError, match="needs more discordant positives than"):
        positives_needed(0.03, 0.1, 0.05, positive_share=0.8)
    assert positives_needed(largest(0.625, 5 / 6), 0.625, 0.05, positive_share=5 / 6) > 0


def test_positives_needed_reach_the_power() -> None:
    for level in (0.05, 0.0025):
        needed = positives_needed(0.01, 0.08, level)
        assert achieved(0.01, needed, 0.08, level) >= 0.8
        assert achieved(0.01, needed - 1, 0.08, level) < 0.8
    assert positives_needed(0.01, 0.08, 0.05, 0.9) > positives_needed(0.01, 0.08, 0.05)


def test_positives_needed_as_published() -> None:
    # R. Connor (1987): discordant 0.4, difference 0.2, two-sided 0.05, power 0.9 takes 99 pairs, or
    # 100 rounded up.
    assert positives_needed(0.2, 0.4, 0.025, 0.9) in (99, 100, 101)


@pytest.mark.parametrize(("gain", "discordant"), [(0.0, 0.1), (-0.01, 0.1), (0.2, 0.1), (0.1, 1.1)])
def test_a_gain_that_cannot_be_is_said(gain: float, discordant: float) -> None:
    with pytest.raises(ValueError, match="needs more discordant positives than"):
        positives_needed(gain, discordant, 0.05)


def test_all_discordant_positives_may_be_gains() -> None:
    assert positives_needed(0.1, 0.1, 0.05) > 0
    assert positives_needed(1.0, 1.0, 0.05) >= 1


@pytest.mark.parametrize("level", [0.05, 0.0025])
def test_the_detectable_gain_is_found_with_the_power(level: float) -> None:
    gain = detectable(7_000, 0.08, level)
    assert gain is not None
    assert achieved(gain, 7_000, 0.08, level) == pytest.approx(0.8, abs=1e-6)
    assert positives_needed(gain, 0.08, level) == pytest.approx(7_000, abs=1)
    assert detectable(7_000, 0.08, level, 0.9) > gain


def test_too_few_rows_detect_nothing() -> None:
    assert detectable(0, 0.1, 0.05) is None
    assert detectable(10, 0.1, 0.05) is None
    edge = positives_needed(0.1, 0.1, 0.05)
    assert detectable(edge - 1, 0.1, 0.05) is None
    assert detectable(edge, 0.1, 0.05) == pytest.approx(0.1, abs=2e-3)


def test_certainty_is_certain() -> None:
    assert achieved(0.1, 10_000, 0.1, 0.05) == pytest.approx(1.0)
    assert achieved(0.0, 7_000, 0.08, 0.05) == pytest.approx(0.05)


# Their difference is so near to the margin that many are needed, and whole numbers have the shares.
@pytest.mark.parametrize(
    "pairs",
    [
        Pairs(500, 1_450, 100_000, 1_500),
        Pairs(500, 1_450, 100_000),
        Pairs(5_000, 5_950, 100_000, 9_000),
    ],
)
def test_so_many_positives_do_clear_the_margin_if_the_shares_stay(pairs: Pairs) -> None:
    needed = margin_needed(0.01, pairs.difference, unit_variance(pairs, -0.01), 0.05)
    assert needed is not None
    more, fewer = (_scaled(pairs, needed * change / pairs.rows) for change in (1.05, 0.95))
    assert recall_difference(more, 0.05).low > -0.01
    assert recall_difference(fewer, 0.05).low < -0.01


def _scaled(pairs: Pairs, times: float) -> Pairs:
    """The same shares of fewer or more rows, as nearly as whole numbers have them."""
    side = None if pairs.side is None else round(pairs.side * times)
    return Pairs(
        round(pairs.gained * times), round(pairs.lost * times), round(pairs.rows * times), side
    )


def test_the_margin_is_cleared_with_so_many_positives() -> None:
    needed = margin_needed(0.01, -0.004, 0.05, 0.05)
    assert needed is not None
    positives = np.array([needed, needed - 1])
    low = (-0.004 * positives - 0.25 - stats.norm.isf(0.05) * np.sqrt(0.05 * positives)) / positives
    assert low[0] >= -0.01 > low[1]
    assert margin_needed(0.01, -0.01, 0.05, 0.05) is None
    assert margin_needed(0.01, -0.02, 0.05, 0.05) is None
    assert margin_needed(0.0, 0.01, 0.05, 0.05) == margin_needed(0.01, 0.0, 0.05, 0.05)


def test_positives_are_counted_by_group() -> None:
    labels = np.array([1, 0, 1, 1])
    team = np.array(["a", "a", "b", "b"], dtype=object)
    assert count(labels, {"team": team}) == {WHOLE: 3, "team = a": 1, "team = b": 2}


FOURTH = first_level(0.05, 3)  # the level of the first look of the fourth use


def test_the_report_says_what_a_holdout_can_tell() -> None:
    found = report({WHOLE: 7_084, "team = a": 300, "team = b": 20}, 0.05, 4)
    assert (found.level, found.discordant, found.power) == (0.05, DISCORDANT, 0.8)
    assert found.use_level == FOURTH
    whole, few, none = found.groups
    assert whole == Group(
        WHOLE, 7_084, detectable(7_084, 0.1, 0.05), detectable(7_084, 0.1, FOURTH)
    )
    assert few.at_level < few.at_use
    assert (none.name, none.positives, none.at_level, none.at_use) == ("team = b", 20, None, None)
    assert [wanted.difference for wanted in found.wanted] == [0.005, 0.01, 0.02, 0.03, 0.05]
    assert found.wanted[1] == Wanted(
        0.01, positives_needed(0.01, 0.1, 0.05), positives_needed(0.01, 0.1, FOURTH)
    )


def test_only_the_whole_is_compared_at_equal_counts() -> None:
    found = report({WHOLE: 7_084, "team = a": 300}, 0.05, 4, positive_share=0.5)
    whole, few = found.groups
    assert found.positive_share == 0.5
    assert whole.at_use == detectable(7_084, 0.1, FOURTH, positive_share=0.5)
    assert whole.at_level == detectable(7_084, 0.1, 0.05, positive_share=0.5)
    assert few == Group("team = a", 300, detectable(300, 0.1, 0.05), detectable(300, 0.1, FOURTH))
    assert found.wanted[1] == Wanted(
        0.01,
        positives_needed(0.01, 0.1, 0.05, positive_share=0.5),
        positives_needed(0.01, 0.1, FOURTH, positive_share=0.5),
    )
    short = report({WHOLE: 7_084}, 0.05, 4, positive_share=0.8)
    assert [wanted.difference for wanted in short.wanted] == [0.005, 0.01, 0.02]


def test_the_report_leaves_out_what_cannot_be() -> None:
    found = report({WHOLE: 100}, 0.05, 1, discordant=0.02, power=0.9, wanted=(0.01, 0.02, 0.05))
    assert [wanted.difference for wanted in found.wanted] == [0.01, 0.02]
    assert found.use_level == first_level(0.05, 0)
    assert found.wanted[0] == Wanted(
        0.01,
        positives_needed(0.01, 0.02, 0.05, 0.9),
        positives_needed(0.01, 0.02, found.use_level, 0.9),
    )
    assert report({WHOLE: 5_000}, 0.05, 1, power=0.9).groups[0].at_level == detectable(
        5_000, 0.1, 0.05, 0.9
    )


SHARES = st.floats(0.02, 1.0)
LEVELS = st.floats(0.001, 0.2)


@given(SHARES, LEVELS, st.data())
def test_a_smaller_gain_needs_more_positives(
    discordant: float, level: float, data: st.DataObject
) -> None:
    gains = st.floats(discordant / 50, discordant)
    small, large = sorted((data.draw(gains), data.draw(gains)))
    assert positives_needed(small, discordant, level) >= positives_needed(large, discordant, level)


@given(SHARES, LEVELS, LEVELS)
def test_a_stricter_level_needs_more_positives(discordant: float, one: float, two: float) -> None:
    strict, loose = sorted((one, two))
    gain = discordant / 4
    assert positives_needed(gain, discordant, strict) >= positives_needed(gain, discordant, loose)
    assert achieved(gain, 500, discordant, strict) <= achieved(gain, 500, discordant, loose) + 1e-12


@given(SHARES, LEVELS, st.integers(1, 20_000), st.integers(1, 20_000))
def test_more_positives_show_smaller_gains(
    discordant: float, level: float, one: int, two: int
) -> None:
    few, many = (detectable(count, discordant, level) for count in sorted((one, two)))
    if few is not None:
        assert many is not None
        assert many <= few + 1e-9


@given(SHARES, LEVELS, st.integers(100, 20_000))
def test_what_is_detectable_needs_so_many_positives(
    discordant: float, level: float, positives: int
) -> None:
    gain = detectable(positives, discordant, level)
    if gain is not None and gain < discordant:
        needed = positives_needed(gain, discordant, level)
        assert needed == pytest.approx(positives, rel=1e-6, abs=1)


@given(st.floats(0.001, 0.1), st.floats(-0.1, 0.1), SHARES, LEVELS)
def test_a_wider_margin_is_cleared_sooner(
    margin: float, value: float, discordant: float, level: float
) -> None:
    needed = margin_needed(margin, value, discordant, level)
    wider = margin_needed(2 * margin, value, discordant, level)
    if needed is None:
        assert margin + value <= 0
    else:
        assert wider is not None
        assert 0 <= wider <= needed


@pytest.mark.parametrize(("miss", "alarm"), [(1.0, 1.0), (10.0, 1.0), (1.0, 5.0)])
def test_so_small_a_saving_is_found_as_often_as_is_told(miss: float, alarm: float) -> None:
    prevalence, positives = 0.3, 1_200
    gate = replace(LIMITS, cost_of_a_miss=miss, cost_of_a_false_alarm=alarm)
    told = saving(report({WHOLE: positives}, 0.05), gate, prevalence)
    assert told.margin == pytest.approx(1_000 * 0.01 * miss * prevalence)
    random, rows = np.random.default_rng(3), round(positives / prevalence)
    values = np.array([miss, -miss, alarm, -alarm, 0.0])
    half = np.array([prevalence, prevalence, 1 - prevalence, 1 - prevalence]) * DISCORDANT / 2
    # A saving of this size, by a few more of the dearer rows that fall to the one side.
    dear = 0 if miss**2 * prevalence >= alarm**2 * (1 - prevalence) else 2
    shift = told.at_level / 1_000 / values[dear] / 2
    half[dear], half[dear + 1] = half[dear] + shift, half[dear + 1] - shift
    counts = random.multinomial(rows, [*half, 1 - half.sum()], 4_000)
    means = counts @ values / rows
    spreads = np.sqrt(counts @ values**2 / rows - means**2)
    found = (means / spreads * np.sqrt(rows) > stats.norm.isf(0.05)).mean()
    assert found == pytest.approx(0.8, abs=0.04)
    assert told.at_use > told.at_level
