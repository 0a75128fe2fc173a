"""Bets: their mean stays at one while the limit is kept, and they grow where it is not."""

import numpy as np
import pytest
from scipy import stats

from sluice.canary import bets


@pytest.mark.parametrize("limit", [-0.1, 0.0, 0.05])
@pytest.mark.parametrize("share", [0.1, 0.4])
def test_a_bet_at_the_limit_is_worth_one_on_average(limit: float, share: float) -> None:
    """Exact: all outcomes of a second block, by their chance, after a first one that is known."""
    of_canary, of_stable = 6, 11
    one, other = np.meshgrid(np.arange(of_canary + 1), np.arange(of_stable + 1), indexing="ij")
    first = np.full_like(one, 9), np.full_like(one, 30)
    second = bets.log_bets(
        np.stack([first[0] // 3, one], axis=-1),
        np.stack([first[0], np.full_like(one, of_canary)], axis=-1),
        np.stack([first[0], other], axis=-1),
        np.stack([first[1], np.full_like(one, of_stable)], axis=-1),
        limit,
    )
    assert np.allclose(second[..., 0], 0.0)  # nothing was known before
    for apart in (limit, limit - 0.05):
        if not 0.0 <= share + apart <= 1.0:
            continue
        chance = stats.binom.pmf(one, of_canary, share + apart)
        chance = chance * stats.binom.pmf(other, of_stable, share)
        assert (chance * np.exp(second[..., 1])).sum() <= 1.0 + 1e-6


def test_without_a_pair_only_the_shift_itself_can_win() -> None:
    blocks = np.full(40, 20.0)
    apart = bets.log_bets(blocks * 0.6, blocks, blocks * 0.3, blocks, 0.0)
    assert apart[-1] > np.log(1000)
    same = bets.log_bets(blocks * 0.3, blocks, blocks * 0.3, blocks, 0.0)
    assert same[-1] < 0
    below = bets.log_bets_below(blocks * 0.3, blocks, blocks * 0.3, blocks, 0.15)
    assert below[-1] > np.log(20)


def test_a_share_over_a_ceiling_and_failures_from_the_first_block_on() -> None:
    one = np.array([8.0])
    assert bets.log_bets_over(np.array([3.0]), one, 0.01)[-1] > np.log(300)
    assert bets.log_bets_over(np.array([0.0]), one, 0.01)[-1] < 0
    usual = (0.001, 100.0)
    none, many = np.zeros(1), np.array([150.0])
    assert bets.log_bets(np.array([3.0]), one, none, many, 0.01, usual)[-1] > np.log(300)
    # A stable that fails as often is no reason: here the same fault is around both.
    both = np.full(20, 10.0), np.full(20, 100.0), np.full(20, 100.0), np.full(20, 1000.0)
    assert bets.log_bets(*both, 0.01, usual).max() < np.log(20)
    # Without stable beside it the canary keeps the limit alone.
    alone = bets.log_bets(np.full(3, 3.0), np.full(3, 9.0), np.zeros(3), np.zeros(3), 0.01, usual)
    assert alone[-1] == pytest.approx(0.0, abs=1e-6)
    alone = bets.log_bets(
        np.full(3, 3.0), np.full(3, 9.0), np.zeros(3), np.zeros(3), 0.01, usual, alone=0.01
    )
    assert alone[-1] > np.log(1000)


def test_a_split_off_its_weight_is_told_and_one_by_it_is_not() -> None:
    assert bets.log_split(50, 950, 0.05) < 0
    assert bets.log_split(150, 850, 0.05) > np.log(1e6)
    assert bets.log_split(0, 0, 0.05) == pytest.approx(0.0)


def test_looked_at_again_and_again_few_of_the_same_are_told_apart() -> None:
    random = np.random.default_rng(7)
    rows = random.binomial(200, 0.25, (400, 60))
    canary = random.binomial(rows, 0.3)
    stable = random.binomial(200 - rows, 0.3)
    found = bets.log_bets(canary, rows, stable, 200 - rows, 0.0).max(axis=-1) >= np.log(20)
    assert found.mean() <= 0.05
    canary = random.binomial(rows, 0.38)
    found = bets.log_bets(canary, rows, stable, 200 - rows, 0.0).max(axis=-1) >= np.log(20)
    assert found.mean() >= 0.9


def test_what_turns_bad_after_a_long_time_is_told_soon_where_bets_begin_late() -> None:
    blocks = np.full(65, 10.0)
    failed = np.where(np.arange(65) < 60, 0.0, 3.0)
    other = np.zeros(65), np.full(65, 190.0)
    usual = (0.001, 100.0)
    late = bets.log_bets(failed, blocks, *other, 0.01, usual, late=True)
    assert late[62] > np.log(300)
    assert bets.log_bets(failed, blocks, *other, 0.01, usual)[62] < 0
    assert bets.log_bets_over(failed, blocks, 0.01)[62] > np.log(300)


def test_bets_that_begin_late_are_worth_one_on_average_too() -> None:
    random = np.random.default_rng(11)
    rows = np.full((20_000, 3), 4.0)
    count = random.binomial(4, 0.05, rows.shape).astype(float)
    worth = np.exp(bets.log_bets_over(count, rows, 0.05))
    for block in range(3):
        spread = worth[:, block].std() / np.sqrt(len(worth))
        assert worth[:, block].mean() <= 1.0 + 4.0 * spread


@pytest.mark.parametrize("usual", [0.001, 0.05, 0.2, 0.9])
@pytest.mark.parametrize("limit", [-0.3, -0.15, 0.05])
def test_no_pair_of_shares_within_the_limit_wins_on_the_average(usual: float, limit: float) -> None:
    """Exactly, over all outcomes of one block, also where the limit lies beyond what is possible
    beside what was usual before.
    """
    rows, beside, before = 6, 20, 1e6
    canary, stable = np.meshgrid(np.arange(rows + 1.0), np.arange(beside + 1.0), indexing="ij")
    none = np.zeros_like(canary)
    found = bets.log_bets(
        np.stack([none, canary], axis=-1),
        np.stack([none, none + rows], axis=-1),
        np.stack([none + usual * before, stable], axis=-1),
        np.stack([none + before, none + beside], axis=-1),
        limit,
    )
    wins = np.exp(found[..., 1] - found[..., 0])
    for of_stable in np.linspace(max(0.0, -limit), min(1.0, 1.0 - limit), 25):
        for apart in (0.0, 0.1):
            of_canary = of_stable + limit - apart
            if 0.0 <= of_canary <= 1.0:
                chance = stats.binom.pmf(canary, rows, of_canary) * stats.binom.pmf(
                    stable, beside, of_stable
                )
                assert (chance * wins).sum() <= 1.0 + 1e-9
