"""The verdict on drift: its limits are those of the policy, and its sentence names the columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.drift.verdict import Distance, judge
from sluice.policy import DriftPolicy

LIMITS = DriftPolicy()


def columns(*distances: float) -> list[Distance]:
    return [Distance(f"Column {n}", "number", value) for n, value in enumerate(distances, 1)]


@pytest.mark.parametrize(
    ("distances", "verdict"),
    [
        ((0.0, 0.09, 0.0, 0.0), "none"),
        ((0.0, 0.1, 0.0, 0.0), "some"),
        ((0.0, 0.249, 0.0, 0.0), "some"),
        ((0.0, 0.25, 0.0, 0.0), "strong"),
        ((0.1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0), "some"),  # 2 of 7: 28.6 %
        ((0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), "strong"),  # 3 of 10
    ],
)
def test_a_limit_belongs_to_what_is_above_it(distances: tuple[float, ...], verdict: str) -> None:
    assert judge(columns(*distances), LIMITS).verdict == verdict


def test_the_limits_are_those_of_the_policy() -> None:
    measured = columns(0.2, 0.05, 0.0, 0.0)
    assert judge(measured, DriftPolicy(drifted=0.3, strong=0.4)).verdict == "none"
    assert judge(measured, DriftPolicy(drifted=0.15, strong=0.2)).verdict == "strong"
    assert judge(measured, DriftPolicy(strong_share=0.25)).verdict == "strong"


def test_the_largest_distance_comes_first_and_three_are_named() -> None:
    verdict = judge(columns(0.11, 0.0, 0.24, 0.12, 0.13), LIMITS)
    assert [each.column for each in verdict.drifted] == [
        "Column 3",
        "Column 5",
        "Column 4",
        "Column 1",
    ]
    assert [each.column for each in verdict.steady] == ["Column 2"]
    assert verdict.share == 0.8
    assert verdict.sentence == (
        "4 of 5 columns have drifted (strong): Column 3 (PSI 0.24), Column 5 (PSI 0.13),"
        " Column 4 (PSI 0.12) and 1 more."
    )


def test_one_column_has_drifted_and_none_has() -> None:
    one = judge(columns(0.2, 0.0, 0.0, 0.0), LIMITS)
    assert one.sentence == "1 of 4 columns has drifted (some): Column 1 (PSI 0.20)."
    none = judge(columns(0.01, 0.02), DriftPolicy(drifted=0.15))
    assert none.sentence == "None of 2 columns has drifted (PSI below 0.15 in each)."


def test_without_columns_nothing_has_drifted() -> None:
    verdict = judge([], LIMITS)
    assert (verdict.verdict, verdict.share, verdict.drifted) == ("none", 0.0, ())


DISTANCES = st.lists(st.floats(0, 10), max_size=30)
ORDER = ("none", "some", "strong")


@given(DISTANCES)
def test_every_column_is_on_one_side_and_the_largest_come_first(distances: list[float]) -> None:
    verdict = judge(columns(*distances), LIMITS)
    together = [each.distance for each in (*verdict.drifted, *verdict.steady)]
    assert together == sorted(distances, reverse=True)
    assert all(each.distance >= LIMITS.drifted for each in verdict.drifted)
    assert all(each.distance < LIMITS.drifted for each in verdict.steady)
    assert verdict.share == round(len(verdict.drifted) / max(len(distances), 1), 4)
    assert (verdict.verdict == "none") == (not verdict.drifted)


@given(DISTANCES.filter(bool), st.data())
def test_a_larger_distance_never_makes_the_verdict_milder(
    distances: list[float], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(distances) - 1))
    farther = [*distances]
    farther[place] += data.draw(st.floats(0, 5))
    before, after = judge(columns(*distances), LIMITS), judge(columns(*farther), LIMITS)
    assert ORDER.index(after.verdict) >= ORDER.index(before.verdict)
    assert after.share >= before.share


@given(DISTANCES, st.floats(0.01, 1), st.floats(0, 1))
def test_a_stricter_policy_never_makes_the_verdict_milder(
    distances: list[float], limit: float, more: float
) -> None:
    strict = DriftPolicy(drifted=limit, strong=limit + 1)
    loose = DriftPolicy(drifted=limit + more, strong=limit + 1 + more)
    strictly, loosely = (judge(columns(*distances), policy) for policy in (strict, loose))
    assert ORDER.index(strictly.verdict) >= ORDER.index(loosely.verdict)


@given(st.permutations(columns(0.3, 0.01, 0.12, 0.2, 0.0, 0.11)))
def test_the_order_of_the_columns_changes_nothing(shuffled: list[Distance]) -> None:
    assert judge(shuffled, LIMITS) == judge(columns(0.3, 0.01, 0.12, 0.2, 0.0, 0.11), LIMITS)


@given(DISTANCES)
def test_the_sentence_ends_and_has_the_numbers_of_the_verdict(distances: list[float]) -> None:
    verdict = judge(columns(*distances), LIMITS)
    start = f"{len(verdict.drifted) or 'None'} of {len(distances)} columns "
    assert verdict.sentence.startswith(start)
    assert verdict.sentence.endswith(".")
    assert verdict.sentence.count("(PSI 0") + verdict.sentence.count("(PSI 1") <= 3
