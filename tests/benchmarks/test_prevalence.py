"""Limits that travel, as the benchmark draws them: few draws of what it promises of many."""

import pytest

from benchmarks.honest import ROOT, Draw, judged
from benchmarks.prevalence import PLACES, Place, reached
from sluice.policy import load_policy

SHIPPED = load_policy((ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8"))


def drawn(place: Place, rows: int, above: float, count: int) -> list[Draw]:
    """First releases of models whose recall lies so far above its floor."""
    of, policy = place.source(place.recall + above), place.policy(SHIPPED)
    return [judged(rows, of, policy, seed, known=False) for seed in range(count)]


@pytest.mark.parametrize("place", PLACES)
def test_an_honest_model_of_few_rows_is_not_refused_as_guilty(place: Place) -> None:
    draws = drawn(place, 1_500, 0.035, 15)
    # One in twenty is promised; three of fifteen are seen once in thirty times then.
    assert reached(draws, "REJECT") < 3 / 15
    assert reached(draws, "PROMOTE") < 3 / 15


def test_a_model_ten_points_below_its_floor_is_refused_where_a_tenth_is_positive() -> None:
    draws = drawn(PLACES[1], 5_000, -0.1, 12)
    assert reached(draws, "REJECT") >= 8 / 12
    assert reached(draws, "PROMOTE") == 0
