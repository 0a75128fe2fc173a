"""Four hundred nights of a pipeline by the real ledger: it lives, it spends no more than it has,
and what it says about how to go on is true.
"""

import datetime
import re
from dataclasses import replace

import pytest

from benchmarks import looks
from benchmarks.looks import World, found, walk
from sluice.errors import Refused
from sluice.gate import spending
from sluice.gate.ledger import Allowance, Ledger, Use, reserve, turn

POSITIVES = 100  # few enough that the ledger counts every one of them
GROWTH = [0.0, 0.001, 0.01, 0.05]
DAY = datetime.date(2026, 1, 1)


def _worlds() -> list[World]:
    growing = [World(f"{new:.1%}", new) for new in GROWTH]
    rolling = [World(f"{new:.1%} replaced", new, rolls=True) for new in GROWTH if new]
    return growing + rolling


@pytest.mark.parametrize("world", _worlds(), ids=lambda world: world.name)
def test_every_night_of_four_hundred_has_a_look_and_none_has_more_than_is_left(
    world: World,
) -> None:
    walked = list(walk(world, POSITIVES))
    assert len(walked) == 400
    uses = [night.uses for night in walked if night.uses is not None]
    assert len(uses) == 400
    spent = sum(spending.share(before) for before in uses)
    assert spent <= 1.0 + sum(night.fresh for night in walked[1:])
    if not world.new:
        assert uses == list(range(400))
        assert spent < 1.0
    else:
        assert max(uses) < 60


def test_the_more_is_new_the_higher_the_level() -> None:
    rolling = [
        [night.uses for night in walk(World("", new, rolls=True), POSITIVES, 150)][-1] or 0
        for new in (0.002, 0.01, 0.05, 0.2)
    ]
    assert rolling == sorted(rolling, reverse=True)
    assert rolling[-1] <= 3


@pytest.mark.parametrize("most", [5, 20])
def test_whoever_does_what_the_refusal_says_goes_on_for_four_hundred_nights(most: int) -> None:
    """Each night that is refused names a number of new positives; with these it is allowed, and
    with half of them it is not.
    """
    ledger, positives, refusals = Ledger(), 300, 0
    allowance = Allowance(uses=most)

    def use(night: int, count: int) -> Use:
        ids = tuple(str(number) for number in range(count))
        return Use(f"night {night}", ids, DAY, allowance=allowance)

    for night in range(400):
        try:
            ledger = reserve(ledger, use(night, positives), bytes(32)).ledger
        except Refused as refused:
            refusals += 1
            new = _named(refused)
            with pytest.raises(Refused):
                reserve(ledger, use(night, positives + new // 2), bytes(32))
            positives += new
            ledger = reserve(ledger, use(night, positives), bytes(32)).ledger
        assert ledger.newest == night + 1
        if positives > 2_000:
            break  # from here on the ledger counts a sample
    assert refusals >= 20


LIMITED = [Allowance(uses=20), Allowance(days=7), Allowance(days=7, best=True)]


@pytest.mark.parametrize("world", _worlds(), ids=lambda world: world.name)
@pytest.mark.parametrize("allowance", LIMITED, ids=["uses", "days", "best"])
def test_whoever_does_what_is_said_goes_on_in_every_world(
    world: World, allowance: Allowance
) -> None:
    """Each night without a look says how to go on. Whoever does that has a look; whoever does less
    has none. A night that says the same as the one before is passed over.
    """
    ledger, said, looks_had = Ledger(), "", 0
    for night in range(400):
        use = _asked(world, night, allowance)
        after, told = _looked(ledger, use)
        looks_had += after is not ledger
        ledger = after
        if told and told != said:
            enough, less = _done(use, told)
            assert _looked(ledger, enough)[1] == "", told
            assert _looked(ledger, less)[1], told
        said = told
    if allowance.days:
        assert looks_had == 58
    else:
        assert looks_had >= 20 + 300 * (world.new >= 0.05)


def _asked(world: World, night: int, allowance: Allowance) -> Use:
    come = round(POSITIVES * world.new * night)
    ids = tuple(str(number) for number in range(come if world.rolls else 0, POSITIVES + come))
    today = DAY + datetime.timedelta(days=night)
    return Use(f"night {night}", ids, today, model=f"model {night}", allowance=allowance)


def _looked(ledger: Ledger, use: Use) -> tuple[Ledger, str]:
    """The ledger after tonight, and how to go on where there was no look."""
    mine = turn(ledger, use, bytes(32))
    if mine.until is not None:
        return ledger, f"Release again on {mine.until} or later"
    try:
        return reserve(ledger, use, bytes(32)).ledger, ""
    except Refused as refused:
        return ledger, refused.fix


def _done(use: Use, told: str) -> tuple[Use, Use]:
    """What is said, done; and less than that."""
    day = re.search(r"Release again on (\S+) or later", told)
    if day is not None:
        named = datetime.date.fromisoformat(day[1])
        return replace(use, today=named), replace(use, today=named - datetime.timedelta(days=1))
    found = re.search(r"with ([\d,]+) new labelled positives", told)
    assert found is not None, told
    new, last = int(found[1].replace(",", "")), int(use.ids[-1]) + 1

    def with_new(count: int) -> Use:
        return replace(use, ids=(*use.ids, *(str(n) for n in range(last, last + count))))

    return with_new(new), with_new(new - 1)


@pytest.mark.parametrize("size", [3_000, 9_000])
def test_what_the_refusal_says_holds_where_the_ledger_counts_a_sample(size: int) -> None:
    """Of ten secrets, each of which draws another sample."""
    failed = 0
    for seed in range(10):
        secret = bytes([seed]) * 32
        ledger, allowance = Ledger(), Allowance(uses=4)
        ids = tuple(str(number) for number in range(2 * size))
        for night in range(4):
            use = Use(f"night {night}", ids[:size], DAY, allowance=allowance)
            ledger = reserve(ledger, use, secret).ledger
        with pytest.raises(Refused) as refused:
            reserve(ledger, Use("more", ids[:size], DAY, allowance=allowance), secret)
        grown = ids[: size + _named(refused.value)]
        try:
            reserve(ledger, Use("more", grown, DAY, allowance=allowance), secret)
        except Refused:
            failed += 1
    assert failed <= 1


def _named(refused: Refused) -> int:
    told = re.search(r"with ([\d,]+) new labelled positives", refused.fix)
    assert told is not None
    return int(told[1].replace(",", ""))


def test_a_look_a_week_leaves_more_for_each() -> None:
    weekly = list(walk(World("", 0.0, allowance=Allowance(days=7)), POSITIVES))
    uses = [night.uses for night in weekly if night.uses is not None]
    assert uses == list(range(58))
    assert all("Release again on 20" in night.refused for night in weekly if night.uses is None)


def test_a_gain_of_two_points_that_arrives_late_is_found() -> None:
    """7,000 positives that never change, and two hundred looks before it."""
    walked = [looks.Night(7_000, 0.0, uses) for uses in range(400)]
    assert found(walked, 2_000) >= 0.8
