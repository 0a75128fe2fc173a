"""Two trainings compared: when their predictions agree, and what went into them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.gitops.evidence import Provenance
from sluice.gitops.reproduction import Agreement, Difference, agree, differences
from sluice.model.fit.conversion import TOLERANCE

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)
HALF = (0.5, 0.5)
STEPS = ("validate", "split", "tune", "train")


@given(SCORES, st.floats(0, 1))
@settings(deadline=None)
def test_a_training_agrees_with_itself(scores: np.ndarray, threshold: float) -> None:
    agreement = agree(scores, scores.copy(), (threshold, threshold))
    assert agreement == Agreement(len(scores), 0, 0.0, 0)
    assert agreement.equal


@given(SCORES, st.data())
@settings(deadline=None)
def test_it_is_the_same_whichever_of_the_two_comes_first(
    scores: np.ndarray, data: st.DataObject
) -> None:
    size = len(scores)
    other = np.array(data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)))
    thresholds = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
    assert agree(scores, other, thresholds) == agree(other, scores, thresholds[::-1])


@given(SCORES, st.floats(0, 0.99), st.data())
@settings(deadline=None)
def test_each_row_that_was_moved_is_counted_and_no_other(
    scores: np.ndarray, by: float, data: st.DataObject
) -> None:
    moved = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    step = 2 * TOLERANCE + by
    agreement = agree(scores, np.where(moved, scores + step, scores), (2.0, 2.0))
    assert agreement.differing == moved.sum()
    assert agreement.largest == pytest.approx(step if moved.any() else 0.0)
    assert agreement.equal == (not moved.any())


@pytest.mark.parametrize(
    ("by", "differing"), [(0.0, 0), (TOLERANCE / 2, 0), (2 * TOLERANCE, 1), (np.nan, 1)]
)
def test_a_row_differs_by_more_than_the_tolerance_or_where_it_is_no_number(
    by: float, differing: int
) -> None:
    assert agree(np.array([0.2]), np.array([0.2 + by]), HALF).differing == differing


def test_an_answer_may_change_where_the_score_does_not() -> None:
    """A threshold that moved over a score flags another person: the two are not equal."""
    scores = np.array([0.2, 0.55, 0.9])
    agreement = agree(scores, scores, (0.5, 0.6))
    assert (agreement.differing, agreement.answers) == (0, 1)
    assert not agreement.equal


def test_a_score_at_the_threshold_is_flagged() -> None:
    assert agree(np.array([0.5]), np.array([0.5 - TOLERANCE / 2]), HALF).answers == 1


def test_no_row_agrees() -> None:
    agreement = agree(np.array([]), np.array([]), HALF)
    assert agreement == Agreement(0, 0, 0.0, 0)
    assert agreement.equal


WORDS = st.text(alphabet="abc", max_size=3)
PROVENANCES = st.builds(
    Provenance,
    lock=WORDS,
    interpreter=WORDS,
    platform=WORDS,
    blas=st.lists(WORDS, max_size=2),
    versions=st.dictionaries(WORDS, WORDS, max_size=2),
    seeds=st.dictionaries(WORDS, st.integers(0, 9) | WORDS, max_size=2),
    hardware=WORDS,
    inputs=st.dictionaries(
        st.sampled_from(STEPS),
        st.dictionaries(st.sampled_from(["data", "policy", "contract", "code"]), WORDS),
    ),
)


@given(PROVENANCES)
@settings(deadline=None)
def test_a_provenance_differs_from_itself_in_nothing(provenance: Provenance) -> None:
    assert differences(provenance, provenance) == []


@given(PROVENANCES, PROVENANCES)
@settings(deadline=None)
def test_the_other_way_round_the_same_things_differ(one: Provenance, two: Provenance) -> None:
    there = differences(one, two)
    back = [Difference(pair.name, pair.now, pair.recorded) for pair in differences(two, one)]
    assert there == back


@given(PROVENANCES, PROVENANCES)
@settings(deadline=None)
def test_only_what_both_have_on_record_and_is_not_the_same_is_told(
    one: Provenance, two: Provenance
) -> None:
    for pair in differences(one, two):
        assert pair.recorded
        assert pair.now
        assert pair.recorded != pair.now
    assert differences(one, Provenance()) == []


@pytest.mark.parametrize("first", STEPS)
def test_the_code_is_told_once_by_the_first_step_in_which_it_differs(first: str) -> None:
    later = STEPS[STEPS.index(first) :]
    recorded = Provenance(inputs={step: {"code": f"{step} then"} for step in STEPS})
    now = Provenance(
        inputs={
            step: {"code": f"{step} now" if step in later else f"{step} then"} for step in STEPS
        }
    )
    assert differences(recorded, now) == [Difference("code", f"{first} then", f"{first} now")]


def test_what_is_changed_on_purpose_comes_first() -> None:
    recorded = Provenance(
        hardware="4 cores",
        lock="a",
        inputs={"validate": {"data": "a"}, "train": {"policy": "a", "code": "a"}},
    )
    now = Provenance(
        hardware="2 cores",
        lock="b",
        inputs={"validate": {"data": "b"}, "train": {"policy": "b", "code": "b"}},
    )
    names = [pair.name for pair in differences(recorded, now)]
    assert names == ["data", "policy", "code", "lock", "hardware"]


def test_the_order_in_which_versions_and_seeds_were_noted_is_no_difference() -> None:
    recorded = Provenance(versions={"a": "1", "b": "2"}, seeds={"x": 1, "y": 2})
    now = Provenance(versions={"b": "2", "a": "1"}, seeds={"y": 2, "x": 1})
    assert differences(recorded, now) == []
    [pair] = differences(recorded, Provenance(versions={"b": "3", "a": "1"}, seeds=now.seeds))
    assert (pair.recorded, pair.now) == ("a 1, b 2", "a 1, b 3")


def test_rows_of_several_classes_agree_in_all_their_probabilities_and_in_the_answer() -> None:
    recorded = np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    even, heavy = (1.0, 1.0, 1.0), (1.0, 1.0, 2.0)
    assert agree(recorded, recorded, (np.nan, np.nan), (even, even)).equal
    moved = recorded + np.array([[0.0, 0.0, 0.0], [0.1, -0.1, 0.0]])
    found = agree(recorded, moved, (np.nan, np.nan), (even, even))
    assert (found.rows, found.differing, found.answers) == (2, 1, 0)
    assert found.largest == pytest.approx(0.1)
    assert agree(recorded, recorded, (np.nan, np.nan), (even, heavy)).answers == 1
