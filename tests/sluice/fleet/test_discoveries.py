"""Which of many tests are discoveries: those of statsmodels, and few of them false."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from sluice.fleet.discoveries import shares

LEVEL = 0.05


@pytest.mark.parametrize(("dependent", "method"), [(False, "fdr_bh"), (True, "fdr_by")])
def test_the_discoveries_are_those_of_statsmodels(dependent: bool, method: str) -> None:
    chance = np.random.default_rng(5)
    for _ in range(50):
        small = chance.random(8) * 10.0 ** -chance.integers(1, 5)
        values = np.concatenate([chance.random(60), small])
        mine = values <= LEVEL * shares(values, LEVEL, dependent=dependent)
        assert (mine == multipletests(values, LEVEL, method)[0]).all()


def test_without_a_discovery_each_has_the_share_of_the_first() -> None:
    assert shares(np.array([0.9, 0.5, 0.2, 0.4]), LEVEL).tolist() == [0.25] * 4
    assert shares(np.zeros(0), LEVEL).tolist() == []


def test_a_single_test_has_the_whole_level() -> None:
    assert shares(np.array([0.04]), LEVEL).tolist() == [1.0]


def test_fleets_of_equal_models_promote_one_in_at_most_the_level() -> None:
    chance = np.random.default_rng(6)
    promoted = 0
    for _ in range(2000):
        values = chance.random(200)
        promoted += bool((values <= LEVEL * shares(values, LEVEL)).any())
    assert promoted / 2000 <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / 2000)
