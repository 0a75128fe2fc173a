"""The verdict on drift: its limits are those of the policy, and its sentence names the columns."""

import pytest

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
