"""What the trials of fleets rest on: calibrated scores, and models that are alike or not."""

from pathlib import Path

import numpy as np
import pytest
from support.fleets import COLUMN

from benchmarks.fleet import by_key
from benchmarks.fleet.judging import promoted, scores, shard
from sluice.fleet.judging import judge, verdicts_of
from sluice.served.scoring import load_model


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


def test_what_is_compared_by_key_are_a_fleet_and_a_single_model_of_its_columns(
    tmp_path: Path,
) -> None:
    records = by_key.fleet(tmp_path / "fleet", 5)
    keyed = load_model(tmp_path / "fleet").score_records(records)
    assert len(set(keyed.tolist())) == 5
    [record] = by_key.single(tmp_path / "single")
    alone = load_model(tmp_path / "single")
    assert 0 < alone.score_records([record])[0] < 1
    assert records[0] == {COLUMN: "S0000", **record}


def test_a_share_of_throughput_is_told_beside_what_is_required(
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_key.tell("one", [(100.0, 1e-3), (120.0, 1e-3)], [(99.0, 2e-3), (99.0, 2e-3)], 1000)
    told = capsys.readouterr().out
    assert "99.0 requests a second by key among 1,000 models, 110.0 of a single model" in told
    assert "0.50 of the throughput, at least 0.9 is required" in told
