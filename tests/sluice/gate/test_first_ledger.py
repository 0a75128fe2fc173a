"""Sketches of ledgers of schema 1: how far one of them can be read."""

from sluice.gate.first_ledger import SKETCH, _furthest


def test_a_full_sketch_ends_with_its_largest_hash_and_another_holds_every_row() -> None:
    rows = tuple(range(7, 7 + SKETCH))
    assert _furthest(rows) == rows[-1]
    assert _furthest(rows[:-1]) >= 2**64 - 1
