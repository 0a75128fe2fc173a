"""The ledger: what a use is, what spends none, and when a holdout begins anew."""

import json

import numpy as np
import pytest

from sluice.gate.ledger import Ending, Ledger, Use, end, reach, reserve, sketch, uses_before
from sluice.gitops.state import decode, encode


def rows(first: int, last: int) -> tuple[int, ...]:
    """The sketch of the rows with these numbers."""
    hashes = np.random.default_rng(5).integers(0, 2**64, 40_000, dtype=np.uint64)
    return sketch(hashes[first:last])


def spent(uses: list[Use]) -> list[int]:
    """How often the holdout had decided before each of these, one after another."""
    ledger = Ledger()
    before = []
    for use in uses:
        kept = decode(encode(ledger), Ledger, "the ledger")
        assert kept == ledger
        reservation = reserve(kept, use)
        ledger = reservation.ledger
        before.append(reservation.uses)
    return before


def test_each_candidate_is_a_use() -> None:
    assert spent([Use(f"c{number}", "split", rows(0, 3_000)) for number in range(4)]) == [
        0,
        1,
        2,
        3,
    ]


def test_an_identical_candidate_spends_nothing() -> None:
    first, second = (Use(name, "split", rows(0, 3_000)) for name in ("a", "b"))
    assert spent([first, first, second, second, first]) == [0, 0, 1, 1, 0]
    once = reserve(Ledger(), first)
    assert reserve(once.ledger, first) == once


def test_the_champion_looked_at_again_spends_nothing() -> None:
    uses = [
        Use("a", "split", rows(0, 3_000)),
        Use("again", "split", rows(0, 3_000), spends=False),
        Use("b", "split", rows(0, 3_000)),
        Use("once more", "split", rows(0, 3_000), spends=False),
    ]
    assert spent(uses) == [0, 1, 1, 2]
    again = reserve(reserve(Ledger(), uses[0]).ledger, uses[1])
    assert (again.number, again.ledger.releases[-1].use) == (2, None)
    assert again.ledger.holdouts["split"].candidates == ("a",)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_known_without_rows_is_what_the_rows_say(seed: int) -> None:
    chance = np.random.default_rng(seed)
    ledger = Ledger()
    uses: list[Use] = []
    for number in range(12):
        first = int(chance.integers(0, 8)) * 1_000  # some holdouts overlap, some begin anew
        spends = bool(chance.integers(0, 2))
        uses.append(Use(f"c{number}", "split", rows(first, first + 3_000), spends=spends))
        ledger = reserve(ledger, uses[-1]).ledger
        known = [uses_before(ledger, use.split, use.candidate) for use in uses]
        told = [reserve(ledger, use).uses for use in uses]
        assert known[-1] == told[-1]
        assert all(mine in (None, theirs) for mine, theirs in zip(known, told, strict=True))
    assert uses_before(ledger, "split", "unheard") is None
    assert uses_before(ledger, "another split", uses[-1].candidate) is None


def test_releases_are_numbered() -> None:
    ledger = Ledger()
    for expected, name in enumerate("aabac", 0):
        reservation = reserve(ledger, Use(name, "split", rows(0, 100)))
        ledger = reservation.ledger
        assert reservation.number == (1, 1, 2, 3, 4)[expected]
    assert [(release.candidate, release.use) for release in ledger.releases] == [
        ("a", 1),
        ("b", 2),
        ("a", 1),
        ("c", 3),
    ]
    assert json.loads(encode(ledger))["schema"] == 1


def test_each_split_is_a_holdout_of_its_own() -> None:
    assert spent(
        [
            Use("a", "one", rows(0, 100)),
            Use("b", "two", rows(0, 100)),
            Use("c", "one", rows(0, 100)),
        ]
    ) == [
        0,
        0,
        1,
    ]


def test_the_document_given_stays_as_it_is() -> None:
    ledger = reserve(Ledger(), Use("a", "split", rows(0, 100))).ledger
    kept = encode(ledger)
    reserve(ledger, Use("b", "split", rows(0, 100)))
    assert encode(ledger) == kept


def test_an_ending_is_noted_once_at_the_newest_release_of_its_candidate() -> None:
    ledger = Ledger()
    for name in "aba":
        ledger = reserve(ledger, Use(name, "split", rows(0, 100))).ledger
    refused = Ending("REJECT", "refused", "f" * 64)
    noted = end(ledger, "a", refused)
    assert noted is not None
    after, release = noted
    assert (release.number, release.verdict, release.outcome) == (3, "REJECT", "refused")
    assert after.releases == (*ledger.releases[:2], release)
    assert end(after, "a", refused) is None
    assert end(after, "unheard", refused) is None


@pytest.mark.parametrize("size", [200, 8_000])
def test_rows_that_are_all_new_begin_anew(size: int) -> None:
    old = [Use(f"c{number}", "split", rows(0, size)) for number in range(5)]
    assert spent([*old, Use("new", "split", rows(size, 2 * size))])[-1] == 0


@pytest.mark.parametrize("size", [200, 8_000])
def test_half_new_rows_begin_anew_with_the_uses_that_saw_the_rest(size: int) -> None:
    old = [Use(f"c{number}", "split", rows(0, size)) for number in range(10)]
    grown = spent([*old, Use("new", "split", rows(0, 2 * size + size // 5))])[-1]
    assert grown == pytest.approx(10 / 2.2, abs=1.01)
    assert spent([*old, Use("new", "split", rows(0, size + size // 2))])[-1] == 10


def test_rows_that_came_late_were_seen_by_the_later_uses() -> None:
    growing = [Use(f"c{number}", "split", rows(0, 4_000 + 450 * number)) for number in range(11)]
    before = spent(growing)
    assert before[:9] == list(range(9))
    # Half old: seen by nine uses; the other half came one after another: seen by five in the mean.
    assert before[-1] < 10
    assert before[-1] == pytest.approx(0.5 * 9 + 0.5 * 4.5, abs=1.5)


def test_what_was_carried_is_carried_on() -> None:
    uses = [Use(f"a{number}", "split", rows(0, 400)) for number in range(10)]
    uses += [Use(f"b{number}", "split", rows(200, 600)) for number in range(10)]
    uses += [Use("c", "split", rows(400, 800))]
    before = spent(uses)
    assert before[10] == 5
    # Half of these rows were there for the second ten uses, with five carried from the first ten.
    assert before[20] == pytest.approx(0.5 * 10 + 0.5 * 5, abs=1)


def test_a_holdout_that_shrinks_does_not_begin_anew() -> None:
    old = [Use(f"c{number}", "split", rows(0, 8_000)) for number in range(5)]
    few = tuple(sorted(rows(0, 8_000)[-1] + number for number in range(1, 20)))
    assert spent([*old, Use("few", "split", few)])[-1] == 5
    assert spent([*old, Use("none", "split", ())])[-1] == 5


def test_a_row_beyond_the_sketch_may_have_been_there_all_the_time() -> None:
    shrinking = [
        Use("a", "split", rows(0, 8_000)),
        Use("b", "split", rows(0, 4_000)),
        Use("c", "split", rows(0, 4_000)),
    ]
    assert spent(shrinking) == [0, 1, 2]


def test_the_sketch_holds_the_smallest() -> None:
    hashes = np.arange(2_000, dtype=np.uint64)[::-1]
    assert sketch(hashes) == tuple(range(512))
    assert sketch(hashes[-3:]) == (0, 1, 2)
    assert all(isinstance(value, int) for value in sketch(hashes))


def test_reach_is_as_far_as_both_sketches_know() -> None:
    full, short = tuple(range(0, 1_024, 2)), (5, 9)
    assert reach(short, short) == 2**64
    assert reach(full, short) == reach(short, full) == 1_022
    assert reach(full, tuple(range(512))) == 511


def test_the_overlap_is_estimated_within_a_few_points() -> None:
    old = [Use(f"c{number}", "split", rows(0, 8_000)) for number in range(20)]
    for share in (0.45, 0.25):
        first = round(8_000 * (1 - share))
        carried = spent([*old, Use("new", "split", rows(first, first + 8_000))])[-1]
        assert carried == pytest.approx(20 * share, abs=1.6)
