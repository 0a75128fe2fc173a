"""Shares in per cent, as people read them."""

import pytest

from sluice.percent import percent


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
