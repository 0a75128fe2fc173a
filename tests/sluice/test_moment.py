"""How long ago a time was, in words."""

import datetime

import pytest

from sluice.moment import age

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("2026-11-29T12:00:00+00:00", "just now"),
        ("2026-11-29T11:59:01+00:00", "just now"),
        ("2026-11-29T11:59:00+00:00", "1 minute ago"),
        ("2026-11-29T11:01:00+00:00", "59 minutes ago"),
        ("2026-11-29T11:00:00+00:00", "1 hour ago"),
        ("2026-11-29T13:00:00+02:00", "1 hour ago"),
        ("2026-11-28T12:00:01", "23 hours ago"),
        ("2026-11-28T12:00:00Z", "1 day ago"),
        ("2026-11-20T12:00:00Z", "9 days ago"),
        ("2025-11-29T12:00:00Z", "365 days ago"),
        ("2026-11-30T12:00:00Z", "just now"),  # the clock of another machine
        ("", ""),
        ("soon", ""),
    ],
)
def test_an_age_is_told_in_its_largest_unit(date: str, said: str) -> None:
    assert age(date, NOW) == said
