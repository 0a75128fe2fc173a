"""Tests of the thresholds that are told beside the shipped one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sluice.model.quality.operating_curve import counted_again, operating_curve

_SCORES = st.integers(1, 40).map(lambda step: step / 40)


@given(
    st.lists(st.tuples(_SCORES, st.integers(0, 1)), min_size=1, max_size=200),
)
@settings(max_examples=25, deadline=None)
def test_a_curve_counts_what_each_threshold_flags(rows: list[tuple[float, int]]) -> None:
    scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    curve = operating_curve(labels, scores)
    for threshold, flagged, found in zip(curve.thresholds, curve.flagged, curve.found, strict=True):
        assert flagged == (scores >= threshold).sum()
        assert found == labels[scores >= threshold].sum()
        assert abs(scores - threshold).min() > 1e-6  # no row sits on it
    steps = np.diff((0, *curve.flagged))
    assert (steps >= 5).all(), "fewer rows between two points could point at a person"
    assert (not curve.flagged) == (len(rows) < 5)


def test_a_curve_is_spread_over_the_rows_and_ends_with_all_of_them() -> None:
    random = np.random.default_rng(1)
    scores, labels = random.random(9_000), random.integers(0, 2, 9_000)
    curve = operating_curve(labels, scores)
    assert len(curve.thresholds) == 400
    assert np.diff((0, *curve.flagged)).max() <= 30
    assert (curve.flagged[-1], curve.found[-1]) == (9_000, labels.sum())


def test_another_processor_gives_the_same_curve_and_another_model_does_not() -> None:
    """The last digit of a score moves where the thresholds are chosen, and no count at them."""
    random = np.random.default_rng(2)
    moved = 0
    for _ in range(20):
        scores, labels = random.random(9_000), random.integers(0, 2, 9_000)
        elsewhere = np.abs(scores + random.choice([-6e-8, 0, 6e-8], 9_000))
        told = operating_curve(labels, scores)
        moved += operating_curve(labels, elsewhere).flagged != told.flagged
        assert counted_again(told, labels, elsewhere) == told
    assert moved, "no threshold was chosen otherwise: this shows nothing"
    assert counted_again(told, labels, random.random(9_000)) != told
    assert counted_again(None, labels, scores) == told


@pytest.mark.parametrize("changed", ["found", "flagged", "thresholds", "shorter"])
def test_a_curve_that_was_edited_is_not_given_back(changed: str) -> None:
    random = np.random.default_rng(3)
    scores, labels = random.random(2_000), random.integers(0, 2, 2_000)
    told = operating_curve(labels, scores)
    if changed == "shorter":
        edited = structs.replace(
            told, thresholds=told.thresholds[1:], flagged=told.flagged[1:], found=told.found[1:]
        )
    else:
        first, *others = getattr(told, changed)
        by = 0.5 if changed == "thresholds" else 1
        edited = structs.replace(told, **{changed: (first - by, *others)})
    assert counted_again(edited, labels, scores) != edited
