"""Two models of several classes on the same rows."""

import numpy as np
import pytest
import scipy

from sluice.gate.classes.paired import Tables, better, difference_of, tables_of
from sluice.gate.paired import Pairs, recall_difference

LABELS = np.repeat(np.arange(3), (80, 40, 20))


def drawn(chance: np.random.Generator, gain: tuple[float, ...], loss: tuple[float, ...]) -> Tables:
    """Tables of two models of which, by class, so many rows are right by one alone."""
    lot, gained, lost = chance.random(len(LABELS)), np.array(gain)[LABELS], np.array(loss)[LABELS]
    mine, theirs = lot < gained, (lot >= gained) & (lot < gained + lost)
    both = lot >= 0.5
    wrong = (LABELS + 1) % 3
    return tables_of(
        LABELS, np.where(mine | both, LABELS, wrong), np.where(theirs | both, LABELS, wrong)
    )


def test_tables_count_what_only_one_answers_rightly() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    tables = tables_of(labels, np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 0, 1]))
    assert tables.pairs == (Pairs(1, 0, 3), Pairs(1, 1, 2))
    assert tables.difference == pytest.approx((1 / 3 + 0) / 2)
    assert (tables.gained, tables.lost, tables.rows) == (2, 1, 5)


def test_one_class_alone_is_compared_as_recalls_are() -> None:
    pairs = Pairs(30, 10, 200)
    found, known = difference_of(Tables((pairs,)), 0.05), recall_difference(pairs, 0.05)
    assert (found.value, found.low, found.high) == pytest.approx(
        (known.value, known.low, known.high)
    )


def test_the_test_of_one_class_is_mcnemars() -> None:
    known = scipy.stats.binom.sf(29, 40, 0.5)
    assert better(Tables((Pairs(30, 10, 200),))) == pytest.approx(known, rel=1e-9)


def test_a_class_of_few_rows_counts_as_much_as_one_of_many() -> None:
    ahead_in_few = Tables((Pairs(5, 5, 1000), Pairs(6, 0, 10)))
    assert ahead_in_few.difference == pytest.approx(0.3)
    assert better(ahead_in_few) < 0.05


def test_equal_models_are_never_better() -> None:
    assert better(Tables((Pairs(0, 0, 10), Pairs(3, 3, 10)))) == 1.0
    assert better(Tables((Pairs(1, 9, 10), Pairs(3, 3, 10)))) == 1.0


def test_the_exact_test_is_what_all_signs_give() -> None:
    tables = Tables((Pairs(4, 1, 20), Pairs(2, 1, 7)))
    reached = (4 - 1) / 20 + (2 - 1) / 7
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    sums = signs[:5].sum(axis=0) / 20 + signs[5:].sum(axis=0) / 7
    assert better(tables) == pytest.approx(float((sums >= reached - 1e-12).mean()), abs=1e-9)


@pytest.mark.parametrize(
    ("gain", "loss"),
    [((0.1, 0.1, 0.1), (0.1, 0.1, 0.1)), ((0.2, 0.05, 0.05), (0.05, 0.125, 0.125))],
)
def test_models_that_are_equally_good_are_seldom_told_apart(
    gain: tuple[float, ...], loss: tuple[float, ...]
) -> None:
    chance = np.random.default_rng(5)
    true = float(np.mean(np.array(gain) - np.array(loss)))
    assert true == pytest.approx(0.0)
    gains = above = below = 0
    for _ in range(300):
        tables = drawn(chance, gain, loss)
        found = difference_of(tables, 0.05)
        gains += better(tables) <= 0.05
        above += found.low > true
        below += found.high < true
    # Three standard errors of a share of 0.05 in 300 tries are 0.038.
    assert max(gains, above, below) / 300 <= 0.088


def test_rows_that_belong_together_prove_less() -> None:
    chance = np.random.default_rng(2)
    labels = np.tile(LABELS, 1)
    right = chance.random(len(labels))
    mine = np.where(right < 0.75, labels, (labels + 1) % 3)
    theirs = np.where(right > 0.45, labels, (labels + 1) % 3)
    clusters = np.arange(len(labels)) // 4
    alone = tables_of(labels, mine, theirs)
    thrice = np.repeat(np.arange(len(labels)), 3)
    apart = tables_of(labels[thrice], mine[thrice], theirs[thrice])
    together = tables_of(labels[thrice], mine[thrice], theirs[thrice], thrice)
    assert better(together) > better(apart)
    wide, narrow = difference_of(together, 0.05), difference_of(apart, 0.05)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert clusters.max() > 0
    assert alone.rows == len(labels)
