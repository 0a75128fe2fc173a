"""The simulation of canaries: worlds are what their names say, and are told apart."""

import pytest

from benchmarks.canary import FLAGGED, WORLDS, World, alone, run
from sluice.policy import CanaryPolicy


def test_the_same_model_passes_and_a_wrong_one_is_taken_back_early() -> None:
    same = run(World("same", 0.25), 6, CanaryPolicy())
    assert (same.taken_back, same.passed) == (0.0, 1.0)
    wrong = run(World("wrong", 0.25, 0.25), 6, CanaryPolicy())
    assert (wrong.taken_back, wrong.passed) == (1.0, 0.0)
    assert 20 <= wrong.until_then <= 250
    assert wrong.z_test == wrong.ten_points == 1.0


def test_a_change_that_replay_foretold_passes() -> None:
    foretold = run(World("foretold", 0.25, 0.2, foretold=6000), 4, CanaryPolicy())
    assert (foretold.taken_back, foretold.passed) == (0.0, 1.0)


def test_alone_the_share_flagged_errs_at_most_as_often_as_its_level_says() -> None:
    taken_back, _ = alone(0.25, 0.0, 0.0, 200).split()
    assert float(taken_back.rstrip("%")) <= 5.0
    assert alone(0.25, 0.2, 0.0, 50).split()[0] == "100.0%"


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_name_says_what_is_drawn(world: World) -> None:
    assert f"{world.weight:.0%}".rstrip("%") in world.name
    assert 0.0 <= FLAGGED + world.change <= 1.0
    assert ("same" in world.name) == (world.change == 0.0)
    assert ("foretold" in world.name) == bool(world.foretold)
