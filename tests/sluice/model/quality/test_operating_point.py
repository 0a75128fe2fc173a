"""The threshold: the highest recall at the wanted precision, and no row on the edge."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gate_cases import policy

from sluice.errors import Refused
from sluice.model.quality.error_costs import Costs
from sluice.model.quality.operating_point import (
    aimed_precision,
    cheapest_threshold,
    choose_threshold,
    required_precision,
    share_threshold,
    threshold_for,
)
from sluice.policy import OperatingPoint, Policy

_SCORES = st.integers(1, 40).map(lambda step: step / 40)


def best_by_trying(labels: np.ndarray, scores: np.ndarray, precision: float) -> int | None:
    """The most positives that any cut at the wanted precision finds."""
    found = []
    for cut in np.unique(scores):
        flagged = scores >= cut
        if labels[flagged].sum() / flagged.sum() >= precision:
            found.append(int(labels[flagged].sum()))
    return max(found, default=None)


@given(
    st.lists(st.tuples(_SCORES, st.integers(0, 1)), min_size=1, max_size=60), st.integers(1, 100)
)
@settings(max_examples=150, deadline=None)
def test_it_is_the_highest_recall_at_the_wanted_precision(
    rows: list[tuple[float, int]], percent: int
) -> None:
    scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    best = best_by_trying(labels, scores, percent / 100)
    if best is None:
        with pytest.raises(Refused):
            choose_threshold(labels, scores, percent / 100)
        return
    threshold = choose_threshold(labels, scores, percent / 100)
    flagged = scores >= threshold
    assert labels[flagged].sum() == best
    assert labels[flagged].sum() / flagged.sum() >= percent / 100
    assert 0 < threshold < 1


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_scores_that_differ_in_their_last_digits_give_the_same_answers(
    rows: list[tuple[float, int]], seed: int
) -> None:
    scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    try:
        threshold = choose_threshold(labels, scores, 0.5)
    except Refused:
        return
    again = scores + np.random.default_rng(seed).uniform(-9.9e-7, 9.9e-7, len(scores))
    assert ((again >= threshold) == (scores >= threshold)).all()


def test_the_order_of_the_rows_does_not_matter() -> None:
    random = np.random.default_rng(0)
    scores = random.random(500)
    labels = (random.random(500) < scores).astype(int)
    order = random.permutation(500)
    assert choose_threshold(labels, scores, 0.7) == choose_threshold(
        labels[order], scores[order], 0.7
    )


def test_a_precision_that_is_met_exactly_is_met() -> None:
    # 7 of 100 is 0.07, though 0.07 * 100 is above 7.
    labels = np.array([1] * 7 + [0] * 93)
    assert choose_threshold(labels, np.full(100, 0.6), 0.07) == pytest.approx(0.3)


def test_a_written_example() -> None:
    labels, scores = np.array([1, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.1])
    assert choose_threshold(labels, scores, 0.75) == pytest.approx(0.35)
    assert choose_threshold(labels, scores, 0.76) == pytest.approx(0.75)


def test_where_no_threshold_is_precise_enough_the_best_is_named() -> None:
    labels, scores = np.array([0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6])
    with pytest.raises(Refused, match=r"precision of 0\.9; the best is 0\.6667") as caught:
        choose_threshold(np.repeat(labels, 100), np.repeat(scores, 100), 0.9)
    assert "too weak" in caught.value.fix


@pytest.mark.parametrize(
    ("times", "wanted", "said"),
    [
        (1, 0.9, "Validation has 2 positives, and at least 30 that are flagged are needed"),
        (20, 0.7, "By chance alone its true precision may be 0.7"),
        (20, 0.9, "too weak"),
        (2_000, 0.7, "too weak"),
    ],
)
def test_few_rows_are_no_proof_that_a_model_is_too_weak(
    times: int, wanted: float, said: str
) -> None:
    labels, scores = np.array([0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6])
    with pytest.raises(Refused) as caught:
        choose_threshold(np.repeat(labels, times), np.repeat(scores, times), wanted)
    assert said in caught.value.fix


@pytest.mark.parametrize("score", [0.0, 5e-7])
def test_scores_of_nothing_are_not_cut_below(score: float) -> None:
    with pytest.raises(Refused):
        choose_threshold(np.array([1, 1, 1]), np.full(3, score), 0.5)


def _with(precision: float, lift: float, slack: float, share: float) -> Policy:
    shipped = policy()
    gate = replace(shipped.gate, precision_floor=precision, lift_floor=lift)
    return replace(shipped, gate=gate, operating_point=OperatingPoint(slack, share))


@pytest.mark.parametrize(
    ("precision", "lift", "slack", "share", "required", "aimed"),
    [
        (0.66, 0.0, 0.025, 0.0, 0.66, 0.685),
        (0.66, 0.0, 0.0, 0.05, 0.66, 0.693),
        (0.0, 4.0, 0.025, 0.05, 0.4, 0.42),  # a slack in points says nothing of a lift
        (0.0, 4.0, 0.0, 0.0, 0.4, 0.4),
        (0.3, 4.0, 0.025, 0.0, 0.4, 0.4),
        (0.5, 4.0, 0.025, 0.0, 0.5, 0.525),
    ],
)
def test_the_floors_of_a_policy_require_a_precision_and_a_threshold_aims_above_it(
    precision: float, lift: float, slack: float, share: float, required: float, aimed: float
) -> None:
    given_policy = _with(precision, lift, slack, share)
    assert required_precision(given_policy.gate, 0.1) == pytest.approx(required)
    assert aimed_precision(given_policy, 0.1) == pytest.approx(aimed)


def test_a_lift_that_no_model_can_have_is_refused_with_the_highest_that_one_can() -> None:
    with pytest.raises(
        Refused, match=r"a lift of 2\.2 asks for a precision of 1\.1 where 50"
    ) as no:
        aimed_precision(_with(0.0, 2.2, 0.0, 0.0), 0.5)
    assert "below 2 " in no.value.fix


COSTS = st.floats(0.1, 100.0)


@given(st.lists(st.tuples(_SCORES, st.integers(0, 1)), min_size=1, max_size=60), COSTS, COSTS)
@settings(max_examples=100, deadline=None)
def test_no_cut_costs_less_than_the_cheapest(
    rows: list[tuple[float, int]], miss: float, alarm: float
) -> None:
    scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    costs = Costs(miss, alarm)

    def cost(threshold: float) -> float:
        return float(costs.of_rows(labels, scores >= threshold).sum())

    least = min(cost(cut) for cut in np.unique(scores))
    nobody = cost(2.0)
    if least >= nobody:
        with pytest.raises(Refused, match="1,000 validation rows against flagging nobody"):
            cheapest_threshold(labels, scores, costs, 0.0)
        return
    threshold = cheapest_threshold(labels, scores, costs, 0.0)
    assert cost(threshold) == pytest.approx(least)


def test_the_cheapest_threshold_of_calibrated_scores_is_the_share_that_costs_say() -> None:
    random = np.random.default_rng(3)
    scores = random.random(200_000)
    labels = (random.random(200_000) < scores).astype(int)
    # A row is worth flagging from the chance at which both errors cost the same.
    assert cheapest_threshold(labels, scores, Costs(9.0, 1.0), 0.0) == pytest.approx(0.1, abs=0.02)
    precise = cheapest_threshold(labels, scores, Costs(9.0, 1.0), 0.75)
    assert precise == pytest.approx(choose_threshold(labels, scores, 0.75), abs=0.02)
    with pytest.raises(Refused, match="no threshold reaches"):
        cheapest_threshold(labels, np.full(200_000, 0.5), Costs(9.0, 1.0), 0.75)


def test_a_policy_with_costs_takes_the_cheapest_threshold() -> None:
    random = np.random.default_rng(4)
    scores = random.random(5_000)
    labels = (random.random(5_000) < scores).astype(int)
    plain = policy()
    gate = replace(plain.gate, precision_floor=0.0, cost_of_a_miss=9.0, cost_of_a_false_alarm=1.0)
    cheap = cheapest_threshold(labels, scores, Costs(9.0, 1.0), 0.0)
    assert threshold_for(replace(plain, gate=gate), labels, scores) == cheap
    assert threshold_for(plain, labels, scores) == choose_threshold(labels, scores, 0.685)


@given(
    st.lists(st.tuples(_SCORES, st.integers(0, 1)), min_size=1, max_size=60), st.integers(1, 100)
)
@settings(max_examples=100, deadline=None)
def test_a_fixed_share_flags_as_many_rows_as_it_may_and_no_more(
    rows: list[tuple[float, int]], percent: int
) -> None:
    scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    counts = [int((scores >= cut).sum()) for cut in np.unique(scores)]
    most = max((count for count in counts if count <= percent / 100 * len(rows)), default=None)
    if most is None:
        with pytest.raises(Refused, match="of the highest score"):
            share_threshold(labels, scores, percent / 100, 0.0)
        return
    threshold = share_threshold(labels, scores, percent / 100, 0.0)
    assert (scores >= threshold).sum() == most


def test_a_share_of_the_policy_places_the_threshold_and_its_floor_still_holds() -> None:
    scores = np.linspace(0.05, 0.95, 100)
    labels = (np.arange(100) >= 70).astype(int)
    point = OperatingPoint(flagged_share=0.2)
    wanted = replace(policy(), operating_point=point)
    threshold = threshold_for(wanted, labels, scores)
    assert (scores >= threshold).sum() == 20
    usual = threshold_for(replace(policy(), operating_point=OperatingPoint()), labels, scores)
    assert (scores >= usual).sum() > 20
    many = replace(policy(), operating_point=OperatingPoint(flagged_share=0.6))
    with pytest.raises(Refused, match=r"the precision is 0\.5; 0\.66 is required") as caught:
        threshold_for(many, labels, scores)
    assert "flagged_share" in caught.value.fix
