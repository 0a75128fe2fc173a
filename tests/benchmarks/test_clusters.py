"""The benchmark of rows that belong together: its truths, and a few draws of each kind."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.clusters import SIZES, World, draw, equals, held
from sluice.model.quality.statistics import roc_auc


def test_what_is_called_true_is_what_many_rows_have() -> None:
    world, chance = World(1.6, 1.5), np.random.default_rng(1)
    rows = draw(world, 400_000, "1", 0.0, chance)
    mine, theirs = world.cuts
    flagged, positive = rows.candidate >= mine, rows.labels == 1
    assert flagged.mean() == pytest.approx((rows.other >= theirs).mean(), abs=0.003)
    assert flagged[positive].mean() == pytest.approx(world.recalls[0], abs=0.004)
    assert positive[flagged].mean() == pytest.approx(world.precision, abs=0.004)
    assert roc_auc(rows.labels, rows.candidate) == pytest.approx(world.area, abs=0.003)


@pytest.mark.parametrize("size", SIZES[1:])
def test_rows_of_a_cluster_have_the_correlation_that_is_asked_for(size: str) -> None:
    rows = draw(World(1.6, 1.5), 60_000, size, 0.5, np.random.default_rng(2))
    assert rows.clusters is not None
    pairs = np.flatnonzero(rows.clusters[1:] == rows.clusters[:-1])
    for values in (rows.labels, rows.candidate):
        found = stats.pearsonr(values[pairs], values[pairs + 1]).statistic
        assert found == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("size", SIZES)
def test_a_few_draws_are_held_and_equals_are_not_called_better(size: str) -> None:
    world, chance = World(1.6, 1.5), np.random.default_rng(3)
    holds = [held(world, draw(world, 900, size, 0.5, chance), chance) for _ in range(60)]
    for name in holds[0]:
        assert np.mean([one[name] for one in holds]) >= 0.85, name
    alike = World(1.5, 1.5)
    by_clusters, by_rows = equals(lambda drawn: draw(alike, 900, size, 0.5, drawn), 60, chance)
    assert (by_clusters >= by_rows - 1e-12).all()
    assert (by_clusters <= 0.0025).mean() <= 0.02
