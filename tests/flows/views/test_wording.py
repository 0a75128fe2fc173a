"""Hashes, dates and counts as people read them."""

import pytest

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


def test_counts_and_dates() -> None:
    assert [count(number, "row") for number in (0, 1, 2400)] == ["0 rows", "1 row", "2,400 rows"]
    assert when("2026-11-20T13:24:07+00:00") == "2026-11-20 13:24"
    assert person("Anna <anna@x>") == person("Anna") == "Anna"
    assert person("") == "somebody"
