"""What the trials of fleets rest on: calibrated scores, and models that are alike or not."""

import numpy as np

from benchmarks.fleet import promoted, scores, shard
from sluice.fleet.judging import judge, verdicts_of


def test_scores_are_probabilities() -> None:
    chance = np.random.default_rng(4)
    labels = (chance.random(60_000) < 0.3).astype(np.int64)
    told = scores(chance, labels, chance.normal(size=len(labels)), 1.7)
    for low, high in ((0.1, 0.2), (0.4, 0.5), (0.7, 0.8)):
        inside = (told >= low) & (told < high)
        assert abs(labels[inside].mean() - told[inside].mean()) < 0.03


def test_equal_models_are_kept_and_much_better_ones_are_promoted() -> None:
    chance = np.random.default_rng(5)
    equal = verdicts_of(judge(shard(chance, 6, 500, 0.0)))
    better = verdicts_of(judge(shard(chance, 4, 2000, 0.7)))
    assert promoted(equal) == []
    assert len(promoted(better)) == 4
