"""How often a model is wrong: the counts behind the shares, and the interval of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from sluice.model.quality.metrics import confusion, measure
from sluice.model.quality.statistics import wilson
from sluice.served.error_rates import Rate, error_rates


@given(st.integers(2, 400), st.floats(0, 1), st.integers(0, 10_000))
def test_the_rates_are_those_of_the_rows_that_were_measured(
    rows: int, threshold: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    labels = np.array([0, 1, *random.integers(0, 2, rows - 2)])
    scores = random.random(rows)
    counts = confusion(labels, scores >= threshold)
    found = error_rates(
        {
            "rows": {"validation": rows, "validation_positives": counts.positives},
            "validation": to_builtins(measure(labels, scores, threshold)),
        }
    )
    missed = found.missed
    assert missed is not None
    assert (missed.count, missed.of) == (counts.false_negative, counts.positives)
    check(missed)
    wrong = found.wrongly_flagged
    assert (wrong is None) == (counts.flagged == 0)
    if wrong is not None:
        assert (wrong.count, wrong.of) == (counts.false_positive, counts.flagged)
        check(wrong)


def check(rate: Rate) -> None:
    assert (rate.low, rate.high) == pytest.approx(wilson(rate.count, rate.of), abs=1e-9)
    assert rate.low <= rate.share <= rate.high
