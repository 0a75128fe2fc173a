"""Rows that belong together: what a copy of a row adds, and limits that hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, special, stats
from statsmodels.stats.proportion import proportion_confint

from sluice.gate.paired import (
    at_equal_counts,
    better,
    mean_difference,
    on_positives,
    recall_difference,
)
from sluice.model.quality.clusters import (
    INDEPENDENT,
    Design,
    alike,
    design_of,
    numbered,
    of_share,
    sums,
)
from sluice.model.quality.statistics import (
    calibration_error,
    calibration_gap,
    roc_auc,
    roc_auc_design,
    roc_auc_interval,
    roc_auc_variance,
    wilson,
    wilson_high,
    wilson_low,
)

CHANCE = np.random.default_rng(3)
ROWS, COPIES = 1_500, 4
LABELS = (CHANCE.random(ROWS) < 0.4).astype(np.int64)
SCORES = np.clip(0.25 + 0.3 * LABELS + 0.2 * CHANCE.standard_normal(ROWS), 0.01, 0.99)
OTHERS = np.clip(SCORES + 0.1 * CHANCE.standard_normal(ROWS), 0.01, 0.99)


def copied(values: np.ndarray) -> np.ndarray:
    """Every row several times."""
    return np.repeat(values, COPIES)


OWNERS = numbered(copied(np.arange(ROWS)))


def test_groups_become_numbers_and_groups_of_one_row_are_none() -> None:
    assert numbered(None) is None
    assert numbered(np.array([7, 5, 9], dtype=np.uint64)) is None
    found = numbered(np.array(["b", "a", "b"]))
    assert found is not None
    assert found.tolist() == [1, 0, 1]


def test_rows_without_clusters_are_independent_to_the_last_bit() -> None:
    design = design_of(SCORES, None)
    assert design == INDEPENDENT == of_share(LABELS == 1, LABELS >= 0, None)
    assert design.independent
    assert design.as_if(0.05) == 0.05
    assert wilson(70, 100, 0.9, design) == wilson(70, 100, 0.9)


def test_copies_of_rows_are_worth_no_more_than_the_rows() -> None:
    assert OWNERS is not None
    assert alike(OWNERS) == COPIES
    flagged = copied(SCORES >= 0.5)
    design = of_share(copied(LABELS) == 1, flagged, OWNERS)
    assert design.factor == pytest.approx(COPIES, rel=0.05)
    hits, of = int((copied(LABELS) * flagged).sum()), int(flagged.sum())
    by_copies = wilson(hits, of, 0.9, design)
    by_rows = wilson(hits // COPIES, of // COPIES, 0.9)
    assert by_copies == pytest.approx(by_rows, abs=0.002)
    assert by_copies[0] <= by_rows[0] < by_rows[1] <= by_copies[1]


def test_an_area_and_a_mean_of_copies_are_no_surer_than_those_of_the_rows() -> None:
    alone = roc_auc_variance(LABELS, SCORES)
    together = roc_auc_variance(copied(LABELS), copied(SCORES), OWNERS)
    assert together == pytest.approx(alone, rel=0.02)
    by_rows = roc_auc_interval(LABELS, SCORES, 0.9)
    by_copies = roc_auc_interval(copied(LABELS), copied(SCORES), 0.9, OWNERS)
    assert by_copies == pytest.approx(by_rows, abs=0.002)
    mean = mean_difference(SCORES, OTHERS, 0.05)
    of_copies = mean_difference(copied(SCORES), copied(OTHERS), 0.05, OWNERS)
    assert of_copies.high - of_copies.low == pytest.approx(mean.high - mean.low, rel=0.02)
    gap = calibration_gap(LABELS, SCORES, 0.05)
    of_copied = calibration_gap(copied(LABELS), copied(SCORES), 0.05, clusters=OWNERS)
    assert of_copied.value == pytest.approx(gap.value, abs=0.01)
    assert of_copied.low <= gap.low + 0.005


def test_two_models_on_copies_differ_no_more_surely_than_on_the_rows() -> None:
    mine, theirs = np.median(SCORES) < SCORES, np.median(OTHERS) < OTHERS
    pairs = at_equal_counts(LABELS, mine, theirs)
    of_copies = at_equal_counts(copied(LABELS), copied(mine), copied(theirs), OWNERS)
    wrongly = at_equal_counts(copied(LABELS), copied(mine), copied(theirs))
    assert better(wrongly) < better(of_copies)
    assert better(of_copies) == pytest.approx(better(pairs), abs=0.03)
    narrow, wide = (recall_difference(one, 0.05) for one in (pairs, of_copies))
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.1)
    shipped = on_positives(copied(LABELS), copied(mine), copied(theirs), OWNERS)
    assert shipped.design.factor == pytest.approx(COPIES, rel=0.05)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_so_few_clusters_say_nothing_surely(count: int) -> None:
    """Neither an error nor a limit that is no number, and hardly a limit at all."""
    clusters = np.repeat(np.arange(count), 30)
    hits = np.arange(len(clusters)) % 4 > 0
    design = of_share(hits, np.ones(len(hits), dtype=bool), clusters)
    low, high = (
        limit(int(hits.sum()), len(hits), 0.05, design) for limit in (wilson_low, wilson_high)
    )
    assert 0.0 <= low <= high <= 1.0
    labels = hits.astype(np.int64)
    pairs = on_positives(labels, hits, hits & (clusters > 0), clusters)
    found = recall_difference(pairs, 0.05)
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0
    assert 0.0 <= better(pairs) <= 1.0
    if count == 2:  # all that was gained is of one cluster
        assert better(pairs) > 0.05


def test_where_nothing_differs_rows_of_a_cluster_count_as_one() -> None:
    clusters = np.repeat(np.arange(40), 5)
    labels = np.ones(200, dtype=np.int64)
    same = np.ones(200, dtype=bool)
    pairs = on_positives(labels, same, same, clusters)
    found = recall_difference(pairs, 0.05)
    of_one_each = recall_difference(on_positives(labels[:40], same[:40], same[:40]), 0.05)
    assert found.high == pytest.approx(of_one_each.high, rel=0.1)
    assert found.high > 0.05
    assert math.isclose(found.high, -found.low, rel_tol=1e-6)


def test_limits_hold_the_truth_where_rows_of_a_cluster_are_alike() -> None:
    """A recall of 0.7, clusters of five, a correlation of 0.5; by rows 0.85 of the limits do."""
    chance, held, by_rows, draws = np.random.default_rng(8), 0, 0, 600
    for _ in range(draws):
        owners = np.repeat(np.arange(120), 5)
        common = (chance.random(120) < 0.7)[owners]
        own = chance.random(600) < 0.7
        hits = np.where(chance.random(600) < math.sqrt(0.5), common, own)
        design = of_share(hits, np.ones(600, dtype=bool), owners)
        count = int(hits.sum())
        held += wilson_low(count, 600, 0.05, design) <= 0.7
        by_rows += wilson_low(count, 600, 0.05) <= 0.7
    assert held / draws >= 0.93
    assert by_rows / draws <= 0.88


@pytest.mark.parametrize("size", [2, 4, 10])
def test_rows_that_are_all_alike_count_as_one_a_cluster(size: int) -> None:
    """Beside those that were seen some are taken to be alike. Here all are, so it adds nothing."""
    clusters = np.repeat(np.arange(200), size)
    hits = np.repeat(np.random.default_rng(5).random(200) < 0.4, size)
    found = of_share(hits, np.ones(len(hits), dtype=bool), clusters)
    assert found.factor == pytest.approx(size, rel=0.02)


# --- by definition, cluster by cluster
# -----------------------------------------------------------------------------

UNEVEN = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4])
MOVED = np.array([0.5, -0.2, 0.1, 0.4, -0.3, -0.1, 0.2, -0.4, 0.3, -0.6, 0.2, 0.1])


def jackknifed(moved: np.ndarray, clusters: np.ndarray) -> Design:
    """The design effect from its definition: what each cluster moves the estimate by once it is
    left out, one after another.
    """
    alone = sum(one**2 for one in moved)
    squares = []
    for name in sorted(set(clusters)):
        inside = [one for one, of in zip(moved, clusters, strict=True) if of == name]
        squares.append((sum(inside) / (1 - min(len(inside) / len(moved), 0.99))) ** 2)
    weight = sum(squares) ** 2 / sum(square**2 for square in squares)
    return Design(max(sum(squares) / alone, 1.0), max(weight, 2.0) - 1)


@pytest.mark.parametrize(
    "moved", [MOVED, 100 * MOVED, -MOVED, MOVED**2, np.sin(np.arange(12.0))], ids=range(5)
)
def test_the_design_is_what_leaving_each_cluster_out_says(moved: np.ndarray) -> None:
    found, wanted = design_of(moved, UNEVEN), jackknifed(moved, UNEVEN)
    assert found.factor == pytest.approx(wanted.factor, rel=1e-12)
    assert found.freedom == pytest.approx(wanted.freedom, rel=1e-12)


def test_a_cluster_that_is_all_rows_or_nearly_all_makes_everything_unsure() -> None:
    """Without it nothing would be left, so it is taken to be 99 % of the rows."""
    alone = design_of(np.ones(5), np.zeros(5, dtype=int))
    assert (alone.factor, alone.freedom) == (pytest.approx(5 * 100.0**2), 1.0)
    owners = np.array([1] + [0] * 199)
    found, wanted = design_of(np.ones(200), owners), jackknifed(np.ones(200), owners)
    assert (found.factor, found.freedom) == pytest.approx((wanted.factor, wanted.freedom))


def test_clusters_of_equal_weight_are_each_a_degree_of_freedom_but_for_one() -> None:
    owners = np.repeat(np.arange(8), 3)
    design = design_of(np.where(owners % 2, 1.0, -1.0), owners)
    assert design.freedom == pytest.approx(7)
    assert design.factor == pytest.approx(3 / (1 - 1 / 8) ** 2)


def test_rows_of_a_cluster_that_cancel_each_other_narrow_no_limit() -> None:
    owners = np.repeat(np.arange(10), 2)
    moved = np.tile([1.0, -0.9], 10)
    assert design_of(moved, owners).factor == 1.0


def test_where_no_row_moves_the_clusters_themselves_are_counted() -> None:
    by_size = jackknifed(np.ones(12), UNEVEN)
    assert design_of(np.zeros(12), UNEVEN) == by_size


def test_what_a_cluster_moves_is_the_sum_of_its_rows() -> None:
    assert sums(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1, 0, 1, 2])).tolist() == [2, 5, 8]
    assert sums(MOVED, None) is MOVED


def test_how_alike_rows_are_at_most_is_the_size_of_a_cluster_as_a_row_sees_it() -> None:
    seen = [sum(other == mine for other in UNEVEN) for mine in UNEVEN]
    assert alike(UNEVEN) == pytest.approx(sum(seen) / len(seen))
    assert alike(np.arange(7)) == 1.0


def test_a_share_has_ten_clusters_beside_those_that_are_there() -> None:
    """Ten clusters more, of the mean size, whose rows are all alike."""
    hits = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1], dtype=bool)
    of = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], dtype=bool)
    inside, clusters = hits[of].astype(float), UNEVEN[of]
    found, size = jackknifed(inside - inside.mean(), clusters), alike(clusters)
    rows, unseen = 11, 10 * size
    together = (rows * found.factor + unseen * size) / (rows + unseen)
    assert of_share(hits, of, UNEVEN) == Design(pytest.approx(together), found.freedom)


def test_a_share_of_no_rows_has_a_design_that_says_nothing() -> None:
    nothing = of_share(np.zeros(12, dtype=bool), np.zeros(12, dtype=bool), UNEVEN)
    assert nothing.freedom == 1.0
    assert nothing.factor >= 1.0
    assert wilson(0, 0, 0.9, nothing) == (0.0, 1.0)


# --- what a design does to a test
# -----------------------------------------------------------------------------


def test_rows_are_independent_by_themselves() -> None:
    assert (INDEPENDENT.factor, INDEPENDENT.freedom) == (1.0, math.inf)
    assert Design() == INDEPENDENT
    assert not Design(1.0, 1e9).independent


@pytest.mark.parametrize("level", [0.5, 0.05, 0.001])
@pytest.mark.parametrize("freedom", [1.0, 4.5, 80.0, math.inf])
def test_quantile_and_tail_are_students_and_of_independent_rows_normal(
    level: float, freedom: float
) -> None:
    design = Design(3.0, freedom)
    distribution = stats.norm if math.isinf(freedom) else stats.t(freedom)
    assert design.quantile(level) == pytest.approx(distribution.isf(level))
    for errors in (-2.0, -0.3, 0.0, 1.7):
        assert design.tail(errors) == pytest.approx(distribution.cdf(errors))
    assert design.tail(-design.quantile(level)) == pytest.approx(level)
    assert design.as_if(level) == pytest.approx(stats.norm.sf(design.quantile(level)))


@pytest.mark.parametrize(("hits", "of"), [(70, 100), (3, 40), (0, 30), (30, 30)])
@pytest.mark.parametrize("factor", [1.0, 2.5, 9.0])
def test_a_share_is_known_as_well_as_by_so_many_rows_fewer(
    hits: int, of: int, factor: float
) -> None:
    """Against the interval of statsmodels, which takes parts of rows too."""
    surely = Design(factor, 1e9)
    wanted = proportion_confint(hits / factor, of / factor, alpha=0.1, method="wilson")
    assert wilson(hits, of, 0.9, surely) == pytest.approx(wanted, abs=1e-7)
    assert wilson_low(hits, of, 0.05, surely) == pytest.approx(wanted[0], abs=1e-7)
    assert wilson_high(hits, of, 0.05, surely) == pytest.approx(wanted[1], abs=1e-7)


def test_few_clusters_take_students_quantile_for_a_share() -> None:
    few = Design(2.0, 3.0)
    as_sure = stats.norm.sf(stats.t(3.0).isf(0.05))
    wanted = proportion_confint(20, 50, alpha=2 * as_sure, method="wilson")
    assert (wilson_low(40, 100, 0.05, few), wilson_high(40, 100, 0.05, few)) == pytest.approx(
        wanted
    )


# --- areas and calibration
# -----------------------------------------------------------------------------


def placed(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What each row moves the area by: its share of the other class on the right side of it, ties
    half, less the mean, for each row of its class.
    """
    moved = np.empty(len(labels))
    for row, (label, score) in enumerate(zip(labels, scores, strict=True)):
        others = scores[labels != label]
        right = (others < score) if label else (others > score)
        moved[row] = (right + 0.5 * (others == score)).mean()
    for label in (0, 1):
        moved[labels == label] -= moved[labels == label].mean()
        moved[labels == label] /= (labels == label).sum()
    return moved


FEW_ROWS = slice(0, 60)
TIED = np.round(SCORES[FEW_ROWS], 1)
FEW_LABELS, TEAMS = LABELS[FEW_ROWS], np.arange(60) // 4 % 11


@pytest.mark.parametrize("clusters", [None, TEAMS], ids=["rows", "clusters"])
def test_the_variance_of_an_area_by_definition(clusters: np.ndarray | None) -> None:
    found = roc_auc_variance(FEW_LABELS, TIED, clusters)
    moved, positive = placed(FEW_LABELS, TIED), FEW_LABELS == 1
    by_rows = sum(
        (moved[one] ** 2).sum() * one.sum() / (one.sum() - 1) for one in (positive, ~positive)
    )
    factor = design_of(moved, clusters).factor
    assert roc_auc_design(FEW_LABELS, TIED, clusters).factor == pytest.approx(factor)
    assert found == pytest.approx(by_rows * factor)


def test_the_interval_of_an_area_of_clusters_is_on_the_scale_of_odds() -> None:
    area = roc_auc(FEW_LABELS, TIED)
    variance = roc_auc_variance(FEW_LABELS, TIED, TEAMS)
    design = roc_auc_design(FEW_LABELS, TIED, TEAMS)
    reach = stats.t(design.freedom).isf(0.05) * math.sqrt(variance) / (area * (1 - area))
    wanted = [special.expit(special.logit(area) + sign * reach) for sign in (-1, 1)]
    assert roc_auc_interval(FEW_LABELS, TIED, 0.9, TEAMS) == pytest.approx(wanted)


def test_an_area_of_clusters_that_is_perfect_has_no_odds_and_no_error() -> None:
    labels, clusters = np.array([1, 1, 1, 0, 0, 0]), np.array([0, 0, 1, 1, 2, 2])
    assert roc_auc_interval(labels, labels.astype(float), 0.9, clusters) == (1.0, 1.0)
    assert roc_auc_interval(labels, 1.0 - labels, 0.9, clusters) == (0.0, 0.0)


def test_a_part_in_which_nothing_is_off_has_no_spread_that_groups_could_share() -> None:
    """Each part holds one row, so no row differs from the mean of its part."""
    gap = calibration_gap(LABELS[:3], SCORES[:3], 0.05, clusters=np.array([0, 0, 1]))
    assert 0.0 <= gap.low <= gap.value <= gap.high


def folded(variances: list[float]) -> Callable[[float], tuple[float, float]]:
    """Mean and standard deviation of the calibration error over equally large parts, each of whose
    mean outcomes has such a variance, for a true gap: distances of normal variables from zero.
    """

    def at(gap: float) -> tuple[float, float]:
        of = [stats.foldnorm(gap / math.sqrt(one), scale=math.sqrt(one)) for one in variances]
        spread = math.sqrt(sum(part.var() for part in of)) / len(of)
        return sum(part.mean() for part in of) / len(of), spread

    return at


OFF = np.clip(SCORES - 0.07, 0.0, 1.0)


@pytest.mark.parametrize("clusters", [None, np.arange(ROWS) // 3 % 400], ids=["rows", "clusters"])
def test_the_gap_and_its_limits_are_those_at_which_the_error_is_expected(
    clusters: np.ndarray | None,
) -> None:
    """The limits are gaps for which the error that was measured lies at the edge of chance."""
    parts = np.array_split(np.argsort(OFF, kind="stable"), 10)
    off = LABELS - OFF
    inside, part_of = off.copy(), np.empty(ROWS, dtype=int)
    for number, rows in enumerate(parts):
        inside[rows] -= off[rows].mean()
        part_of[rows] = number
    design, together = INDEPENDENT, 1.0
    if clusters is not None:
        # The rows of a group within a part move together, and a group has rows in many parts.
        pieces = np.unique(np.column_stack([clusters, part_of]), axis=0, return_inverse=True)[1]
        design = design_of(inside, pieces)
        in_parts = sum(inside[pieces == piece].sum() ** 2 for piece in range(pieces.max() + 1))
        whole = sum(inside[clusters == group].sum() ** 2 for group in range(400))
        together = math.sqrt(max(whole / in_parts, 1.0))
    variances = []
    for rows in parts:
        rate = LABELS[rows].mean()
        by_scores = (OFF[rows] * (1 - OFF[rows])).mean()
        variances.append(max(by_scores, rate * (1 - rate)) / len(rows) * design.factor)
    at, error = folded(variances), calibration_error(LABELS, OFF)
    reach = design.quantile(0.05) * together

    def beyond(gap: float, side: int) -> float:
        expected, spread = at(gap)
        return expected + side * reach * spread - error

    wanted = [optimize.brentq(beyond, 0.0, 0.9, args=(side,)) for side in (1, 0, -1)]
    found = calibration_gap(LABELS, OFF, 0.05, clusters=clusters)
    assert (found.low, found.value, found.high) == pytest.approx(wanted, abs=1e-4)
    assert found.low > 0.03
