"""What a look spends: all uses together never more than the level, and new positives give back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sluice.gate.spending import anchor_level, level_of, positives_needed, share, spent_by, uses_of


def test_the_first_uses_have_these_parts_of_the_level() -> None:
    parts = [level_of(0.05, uses) for uses in range(4)]
    assert parts == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 12, 0.05 / 20])


def test_a_look_beside_the_anchor_has_two_fifths_of_the_level() -> None:
    assert anchor_level(0.05) == pytest.approx(0.02)


@given(st.integers(0, 5_000))
def test_all_uses_together_spend_what_they_are_said_to_and_never_the_whole(uses: int) -> None:
    spent = math.fsum(share(before) for before in range(uses))
    assert spent == pytest.approx(spent_by(uses))
    assert spent < 1.0


@given(st.integers(0, 5_000))
def test_what_was_spent_tells_how_many_uses_there_were(uses: int) -> None:
    assert uses_of(math.fsum(share(before) for before in range(uses))) == uses


@given(st.floats(0.0, 0.999))
def test_a_use_never_has_more_than_is_left(spent: float) -> None:
    left = 1.0 - spent
    assert share(uses_of(spent)) <= left * left / (1.0 + left) * 1.01
    assert spent + share(uses_of(spent)) < 1.0


@pytest.mark.parametrize("spent", [-0.1, 1.0, 2.0, math.nan])
def test_what_is_no_share_that_leaves_anything_is_refused(spent: float) -> None:
    with pytest.raises(ValueError, match="0 to below 1 is required"):
        uses_of(spent)


@given(st.floats(0.0, 1.0, exclude_min=True))
def test_new_positives_give_back_in_proportion(new: float) -> None:
    """A night on which a share is new leaves the uses that the rest has spent."""
    assert uses_of(spent_by(9) * (1.0 - new)) <= 9
    assert uses_of(spent_by(9) * 0.5) == 1  # 0.45 of the level: between one use and two
    assert uses_of(0.0) == 0


@given(st.integers(2, 60), st.integers(10, 5_000), st.integers(0, 40))
def test_so_many_new_positives_are_enough_and_one_less_is_not(
    most: int, positives: int, more: int
) -> None:
    spent = spent_by(most + more)
    new = positives_needed(spent, positives, most, positives)
    assert new > 0
    assert uses_of(spent * positives / (positives + new)) <= most - 1
    assert spent * positives / (positives + new - 1) > spent_by(most - 1) + 1e-12


def test_where_nothing_has_to_be_given_back_nothing_is_needed() -> None:
    assert positives_needed(spent_by(3), 100, 4, 100) == 0
    assert positives_needed(spent_by(4), 100, 4, 100) == 7
    assert positives_needed(0.5, 100, 1, 100) == 100


def test_a_sample_needs_more_than_a_count() -> None:
    exact = positives_needed(spent_by(20), 7_000, 20, 7_000)
    assert exact == math.ceil(7_000 * (spent_by(20) / spent_by(19) - 1.0))
    assert positives_needed(spent_by(20), 7_000, 20, 2_048) > exact


@pytest.mark.parametrize("known", [1, 2, 3, 4])
def test_of_a_handful_as_good_as_all_have_to_be_new(known: int) -> None:
    assert positives_needed(spent_by(20), 1_000, 20, known) == 99_000


@pytest.mark.parametrize(
    ("known", "needed"), [(2_000, 250), (1_000, 324), (512, 360), (100, 588), (20, 2_058)]
)
def test_a_sample_of_the_positives_asks_for_more_of_them(known: int, needed: int) -> None:
    """A ninth has to be new: a quarter of use 3 is over what uses 1 and 2 spent."""
    assert positives_needed(0.75, 2_000, 3, known) == needed
    in_sample = math.ceil(known / 9)
    share_new = needed / (needed + 2_000)
    assert known == 2_000 or binom.sf(in_sample - 1, known, share_new) >= 0.99
