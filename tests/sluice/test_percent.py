"""Shares in per cent, as people read them."""

import pytest

from sluice.percent import four_digits, percent


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (0.7631, 0, "76 %"),
        (0.7631, 1, "76.3 %"),
        (0.01, 2, "1.00 %"),
        (0.0, 0, "0 %"),
        (1.0, 1, "100.0 %"),
        (-0.005, 1, "-0.5 %"),
    ],
)
def test_a_share_is_in_per_cent_with_a_blank(share: float, digits: int, said: str) -> None:
    assert percent(share, digits) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (48_234.9, "48,230"),
        (-120.0, "-120"),
        (12.345, "12.35"),
        (9.99996, "10"),
        (0.012345, "0.01235"),
        (1_419_300.0, "1,419,000"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_has_four_digits_and_no_power_of_ten(number: float, said: str) -> None:
    assert four_digits(number) == said
