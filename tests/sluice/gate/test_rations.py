"""Rations of looks: the best candidate by validation has the look, and the others spend nothing."""

import datetime
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.gate import ledger as module
from sluice.gate import rations
from sluice.gate.ledger import Allowance, Ledger, Use, collected, fault, reserve, turn
from sluice.gate.rations import Waiting
from sluice.gitops.state import decode, encode

SECRET = bytes(range(32))
DAY = datetime.date(2026, 3, 2)
WEEKLY = Allowance(days=7, best=True)
IDS = tuple(f"person {number}" for number in range(200))


def use(name: str, day: int, validation: float, **changes: Any) -> Use:
    """A use on a day from 0, by the candidate of this name."""
    asked = Use(
        f"score {name}",
        IDS,
        DAY + datetime.timedelta(days=day),
        model=name,
        against="champion",
        allowance=WEEKLY,
        validation=validation,
        data=f"data {name}",
    )
    return replace(asked, **changes)


def waiting(*uses: Use) -> Ledger:
    """A ledger with a look on day 0, and these candidates as they wait."""
    ledger = reserve(Ledger(), use("first", 0, 0.5), SECRET).ledger
    for one in uses:
        assert not turn(ledger, one, SECRET).mine
        ledger = collected(ledger, one, SECRET)
        kept = decode(encode(ledger), Ledger, "the ledger", newest=module.SCHEMA)
        assert (kept, fault(kept, SECRET)) == (ledger, "")
    return ledger


def test_before_the_first_look_nobody_waits() -> None:
    assert turn(Ledger(), use("a", 0, 0.5), SECRET).mine


def test_a_candidate_within_the_ration_waits_and_spends_nothing() -> None:
    before = waiting()
    asked = turn(before, use("a", 3, 0.8), SECRET)
    assert (asked.until, asked.last) == (DAY + datetime.timedelta(days=7), DAY)
    after = waiting(use("a", 3, 0.8))
    assert (after.memory, after.releases) == (before.memory, before.releases)
    assert after.waiting == (Waiting(model="a", validation=0.8, day="2026-03-05", data="data a"),)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(0, 9))
def test_the_best_by_validation_has_the_look(figures: list[int], tonight: int) -> None:
    ledger = waiting(
        *(use(f"c{day}", day, figure / 10) for day, figure in enumerate(figures) if day < 7)
    )
    asked = turn(ledger, use("tonight", 7, tonight / 10), SECRET)
    assert asked.until is None
    assert asked.mine == (tonight >= max(figures))
    told = [one.validation for one in asked.better]
    assert told == sorted((f / 10 for f in figures if f > tonight), reverse=True)


def test_of_equal_ones_the_last_is_the_best() -> None:
    ledger = waiting(use("old", 1, 0.8), use("new", 2, 0.8))
    assert [one.model for one in turn(ledger, use("z", 7, 0.1), SECRET).better] == ["new", "old"]


def test_a_look_ends_the_ration_and_the_next_begins() -> None:
    ledger = waiting(use("a", 1, 0.8), use("b", 2, 0.9))
    again = use("b", 7, 0.9, candidate="score b beside another champion", against="another")
    assert turn(ledger, again, SECRET).mine
    reserved = reserve(ledger, again, SECRET)
    assert reserved.uses == 1
    assert reserved.ledger.waiting is msgspec.UNSET
    assert turn(reserved.ledger, use("c", 8, 0.1), SECRET).until == DAY + datetime.timedelta(14)


def test_who_can_be_looked_at_no_more_is_passed_over() -> None:
    ledger = waiting(use("a", 1, 0.8), use("b", 2, 0.9))
    tonight = use("c", 7, 0.1, passed_over=("b",))
    assert [one.model for one in turn(ledger, tonight, SECRET).better] == ["a"]
    assert turn(ledger, replace(tonight, passed_over=("a", "b")), SECRET).mine


def test_who_was_killed_and_comes_again_waits_once() -> None:
    once = waiting(use("a", 1, 0.8))
    assert collected(once, use("a", 3, 0.8), SECRET) == once


def test_a_reserved_use_is_kept_whatever_waits() -> None:
    """A release that was killed after it had reserved its use goes on with it."""
    asked = use("a", 7, 0.8)
    ledger = reserve(waiting(), asked, SECRET).ledger
    assert turn(ledger, asked, SECRET).mine
    assert reserve(ledger, asked, SECRET).ledger == ledger


def test_of_two_runners_at_once_the_second_waits() -> None:
    ledger = reserve(waiting(), use("a", 7, 0.8), SECRET).ledger
    second = turn(ledger, use("b", 7, 0.9), SECRET)
    assert second.until == DAY + datetime.timedelta(days=14)


def test_who_spends_nothing_waits_for_nobody() -> None:
    ledger = waiting(use("a", 1, 0.9))
    assert turn(ledger, use("champion", 2, 0.1, spends=False), SECRET).mine
    kept = reserve(ledger, use("champion", 2, 0.1, spends=False), SECRET).ledger
    assert kept.waiting == ledger.waiting
    more = use("first", 2, 0.5, candidate="more labels", ids=(*IDS, "one more"))
    assert turn(ledger, more, SECRET).mine
    assert reserve(ledger, more, SECRET).looks == 1


@pytest.mark.parametrize("ahead", [8, 400, 4_000])
@pytest.mark.parametrize("best", [True, False])
def test_a_clock_that_was_far_ahead_stops_nobody(ahead: int, best: bool) -> None:
    allowance = Allowance(days=7, best=best)
    ledger = waiting()
    ledger = reserve(ledger, use("future", ahead, 0.5), SECRET).ledger
    later = use("a", ahead - 8 if ahead == 8 else 20, 0.5, allowance=allowance)
    if ahead == 8:
        later = replace(later, today=DAY - datetime.timedelta(days=8))
    assert turn(ledger, later, SECRET).mine
    assert reserve(ledger, later, SECRET).uses == 2


def test_a_clock_that_is_a_little_behind_waits_for_the_day() -> None:
    early = use("a", -1, 0.5, allowance=Allowance(days=7))
    with pytest.raises(Refused, match="decided on 2026-03-02, which this clock") as refused:
        reserve(waiting(), early, SECRET)
    assert "Release again on 2026-03-09 or later" in refused.value.fix


def test_no_more_wait_than_are_kept() -> None:
    many = [
        Waiting(model=f"c{n}", validation=n / 100, day="2026-03-03", data="d") for n in range(30)
    ]
    kept: tuple[Waiting, ...] = ()
    for one in many:
        kept = rations.collected(one, kept)
    assert [one.model for one in kept] == [f"c{n}" for n in range(29, 21, -1)]
    assert rations.collected(many[0], kept) == kept


def test_a_figure_that_is_no_number_is_never_the_best() -> None:
    ledger = waiting(use("a", 1, float("nan")))
    assert turn(ledger, use("b", 7, 0.1), SECRET).mine


def test_a_ledger_without_rations_reads_as_before() -> None:
    """What waits is no field of a ledger in which nobody does, so its seal stays what it was."""
    assert "waiting" not in encode(waiting())
