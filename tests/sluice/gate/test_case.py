"""What a verdict is made of: a model flags from its threshold on, a rule reads as a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.holdouts import LIMITS

from sluice.gate.case import (
    BROKEN,
    MET,
    OPEN,
    WAIVED,
    Case,
    Comparison,
    Facts,
    Holdout,
    Model,
    Rule,
)
from sluice.gate.paired import Difference, Pairs
from sluice.served.words import NEUTRAL_WORDS

SCORES = arrays.arrays(np.float64, st.integers(0, 50), elements=st.floats(0, 1))
MODEL = Model("candidate", 0.5, np.array([0.2, 0.5, 0.9]))
HOLDOUT = Holdout(np.array([0, 1, 1]), np.arange(3, dtype=np.uint64), MODEL)
COMPARISON = Comparison("old", 2, Pairs(1, 0, 2), Difference(0.5, 0.0, 1.0, 0.05), 0.5)


def case(holdout: Holdout, comparison: Comparison | None, facts: Facts) -> Case:
    return Case({}, holdout, facts, LIMITS, comparison, None, NEUTRAL_WORDS)


@given(SCORES, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_flags_no_other_rows(scores: np.ndarray, one: float, two: float) -> None:
    low, high = sorted((one, two))
    fewer, more = Model("a", high, scores).flagged, Model("a", low, scores).flagged
    assert not (fewer & ~more).any()
    assert Model("a", 0.0, scores).flagged.all()


def test_a_score_at_the_threshold_is_flagged_and_one_that_is_no_number_is_not() -> None:
    assert MODEL.flagged.tolist() == [False, True, True]
    assert Model("a", 0.0, np.array([np.nan, 0.0])).flagged.tolist() == [False, True]


def test_positives_are_counted() -> None:
    assert HOLDOUT.positives == 2
    assert replace(HOLDOUT, labels=np.array([], dtype=np.int64)).positives == 0


@pytest.mark.parametrize(
    ("state", "passed"), [(MET, True), (OPEN, True), (WAIVED, True), (BROKEN, False)]
)
def test_only_a_broken_rule_stands_in_the_way_for_good(state: str, passed: bool) -> None:
    assert Rule("recall_floor", state, "Recall is 0.7").passed is passed


def test_a_rule_reads_as_its_sentence_and_the_next_step() -> None:
    rule = Rule("recall_floor", BROKEN, "Recall is 0.71; at least 0.72 is required")
    assert str(rule) == "Recall is 0.71; at least 0.72 is required"
    assert str(replace(rule, needed="Find 8 more positives")) == (
        "Recall is 0.71; at least 0.72 is required. Find 8 more positives"
    )


def test_it_is_a_first_release_without_a_champion_or_where_one_is_waived() -> None:
    beside = replace(HOLDOUT, champion=replace(MODEL, tag="old"))
    waived = Facts(waived="comparable")
    assert case(HOLDOUT, None, Facts()).first
    assert not case(beside, COMPARISON, Facts()).first
    assert not case(beside, None, Facts()).first  # it cannot be compared: that is no first release
    assert case(beside, None, waived).first
    assert not case(beside, COMPARISON, waived).first  # it can be compared after all
    assert not case(beside, None, Facts(waived="better")).first
