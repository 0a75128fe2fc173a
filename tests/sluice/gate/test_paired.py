"""Two models on the same rows: against published examples, against brute force, and against
chance.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from sluice.gate import paired
from sluice.gate.paired import (
    Difference,
    Pairs,
    at_equal_counts,
    better,
    holm,
    mean_difference,
    on_positives,
    recall_difference,
    stays_within,
    top,
    unit_variance,
    worse,
)
from sluice.model.quality.clusters import Design, design_of


def tango(pairs: Pairs, level: float) -> Difference:
    """The limits of the gate as Tango published them: by the positives alone, no count brought
    nearer to its hypothesis.
    """
    with mock.patch.object(paired, "CONTINUITY", 0.0):
        return recall_difference(replace(pairs, side=None), level)


def inverted(pairs: Pairs, level: float) -> tuple[float, float]:
    """Limits from the definition: the constrained maximum of the multinomial likelihood, searched
    for by number.
    """

    def score(delta: float) -> float:
        def unlikely(lost: float) -> float:
            # Cells: right in the candidate alone (lost + delta), in the other alone (lost), and the
            # rest.
            cells = (
                (pairs.gained, lost + delta),
                (pairs.lost, lost),
                (pairs.rows - pairs.gained - pairs.lost, 1 - 2 * lost - delta),
            )
            return -sum(count * math.log(max(chance, 1e-300)) for count, chance in cells if count)

        bounds = max(0.0, -delta), (1 - delta) / 2
        lost = optimize.minimize_scalar(
            unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}
        ).x
        variance = (2 * lost + delta * (1 - delta)) / pairs.rows
        return ((pairs.gained - pairs.lost) / pairs.rows - delta) / math.sqrt(variance)

    reach, value = stats.norm.isf(level), (pairs.gained - pairs.lost) / pairs.rows
    inner = 1e-6
    low = optimize.brentq(lambda delta: score(delta) - reach, -1 + inner, value - 1e-9)
    high = optimize.brentq(lambda delta: score(delta) + reach, value + 1e-9, 1 - inner)
    return low, high


@pytest.mark.parametrize(
    ("pairs", "value", "low", "high"),
    [
        # Bentur et al. 2009, in M. Fagerland, S. Lydersen, P. Laake, BMC Medical Research
        # Methodology 14 (2014)
        (Pairs(1, 7, 21), -0.286, -0.517, -0.026),
        (Pairs(7, 1, 21), 0.286, 0.026, 0.517),
    ],
)
def test_tango_as_published(pairs: Pairs, value: float, low: float, high: float) -> None:
    found = tango(pairs, 0.025)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=0.0005)
    assert found.level == 0.025


@pytest.mark.parametrize("level", [0.0025, 0.05])
@pytest.mark.parametrize(
    "pairs",
    [
        Pairs(40, 20, 160),
        Pairs(3, 9, 30),
        Pairs(12, 2, 500),
        Pairs(118, 131, 7_000),
        Pairs(5, 6, 11),
    ],
)
def test_tango_inverts_the_score_test(pairs: Pairs, level: float) -> None:
    found = tango(pairs, level)
    assert (found.low, found.high) == pytest.approx(inverted(pairs, level), abs=2e-5)


@pytest.mark.parametrize(
    "pairs", [Pairs(3, 9, 30), Pairs(0, 4, 20), Pairs(0, 0, 50), Pairs(6, 0, 6)]
)
def test_tango_is_symmetric(pairs: Pairs) -> None:
    one, other = tango(pairs, 0.05), tango(Pairs(pairs.lost, pairs.gained, pairs.rows), 0.05)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-7)


def test_tango_where_nothing_differs() -> None:
    # Then the statistic is delta * sqrt(rows / (1 - delta**2))-like: the limit is z^2 / (n + z^2).
    reach = stats.norm.isf(0.05) ** 2
    found = tango(Pairs(0, 0, 7_000), 0.05)
    assert (found.value, found.high) == pytest.approx((0.0, reach / (7_000 + reach)), rel=1e-4)
    assert found.low == pytest.approx(-found.high)


def test_tango_at_the_edges() -> None:
    assert tango(Pairs(0, 0, 0), 0.05) == Difference(0.0, -1.0, 1.0, 0.05)
    assert tango(Pairs(10, 0, 10), 0.05).high == 1.0
    assert tango(Pairs(0, 10, 10), 0.05).low == -1.0
    assert 0 < tango(Pairs(10, 0, 10), 0.05).low < 1
    single = tango(Pairs(1, 0, 1), 0.05)
    assert (single.value, single.high) == (1.0, 1.0)
    assert -1 < single.low < 0


def test_tango_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    gained, lost, rows = 0.045, 0.03, 600
    draws = random.multinomial(rows, [gained, lost, 1 - gained - lost], 4_000)
    known: dict[tuple[int, int], Difference] = {}
    below = above = 0
    for more, less, _ in draws:
        found = known.setdefault((more, less), tango(Pairs(int(more), int(less), rows), 0.05))
        below += found.low > gained - lost
        above += found.high < gained - lost
    assert 0.04 < below / len(draws) < 0.06
    assert 0.04 < above / len(draws) < 0.06


@pytest.mark.parametrize("side", [None, 95, 300])
def test_worse_is_the_other_side_of_the_interval(side: int | None) -> None:
    pairs = Pairs(30, 90, 800, side)
    found = recall_difference(pairs, 0.02)
    assert worse(pairs, -found.high) == pytest.approx(0.02, abs=1e-6)
    assert worse(pairs, -found.low) == pytest.approx(0.98, abs=1e-6)
    assert worse(Pairs(0, 0, 100), 0.0) == 0.5
    assert worse(Pairs(0, 0, 100, 0), 0.0) == 0.5


def test_worse_errs_as_often_as_it_says() -> None:
    random = np.random.default_rng(12)
    draws = random.multinomial(900, [0.03, 0.06, 0.91], 3_000)
    wrong = sum(worse(Pairs(int(more), int(less), 900), 0.03) <= 0.05 for more, less, _ in draws)
    assert 0.035 < wrong / len(draws) < 0.065


def cut_alike(random: np.random.Generator, noise: tuple[float, float], rows: int) -> Pairs:
    """Two models of the same rows that see their odds through noise of their own, cut where they
    flag equally many: half of the rows, and half of the rows are positive.
    """
    odds = 1.5 * random.standard_normal(rows)
    labels = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    hashes = np.arange(rows, dtype=np.uint64)
    candidate, other = (
        top(odds + spread * random.standard_normal(rows), hashes, rows // 2) for spread in noise
    )
    return at_equal_counts(labels, candidate, other)


def truly(noise: tuple[float, float]) -> float:
    """The true difference in recall of two such models, on very many rows."""
    return cut_alike(np.random.default_rng(99), noise, 4_000_000).difference


# Whoever takes the variance of gained - lost as their sum finds 0.987 to 0.99 here.
@pytest.mark.parametrize("noise", [(0.6, 0.6), (0.9, 0.6)])
def test_at_equal_counts_limits_cover_as_often_as_they_say(noise: tuple[float, float]) -> None:
    random, true, draws = np.random.default_rng(13), truly(noise), 1_500
    below = above = 0
    for _ in range(draws):
        found = recall_difference(cut_alike(random, noise, 2_000), 0.05)
        below += found.low > true
        above += found.high < true
    assert 0.035 < below / draws < 0.06
    assert 0.035 < above / draws < 0.06


# McNemar's test says so of 1.2 % of them.
def test_at_equal_counts_a_model_as_good_is_better_as_often_as_the_level_says() -> None:
    random, draws = np.random.default_rng(14), 1_500
    found = [better(cut_alike(random, (0.6, 0.6), 2_000)) <= 0.05 for _ in range(draws)]
    assert 0.03 < np.mean(found) <= 0.05


# McNemar's test finds 60 % of them.
def test_at_equal_counts_a_point_is_found_with_nine_in_ten() -> None:
    random, draws = np.random.default_rng(15), 20_000
    # Of 7,000 positives 7.4 % are found by one alone; 47 % of the rows that differ are positive.
    side, gain = round(7_000 * 0.074 / 2 / 0.47), 0.01
    shares = 0.47 + gain * 7_000 / side / 2, 0.47 - gain * 7_000 / side / 2
    gained, lost = (random.binomial(side, share, draws) for share in shares)
    tails = stats.hypergeom.sf(gained - 1, 2 * side, gained + lost, side)
    first = Pairs(int(gained[0]), int(lost[0]), 7_000, side)
    assert better(first) == pytest.approx(tails[0])
    assert 0.88 < np.mean(tails <= 0.0025) < 0.94
    assert np.mean(stats.binom.sf(gained - 1, gained + lost, 0.5) <= 0.0025) < 0.65


@pytest.mark.parametrize(
    ("gained", "lost", "side"), [(4, 1, 5), (3, 3, 6), (2, 0, 2), (0, 2, 4), (5, 2, 9), (0, 0, 0)]
)
def test_better_is_the_share_of_the_ways_to_deal_the_rows(
    gained: int, lost: int, side: int
) -> None:
    positives = range(gained + lost)
    deals = list(combinations(range(2 * side), side))
    won = [sum(row in positives for row in deal) >= gained for deal in deals]
    assert better(Pairs(gained, lost, 50, side)) == pytest.approx(sum(won) / len(deals))


def test_better_at_equal_counts_is_fishers_test() -> None:
    table = [[60, 100], [40, 120]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert better(Pairs(60, 40, 3_000, 160)) == pytest.approx(expected)


def test_large_sides_give_mcnemars_test_and_the_limits_of_rows_alone() -> None:
    rare, alone = Pairs(60, 40, 3_000, 10_000_000), Pairs(60, 40, 3_000)
    assert better(rare) == pytest.approx(better(alone), rel=1e-3)
    one, other = recall_difference(rare, 0.05), recall_difference(alone, 0.05)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-6)


def test_the_variance_at_equal_counts_is_that_of_two_samples() -> None:
    # At the difference that is found: 2 m p (1 - p), where a share p of the rows are positives.
    pairs = Pairs(60, 50, 3_410, 160)
    share = 110 / 320
    expected = 2 * 160 * share * (1 - share) / 3_410
    assert unit_variance(pairs, pairs.difference) == pytest.approx(expected, rel=1e-3)
    assert pairs.positive_share == share
    assert unit_variance(replace(pairs, side=None), 0.0) == pytest.approx(110 / 3_410)
    assert unit_variance(Pairs(0, 0, 0, 0), 0.01) == unit_variance(Pairs(0, 0, 0), 0.01) == 1.0


def test_the_limits_are_those_where_the_statistic_reaches_the_quantile() -> None:
    pairs, reach = Pairs(60, 50, 3_410, 160), stats.norm.isf(0.05)
    found = recall_difference(pairs, 0.05)
    for limit, sign in ((found.low, 1), (found.high, -1)):
        wanted = 3_410 * limit
        root = math.sqrt(110**2 + 4 * wanted * (wanted - 10))
        of_rest = math.sqrt(210**2 + 4 * wanted * (wanted - 10))
        # Poisson where Tango has a multinomial: of so many positives few differ.
        own, rest = (110 + root) / 2, (210 + of_rest) / 2
        statistic = (10 - wanted - sign * 0.25) / math.sqrt(own * rest / (own + rest))
        assert statistic == pytest.approx(sign * reach, rel=1e-3)


def test_without_a_row_that_differs_the_limits_are_still_apart() -> None:
    found = recall_difference(Pairs(0, 0, 7_000, 0), 0.05)
    assert found.value == 0.0
    assert found.high == pytest.approx(-found.low)
    # (x - 1/4)^2 = z^2 x / 2 positives
    half = stats.norm.isf(0.05) ** 2 / 4
    positives = 0.25 + half + math.sqrt(half**2 + half / 2)
    assert found.high == pytest.approx(positives / 7_000, rel=1e-3)


@pytest.mark.parametrize(
    ("gained", "lost"), [(9, 0), (12, 5), (5, 12), (1, 1), (0, 3), (3, 0), (0, 0)]
)
def test_better_is_the_binomial_tail_by_enumeration(gained: int, lost: int) -> None:
    flips = gained + lost
    tail = sum(
        (Fraction(math.comb(flips, k), 2**flips) for k in range(gained, flips + 1)), Fraction(0)
    )
    assert better(Pairs(gained, lost, 50)) == pytest.approx(float(tail))


def test_better_is_the_exact_test_of_scipy() -> None:
    expected = stats.binomtest(130, 230, 0.5, alternative="greater").pvalue
    assert better(Pairs(130, 100, 7_000)) == pytest.approx(expected)


def test_top_takes_the_highest_and_breaks_ties_by_hash() -> None:
    scores, hashes = np.array([0.5, 0.9, 0.5, 0.5, 0.1]), np.array([7, 1, 3, 5, 2], dtype=np.uint64)
    assert top(scores, hashes, 3).tolist() == [False, True, True, True, False]
    assert top(scores, hashes, 0).tolist() == [False] * 5
    assert top(scores, hashes, 9).tolist() == [True] * 5


def test_pairs_are_counted_on_positives() -> None:
    labels = np.array([1, 1, 1, 1, 0, 0])
    candidate = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
    other = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    assert on_positives(labels, candidate, other) == Pairs(1, 1, 4)
    assert on_positives(labels, np.ones(6, dtype=bool), other) == Pairs(2, 0, 4)
    assert on_positives(labels, np.zeros(6, dtype=bool), other) == Pairs(0, 2, 4)


def test_at_equal_counts_the_rows_are_counted_that_differ() -> None:
    labels = np.array([1, 1, 1, 1, 0, 0])
    candidate = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
    other = np.array([1, 0, 0, 0, 1, 1], dtype=bool)
    pairs = at_equal_counts(labels, candidate, other)
    assert pairs == Pairs(1, 0, 4, 1)
    assert (pairs.rest, pairs.positive_share, pairs.difference) == (1, 0.5, 0.25)
    assert at_equal_counts(labels, other, other) == Pairs(0, 0, 4, 0)
    with pytest.raises(ValueError, match="3 and 6 rows are flagged; equal numbers are required"):
        at_equal_counts(labels, candidate, np.ones(6, dtype=bool))


def test_the_share_of_positives_that_differ_is_neither_none_nor_all() -> None:
    assert Pairs(3, 2, 100, 5).positive_share == 0.5
    assert Pairs(0, 0, 100, 0).positive_share == 0.5
    assert Pairs(3, 3, 100, 3).positive_share == 6 / 7
    assert Pairs(3, 2, 100).positive_share == 0.0
    assert Pairs(0, 0, 0).difference == 0.0


def test_the_discordant_share_is_never_none() -> None:
    assert Pairs(3, 2, 100).discordant == 0.05
    assert Pairs(0, 0, 100).discordant == 0.01
    assert Pairs(0, 0, 0).discordant == 1.0


def test_mean_difference_is_students() -> None:
    random = np.random.default_rng(3)
    first, second = random.random(400), random.random(400)
    found = mean_difference(first, second, 0.05)
    differences = first - second
    reach = stats.t.isf(0.05, 399) * differences.std(ddof=1) / 20
    assert found.value == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))
    assert found.level == 0.05
    close = mean_difference(first / 10, second / 10, 0.05)
    assert (close.low, close.high) == pytest.approx((found.low / 10, found.high / 10))
    assert mean_difference(first, first - 0.25, 0.05) == pytest.approx(
        mean_difference(first, first - 0.25, 0.05)
    )
    constant = mean_difference(np.full(5, 0.5), np.full(5, 0.25), 0.05)
    assert constant == Difference(0.25, 0.25, 0.25, 0.05)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(13) ** 3
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_keeps_order_and_bounds() -> None:
    assert holm(np.array([0.5, 0.01, 0.5, 0.02])).tolist() == pytest.approx([1.0, 0.04, 1.0, 0.06])
    assert holm(np.array([])).tolist() == []


@st.composite
def any_pairs(draw: st.DrawFn) -> Pairs:
    gained, lost, same, more = (draw(st.integers(0, 60)) for _ in range(4))
    side = draw(st.sampled_from([None, max(gained, lost) + more]))
    return Pairs(gained, lost, gained + lost + same, side)


def turned(pairs: Pairs) -> Pairs:
    """The other model against the candidate."""
    return replace(pairs, gained=pairs.lost, lost=pairs.gained)


LEVELS = st.floats(0.001, 0.4)
INTERVALS = pytest.mark.parametrize("interval", [recall_difference, tango])
Interval = Callable[[Pairs, float], Difference]


@INTERVALS
@given(pairs=any_pairs(), level=LEVELS)
def test_limits_hold_the_difference_and_turn_round_with_the_models(
    interval: Interval, pairs: Pairs, level: float
) -> None:
    found = interval(pairs, level)
    back = interval(turned(pairs), level)
    assert -1 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    if pairs.rows:
        assert back.value == pytest.approx(-found.value)
        assert back.low == pytest.approx(-found.high, abs=1e-6)


@INTERVALS
@given(pairs=any_pairs().filter(lambda pairs: pairs.rows > 0), one=LEVELS, two=LEVELS)
def test_a_smaller_level_gives_wider_limits(
    interval: Interval, pairs: Pairs, one: float, two: float
) -> None:
    strict, loose = sorted((one, two))
    wide, narrow = interval(pairs, strict), interval(pairs, loose)
    assert wide.low <= narrow.low + 1e-9
    assert wide.high >= narrow.high - 1e-9


@given(any_pairs(), LEVELS, st.floats(0.001, 0.3))
def test_what_stays_within_a_margin_has_its_lower_limit_above_it(
    pairs: Pairs, level: float, margin: float
) -> None:
    low = recall_difference(pairs, level).low
    if abs(low + margin) > 1e-6:
        assert stays_within(pairs, margin, level) == (low > -margin)


@given(any_pairs().filter(lambda pairs: pairs.rows > 0), LEVELS)
def test_equal_counts_never_make_the_limits_wider(pairs: Pairs, level: float) -> None:
    tied, alone = (recall_difference(one, level) for one in (pairs, replace(pairs, side=None)))
    assert alone.low <= tied.low + 1e-6
    assert tied.high <= alone.high + 1e-6


@given(any_pairs().filter(lambda pairs: pairs.lost > 0))
def test_a_positive_found_more_is_never_worse(pairs: Pairs) -> None:
    more = Pairs(pairs.gained, pairs.lost - 1, pairs.rows)
    if pairs.side is not None:
        # Found in place of a row that is no positive: one that the candidate flags alone, or one
        # that the other flags alone then.
        side = pairs.side - 1 if pairs.side > pairs.gained else pairs.side
        more = replace(more, side=side)
    assert better(more) <= better(pairs) + 1e-12
    assert worse(more, 0.01) >= worse(pairs, 0.01) - 1e-9
    assert recall_difference(more, 0.05).low >= recall_difference(pairs, 0.05).low - 1e-9
    assert tango(more, 0.05).low >= tango(pairs, 0.05).low - 1e-9


@given(any_pairs())
def test_better_is_exact_whatever_the_pairs(pairs: Pairs) -> None:
    discordant = pairs.gained + pairs.lost
    expected = 1.0
    if discordant:
        expected = stats.binomtest(pairs.gained, discordant, alternative="greater").pvalue
    if discordant and pairs.side is not None:
        table = [[pairs.gained, pairs.side - pairs.gained], [pairs.lost, pairs.side - pairs.lost]]
        expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert better(pairs) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_by_its_definition_in_the_order_that_was_given(p_values: list[float]) -> None:
    adjusted = holm(np.array(p_values))
    assert adjusted.shape == (len(p_values),)
    ordered = sorted(p_values)
    for own, found in zip(p_values, adjusted, strict=True):
        steps = [
            (len(ordered) - place) * value
            for place, value in enumerate(ordered)
            if value <= own and place <= ordered.index(own)
        ]
        assert found == pytest.approx(min(1.0, max(steps)), abs=1e-12)


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 45))
def test_so_many_rows_are_flagged_as_are_wanted_and_no_better_one_is_left(
    grid: list[int], count: int
) -> None:
    scores = np.array(grid, dtype=np.float64)
    hashes = np.arange(len(grid), dtype=np.uint64)[::-1]
    flagged = top(scores, hashes, count)
    assert flagged.sum() == min(count, len(grid))
    if 0 < flagged.sum() < len(grid):
        assert scores[flagged].min() >= scores[~flagged].max()
        edge = scores == scores[flagged].min()
        if (edge & ~flagged).any():  # of equal scores the lowest hashes are flagged
            assert hashes[edge & flagged].max() < hashes[edge & ~flagged].min()
    assert not (top(scores, hashes, max(count - 1, 0)) & ~flagged).any()


# --- the variance, by the likelihood
# -----------------------------------------------------------------------------


def likeliest(pairs: Pairs, delta: float) -> float:
    """The variance of gained - lost for each row, from its definition: the shares of the most
    likely multinomial, and the rates of the most likely two Poisson counts, whose difference is
    `delta`, each searched for by number; and of two independent estimates of one number.
    """

    def unlikely(share: float) -> float:
        cells = (
            (pairs.gained, share + max(delta, 0.0)),
            (pairs.lost, share + max(-delta, 0.0)),
            (pairs.rows - pairs.gained - pairs.lost, 1 - 2 * share - abs(delta)),
        )
        return -sum(count * math.log(max(chance, 1e-300)) for count, chance in cells if count)

    tight = {"xatol": 1e-13}
    most = (1 - abs(delta)) / 2
    share = optimize.minimize_scalar(unlikely, bounds=(0, most), method="bounded", options=tight).x
    own = pairs.rows * (2 * share + abs(delta) - delta**2)
    if pairs.side is None:
        return own / pairs.rows
    # Of the rest the other model flags `left` alone and the candidate `taken`: for each positive
    # that is gained a row is taken off.
    left, taken = pairs.side - pairs.lost, pairs.side - pairs.gained
    moved = delta * pairs.rows

    def unlikely_rest(rate: float) -> float:
        rates = rate + max(moved, 0.0), rate + max(-moved, 0.0)
        counts = left, taken
        return sum(
            one - count * math.log(max(one, 1e-300))
            for one, count in zip(rates, counts, strict=True)
        )

    found = optimize.minimize_scalar(
        unlikely_rest, bounds=(0, 4 * pairs.side + 10), method="bounded", options=tight
    ).x
    rest = 2 * found + abs(moved)
    return own * rest / (own + rest) / pairs.rows


@pytest.mark.parametrize("side", [None, 40, 100, 2_000])
@pytest.mark.parametrize("delta", [-0.2, -0.03, -0.001, 0.0, 0.004, 0.15])
@pytest.mark.parametrize(("gained", "lost"), [(20, 11), (3, 30), (1, 0), (0, 1)])
def test_the_variance_is_that_of_the_likeliest_shares(
    side: int | None, delta: float, gained: int, lost: int
) -> None:
    pairs = Pairs(gained, lost, 500, side)
    assert unit_variance(pairs, delta) == pytest.approx(likeliest(pairs, delta), rel=2e-3, abs=1e-8)


def test_groups_widen_the_variance_by_their_design() -> None:
    for pairs in (Pairs(20, 11, 500), Pairs(20, 11, 500, 100)):
        wide = replace(pairs, design=Design(3.0, 9.0))
        assert unit_variance(wide, 0.01) == pytest.approx(3 * unit_variance(pairs, 0.01))


def test_where_nothing_differs_there_is_no_variance_and_little_is_some() -> None:
    assert unit_variance(Pairs(0, 0, 10, 0), 0.0) == 0.0
    assert unit_variance(Pairs(0, 0, 10), 0.0) == 0.0
    assert unit_variance(Pairs(0, 0, 10, 1), 0.01) > 0
    none = Pairs(0, 0, 10, 0)  # both parts are below one row
    assert unit_variance(none, 0.01) == pytest.approx(likeliest(none, 0.01), rel=1e-3)
    assert unit_variance(none, 0.01) > 0


# --- the limits
# -----------------------------------------------------------------------------


def test_a_limit_is_the_end_where_every_row_was_gained_or_lost() -> None:
    for level in (0.5, 0.05, 1e-4):
        assert recall_difference(Pairs(30, 0, 30), level).high == 1.0
        assert recall_difference(Pairs(0, 30, 30), level).low == -1.0


def test_a_limit_is_as_far_away_as_it_can_be_where_no_difference_is_too_far() -> None:
    """With one degree of freedom and this level nothing is."""
    found = recall_difference(Pairs(2, 1, 40, design=Design(1.0, 1.0)), 1e-6)
    assert (found.low, found.value, found.high, found.level) == (-1.0, 0.025, 1.0, 1e-6)
    nearer = recall_difference(Pairs(1, 1, 40), 0.05)
    assert -1.0 < nearer.low < 0.0 < nearer.high < 1.0


def test_students_quantile_takes_the_place_of_the_normal_one_where_groups_are_few() -> None:
    pairs = Pairs(60, 40, 900, 150, Design(2.0, 4.0))
    found, level = recall_difference(pairs, 0.05), stats.norm.sf(stats.t(4.0).isf(0.05))
    by_level = recall_difference(replace(pairs, design=Design(2.0, 1e12)), level)
    assert (found.low, found.high) == pytest.approx((by_level.low, by_level.high), abs=1e-6)
    assert found.level == 0.05


def test_worse_is_the_tail_of_students_distribution_where_groups_are_few() -> None:
    pairs = Pairs(10, 40, 900, 150, Design(2.0, 4.0))
    distance = -30 + 900 * 0.01  # below what a loss of one point would be
    statistic = (distance + 0.25) / math.sqrt(900 * unit_variance(pairs, -0.01))
    assert worse(pairs, 0.01) == pytest.approx(stats.t(4.0).cdf(statistic))


def test_a_difference_that_is_expected_is_no_evidence() -> None:
    """Within the correction of a whole number the statistic is zero."""
    assert worse(Pairs(7, 7, 100), 0.0) == 0.5
    assert worse(Pairs(7, 17, 100), 0.1) == 0.5
    assert worse(Pairs(0, 0, 50), 0.0) == 0.5
    assert worse(Pairs(0, 0, 50, 0), 0.02) > 0.5  # a loss of one row would have been seen


def test_what_stays_within_a_margin_is_what_the_test_says_at_the_level() -> None:
    pairs = Pairs(40, 52, 2_000, 200)
    for margin in (0.001, 0.01, 0.013, 0.02, 0.05):
        within = recall_difference(pairs, 0.05).low > -margin
        assert stays_within(pairs, margin, 0.05) is within
    assert not stays_within(pairs, 0.001, 0.05)
    assert stays_within(pairs, 0.05, 0.05)
    # A limit that lies on the margin does not lie above it.
    assert worse(Pairs(7, 7, 100), 0.0) == 0.5
    assert not stays_within(Pairs(7, 7, 100), 0.0, 0.5)


# --- rows that belong together
# -----------------------------------------------------------------------------

PUPILS, CLASSES = 240, np.arange(240) // 6 % 31
KNOWS = np.random.default_rng(12)
PASSED = (KNOWS.random(PUPILS) < 0.4).astype(np.int64)
MINE = KNOWS.random(PUPILS) < 0.2 + 0.5 * PASSED
THEIRS = KNOWS.permutation(MINE)


def recalls_apart(weights: np.ndarray) -> float:
    """The difference of two recalls where each row counts so often."""
    positive = PASSED * weights
    return float((positive * MINE).sum() - (positive * THEIRS).sum()) / float(positive.sum())


def test_the_design_of_a_difference_in_recall_is_by_what_each_row_moves_it() -> None:
    """What a row moves it by is measured: it counts a little more."""
    step = 1e-6
    every = np.ones(PUPILS)
    moved = np.array(
        [
            (recalls_apart(every + step * (np.arange(PUPILS) == row)) - recalls_apart(every)) / step
            for row in range(PUPILS)
        ]
    )
    positive = PASSED == 1
    wanted = design_of(moved[positive], CLASSES[positive])
    found = on_positives(PASSED, MINE, THEIRS, CLASSES)
    assert found.design.factor == pytest.approx(wanted.factor, rel=1e-4)
    assert found.design.freedom == pytest.approx(wanted.freedom, rel=1e-4)
    assert (found.gained, found.lost, found.rows) == (
        int((positive & MINE & ~THEIRS).sum()),
        int((positive & THEIRS & ~MINE).sum()),
        int(positive.sum()),
    )


def test_at_equal_counts_a_row_that_is_flagged_takes_the_place_of_another() -> None:
    """A negative row that moves in moves a positive one out as often as those that differ are
    positive, so each row is counted less that share.
    """
    found = at_equal_counts(PASSED, MINE, THEIRS, CLASSES)
    apart = MINE.astype(int) - THEIRS.astype(int)
    share, count = found.positive_share, PASSED.sum()
    gain = (PASSED * apart).sum() / count
    moved = (PASSED - share) * apart - PASSED * gain
    judged = (PASSED == 1) | (apart != 0)
    wanted = design_of(moved[judged], CLASSES[judged])
    assert found.design.factor == pytest.approx(wanted.factor)
    assert found.design.freedom == pytest.approx(wanted.freedom)
    assert found.side == int((MINE & ~THEIRS).sum())


def test_better_by_groups_is_the_less_sure_of_two_tests() -> None:
    rows = Pairs(60, 40, 900, 150)
    for design in (Design(1.0, 50.0), Design(4.0, 5.0)):
        grouped = replace(rows, design=design)
        statistic = (20 - 0.25) / math.sqrt(900 * unit_variance(grouped, 0.0))
        by_groups = stats.t(design.freedom).sf(statistic)
        assert better(grouped) == pytest.approx(max(better(rows), by_groups))


def test_equal_counts_are_required_and_named() -> None:
    with pytest.raises(ValueError, match=r"^3 and 1 rows are flagged; equal numbers are required$"):
        at_equal_counts(np.ones(4), np.arange(4) < 3, np.arange(4) < 1)


def test_the_mean_of_differences_of_groups_has_students_limits_by_their_design() -> None:
    mine, theirs = KNOWS.random(PUPILS), KNOWS.random(PUPILS)
    apart = mine - theirs
    design = design_of(apart - apart.mean(), CLASSES)
    error = apart.std(ddof=1) / math.sqrt(PUPILS) * math.sqrt(design.factor)
    reach = stats.t(design.freedom).isf(0.05) * error
    found = mean_difference(mine, theirs, 0.05, CLASSES)
    wanted = (apart.mean(), apart.mean() - reach, apart.mean() + reach)
    assert (found.value, found.low, found.high) == pytest.approx(wanted)
    assert found.level == 0.05
