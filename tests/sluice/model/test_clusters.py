"""Rows that belong together: what a copy of a row adds, and limits that hold the truth."""

import math

import numpy as np
import pytest

from sluice.gate.paired import (
    at_equal_counts,
    better,
    mean_difference,
    on_positives,
    recall_difference,
)
from sluice.model.clusters import INDEPENDENT, alike, design_of, numbered, of_share
from sluice.model.statistics import (
    calibration_gap,
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
