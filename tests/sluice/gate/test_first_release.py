"""What a first release needs: against draws, there and back, and what the verdict says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.holdouts import better, first

from sluice.gate.first_release import ABOVE, first_release, rows_needed
from sluice.model.quality.statistics import wilson_low


@pytest.mark.parametrize("floor", [0.05, 0.3, 0.72, 0.9])
@pytest.mark.parametrize("above", [0.02, 0.05])
def test_so_many_rows_clear_the_floor_as_often_as_is_told(floor: float, above: float) -> None:
    rows = rows_needed(floor, above, 0.05, 0.8)
    hits = np.random.default_rng(1).binomial(rows, floor + above, 800)
    low = {count: wilson_low(int(count), rows, 0.05) for count in np.unique(hits)}
    cleared = np.mean([low[count] >= floor for count in hits])
    assert cleared == pytest.approx(0.8, abs=0.05)


@given(st.floats(0.05, 0.95), st.integers(200, 50_000))
def test_what_clears_the_floor_needs_the_rows_that_there_are(floor: float, rows: int) -> None:
    told = first_release(floor, rows, 0.05, 0.8)
    if told.clears is not None:
        assert rows_needed(floor, told.clears - floor + 1e-4, 0.05, 0.8) <= rows
        assert rows_needed(floor, max(told.clears - floor - 1e-4, 1e-5), 0.05, 0.8) >= rows
    if told.highest:
        assert told.highest < floor
        assert rows_needed(told.highest - 1e-4, floor - told.highest + 1e-4, 0.05, 0.8) <= rows
    assert [need.above for need in told.needs] == [a for a in ABOVE if floor + a < 1]
    assert [need.rows for need in told.needs] == sorted(
        (need.rows for need in told.needs), reverse=True
    )


def test_a_few_rows_clear_no_floor_at_all() -> None:
    assert first_release(0.9, 3, 0.05, 0.8).clears is None
    assert first_release(0.05, 3, 0.05, 0.8).highest == 0.0


@pytest.mark.parametrize(("floor", "above"), [(0.0, 0.1), (0.95, 0.1), (0.5, 0.0), (0.5, -0.1)])
def test_what_is_no_floor_and_a_value_above_it_is_an_error(floor: float, above: float) -> None:
    with pytest.raises(ValueError, match="no floor and a value above it"):
        rows_needed(floor, above, 0.05, 0.8)


def test_a_first_release_that_a_floor_holds_up_is_told_the_ways_there_are() -> None:
    recall = next(r.value for r in first().judge().rules if r.rule == "recall_floor")
    unsure = first().but(recall_floor=recall - 0.002)
    verdict = unsure.judge()
    assert verdict.verdict == "INSUFFICIENT"
    assert verdict.sentence.endswith(
        "For a first release on 6,931 positives, `sluice power` says which floors this size can"
        " show, and a larger share of the rows in the holdout (`train` and `validation` of the"
        " policy) shows more"
    )
    assert "first release on" not in better().but(recall_floor=recall + 0.002).judge().sentence
