"""Ledgers of schema 1: how far a sketch can be read, what rows had spent, and what is kept."""

import math
from fractions import Fraction

import pytest

from sluice.gate.first_ledger import (
    SKETCH,
    FirstLedger,
    FirstRelease,
    UsedHoldout,
    _furthest,
    use_of,
    uses_of,
)
from sluice.gate.ledger import Release, link, smallest, upgraded


def test_a_full_sketch_ends_with_its_largest_hash_and_another_holds_every_row() -> None:
    rows = tuple(range(7, 7 + SKETCH))
    assert _furthest(rows) == rows[-1]
    assert _furthest(rows[:-1]) >= 2**64 - 1


def test_of_many_hashes_the_smallest_are_kept() -> None:
    many = range(SKETCH + 40, 0, -1)
    assert smallest(many) == tuple(range(1, SKETCH + 1))
    assert smallest([5, 3]) == (3, 5)


# Eight rows; three candidates looked at the first five of them, and one of these at all eight. Two
# uses of a holdout before it saw these rows.
SEEN = UsedHoldout(
    sketch=(1, 2, 3, 4, 5, 6, 7, 8),
    since=(0, 0, 0, 0, 0, 2, 2, 2),
    carried=2,
    candidates=("a", "b", "c"),
)


def by_definition(rows: tuple[int, ...]) -> int:
    """What these rows had spent: the looks at each row, and of what was carried the share that is
    known, rounded up.
    """
    looks = dict(zip(SEEN.sketch, (3, 3, 3, 3, 3, 1, 1, 1), strict=True))
    known = [row for row in rows if row in looks]
    share = Fraction(len(known), len(rows))
    return math.ceil(share * SEEN.carried + Fraction(sum(looks[row] for row in known), len(rows)))


@pytest.mark.parametrize(
    "rows", [(1, 2), (6, 7), (1, 9, 10, 11), (8, 20), (30, 40), (1, 2, 3, 4, 5, 6, 7, 8, 9)]
)
def test_rows_under_another_name_have_what_each_of_them_spent(rows: tuple[int, ...]) -> None:
    assert uses_of(FirstLedger(holdouts={"old": SEEN}), "new", rows) == by_definition(rows)


def test_a_holdout_of_its_own_name_has_all_its_uses_until_half_of_it_is_new() -> None:
    ledger = FirstLedger(holdouts={"old": SEEN})
    assert uses_of(ledger, "old", (1, 2, 3)) == 5
    assert uses_of(ledger, "old", (1, 2, 90)) == 5  # two thirds are known
    assert uses_of(ledger, "old", (1, 90)) == by_definition((1, 90)) == 3  # half, and no more
    assert uses_of(ledger, "old", ()) == 5
    assert uses_of(ledger, "new", ()) == 0


def test_the_most_of_what_any_holdout_tells_is_what_rows_have_spent() -> None:
    other = UsedHoldout(sketch=(1, 2), since=(0, 0), carried=0, candidates=("x",))
    assert uses_of(FirstLedger(holdouts={"a": other, "b": SEEN}), "new", (1, 2)) == 5
    assert uses_of(FirstLedger(), "new", (1, 2)) == 0


def test_beyond_the_end_of_a_full_sketch_nothing_is_known() -> None:
    """Rows that lie further than a full sketch reaches are left out, on either side."""
    full = UsedHoldout(
        sketch=tuple(range(SKETCH)), since=(0,) * SKETCH, carried=0, candidates=("a",)
    )
    ledger = FirstLedger(holdouts={"old": full})
    assert uses_of(ledger, "new", (SKETCH - 2, SKETCH - 1, SKETCH, SKETCH + 1)) == 1
    assert uses_of(ledger, "new", (SKETCH, SKETCH + 1)) == 0
    assert uses_of(ledger, "old", (SKETCH, SKETCH + 1)) == 1


def test_the_use_of_a_candidate_is_its_place_after_what_was_carried() -> None:
    ledger = FirstLedger(holdouts={"old": SEEN})
    assert [use_of(ledger, name) for name in "abcd"] == [3, 4, 5, None]


def test_all_that_a_release_told_is_kept() -> None:
    """In the order and chain of today; a use that was not told is that of its candidate."""
    first = FirstLedger(
        holdouts={"old": SEEN},
        releases=(
            FirstRelease(number=1, candidate="a", verdict="HOLD", outcome="hold", data="d" * 64),
            FirstRelease(number=2, candidate="z", use=None),
            FirstRelease(number=4, candidate="b", use=7),
        ),
    )
    releases = upgraded(first).releases
    one = Release(
        number=1, candidate="a", use=3, before="", verdict="HOLD", outcome="hold", data="d" * 64
    )
    two = Release(number=2, candidate="z", use=None, before=link(one))
    assert releases == (one, two, Release(number=4, candidate="b", use=7, before=link(two)))
