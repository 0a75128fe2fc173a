"""Hashes, dates and counts as people read them."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.views.wording import count, person, short, when


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"sha256:{'a' * 64}", "a" * 12),
        ("b" * 40, "b" * 12),
        (f"{'b' * 40}-dirty", f"{'b' * 12}-dirty"),
        ("0123456789abcdef", "0123456789abcdef"),
        ("none", "none"),
        ("", ""),
    ],
)
def test_a_hash_is_short_and_a_name_is_whole(text: str, shown: str) -> None:
    assert short(text) == shown


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("2026-11-20T13:24:07+00:00", "2026-11-20 13:24 UTC"),
        ("2026-11-20T13:24:07Z", "2026-11-20 13:24 UTC"),
        ("2026-11-20T13:24:07", "2026-11-20 13:24 UTC"),
        ("2026-11-20 13:24", "2026-11-20 13:24 UTC"),
        ("2026-11-20T13:24:07.999+00:00", "2026-11-20 13:24 UTC"),
        ("2026-11-21T00:30:00+11:00", "2026-11-20 13:30 UTC"),  # a commit made in Sydney
        ("2026-12-31T19:05:00-05:00", "2027-01-01 00:05 UTC"),
        ("2026-11-20T13:24:07+05:45", "2026-11-20 07:39 UTC"),
        ("2026-11-20", "2026-11-20"),
        ("", ""),
        ("now", "now"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_time_is_told_in_one_zone_and_names_it(date: str, said: str) -> None:
    assert when(date) == said


@given(st.datetimes(timezones=st.timezones()))
def test_the_same_moment_is_told_alike_wherever_it_was_written(moment: datetime.datetime) -> None:
    assert when(moment.isoformat()) == when(moment.astimezone(datetime.UTC).isoformat())


def test_counts_and_names() -> None:
    assert [count(number, "row") for number in (0, 1, 2400)] == ["0 rows", "1 row", "2,400 rows"]
    assert person("Anna <anna@x>") == person("Anna") == "Anna"
    assert person("") == "somebody"
