"""An answer as a person reads it: the numbers of the service, and nothing made up beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import contract

from bento.http.answer import Answer
from bento.page.result import View, view
from sluice.served.reasons import Reason

TIERS = contract().tiers


def answer(probability: float, threshold: float = 0.5, changes: tuple[float, ...] = ()) -> Answer:
    reasons = [reason(change) for change in changes]
    return Answer(
        id="a1",
        prediction=1 if probability >= threshold else 0,
        label="Leave" if probability >= threshold else "Stay",
        probability=probability,
        tier=TIERS.of(probability),
        threshold=threshold,
        model="attrition:1",
        image=None,
        reasons=reasons,
    )


def reason(change: float) -> Reason:
    return Reason("age", "Age", 40, change, 0.01, f"It changes by {change}.")


def shown(probability: float, threshold: float = 0.5, changes: tuple[float, ...] = ()) -> View:
    return view(contract(), answer(probability, threshold, changes))


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_probability_is_never_shown_lower(one: float, two: float) -> None:
    low, high = (shown(value) for value in sorted((one, two)))
    assert low.step <= high.step
    assert low.shade <= high.shade
    assert low.mark <= high.mark
    assert sum(low.steps) == low.step


@given(st.floats(0, 1), st.floats(0, 1))
def test_mark_and_cut_are_on_the_scale(probability: float, threshold: float) -> None:
    found = shown(probability, threshold)
    assert 0 <= found.mark <= 320
    assert 0 <= found.cut <= 320
    assert found.tiers == len(found.steps) == len(TIERS.names)
    assert 1 <= found.shade <= 4


def test_an_answer_in_words() -> None:
    found = shown(0.73256)
    assert (found.probability, found.threshold, found.tier) == ("0.7326", "0.5000", "High")
    assert found.sentence == (
        "By the model’s estimate, of 100 employees with values like these about 73 have the"
        " outcome “Left”."
    )
    assert (found.label, found.prediction, found.shade) == ("Leave", 1, 4)


CHANGES = st.lists(st.floats(-1, 1), max_size=5).map(tuple)


@given(CHANGES)
def test_the_longest_bar_is_of_the_largest_change(changes: tuple[float, ...]) -> None:
    reasons = shown(0.5, changes=changes).reasons
    assert len(reasons) == len(changes)
    assert all(0 <= each.width <= 64 for each in reasons)
    assert [each.raises for each in reasons] == [change > 0 for change in changes]
    if any(changes):
        assert max(each.width for each in reasons) == 64


@pytest.mark.parametrize(("change", "text"), [(0.1236, "+12.4"), (-0.5, "−50.0"), (0.0, "+0.0")])
def test_a_change_has_its_sign(change: float, text: str) -> None:
    [only] = shown(0.5, changes=(change,)).reasons
    assert only.change == text


def test_without_reasons_there_are_no_bars() -> None:
    found = shown(0.5)
    assert (found.reasons, found.baseline, found.others) == ((), "", "")
