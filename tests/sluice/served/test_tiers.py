"""Tiers of risk: every probability has one, and a higher probability has no lower one."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.served.contract_words import read_tiers
from sluice.served.tiers import NEUTRAL_TIERS, Tiers, limits_at

SHARES = st.floats(0, 1)


@st.composite
def tiers(draw: st.DrawFn) -> Tiers:
    limits = sorted(draw(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3, unique=True)))
    return Tiers(tuple(f"tier {number}" for number in range(len(limits) + 1)), tuple(limits))


@given(tiers(), SHARES, SHARES)
def test_a_higher_probability_is_in_no_lower_tier(of: Tiers, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert of.names.index(of.of(low)) <= of.names.index(of.of(high))


@given(tiers())
def test_a_limit_belongs_to_the_tier_above_it(of: Tiers) -> None:
    for place, limit in enumerate(of.limits):
        assert of.of(limit) == of.names[place + 1]
    assert of.of(0.0) == of.names[0]
    assert of.of(1.0) == of.names[-1]


@pytest.mark.parametrize(
    ("probability", "tier"),
    [(0.0, "very low"), (0.2499, "very low"), (0.25, "low"), (0.45, "medium"), (0.65, "high")],
)
def test_the_neutral_tiers(probability: float, tier: str) -> None:
    assert NEUTRAL_TIERS.of(probability) == tier


LIMITS = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3, unique=True).map(sorted)


@given(LIMITS, st.floats(0, 1), st.floats(0, 1))
@example([0.01, 0.010000000000000002], 1.0, 0.0)  # equally far from 1, as floats
def test_a_tier_is_flagged_whole_or_not_at_all(
    limits: list[float], threshold: float, probability: float
) -> None:
    names = ("very low", "low", "medium", "high")[: len(limits) + 1]
    tiers = Tiers(names, tuple(limits)).at(threshold)
    assert list(tiers.limits) == sorted(set(tiers.limits))
    assert len(tiers.limits) == len(limits)
    flagged = names[tiers.limits.index(threshold) + 1 :]
    assert (tiers.of(probability) in flagged) == (probability >= threshold)


def test_the_nearest_limit_moves_and_of_two_the_lower() -> None:
    assert Tiers().at(0.41).limits == (0.25, 0.41, 0.65)
    assert Tiers().at(0.9).limits == (0.25, 0.45, 0.9)
    assert Tiers(("a", "b", "c"), (0.25, 0.75)).at(0.5).limits == (0.5, 0.75)


def relative(*below: object) -> Tiers:
    """Tiers that are read from a contract with these limits."""
    entries = [{"name": f"tier {place}", "below": limit} for place, limit in enumerate(below)]
    return read_tiers("contract.toml", {"tiers": [*entries, {"name": "last"}]})


@given(st.floats(0.0001, 0.9999), st.floats(0, 1))
def test_a_tier_that_ends_at_the_threshold_has_no_row_that_is_flagged(
    threshold: float, probability: float
) -> None:
    tiers = relative(0.5, "threshold", 0.4).at(threshold)
    assert list(tiers.limits) == sorted(tiers.limits)
    assert tiers.limits[1] == threshold
    flagged = tiers.of(probability) in ("tier 2", "last")
    assert flagged == (probability >= threshold)


def test_shares_before_the_threshold_are_of_it_and_behind_it_of_the_way_to_one() -> None:
    tiers = relative(0.5, "threshold", 0.4)
    assert tiers.shares == (0.5, 1.0, 1.4)
    assert [round(limit, 9) for limit in tiers.at(0.3).limits] == [0.15, 0.3, 0.58]
    assert [round(limit, 9) for limit in tiers.at(0.0026).limits] == [0.0013, 0.0026, 0.40156]
    assert tiers.limits == limits_at(tiers.shares, 0.5)
    assert relative("threshold").at(0.2).limits == (0.2,)
    assert relative(0.2, 0.9, "threshold").shares == (0.2, 0.9, 1.0)
    assert relative("threshold", 0.2, 0.9).shares == (1.0, 1.2, 1.9)


@pytest.mark.parametrize(
    ("below", "said"),
    [
        (("threshold", "threshold"), "tier 2, below is 'threshold' again"),
        (("threshold", 1.5), "tier 2, below is 1.5"),
        ((0.5, 0.5, "threshold"), "tier 2, below is 0.5"),
        (("threshold", 0.5, 0.4), "tier 3, below is 0.4"),
        (("treshold", 0.5), "tier 1, below is 'treshold'"),
        ((math.nan, "threshold"), "tier 1, below is nan"),
    ],
)
def test_wrong_limits_are_named(below: tuple[object, ...], said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        relative(*below)
    assert said in str(wrong.value)
