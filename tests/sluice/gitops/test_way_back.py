"""Which release is gone back to, whoever asks."""

import msgspec
import pytest
from support.git_repos import FOUR, ONE, THREE, TWO, promotion

from sluice.gitops import way_back
from sluice.gitops.state import (
    NO_QUARANTINE,
    NOTHING_PARKED,
    Barred,
    Canary,
    Champion,
    Delayed,
    Parked,
    Quarantine,
)

TAGS = (ONE, TWO, THREE, FOUR)


def release(number: int, ended: str = "") -> Champion:
    """A release, and how its canary ended where that is recorded."""
    champion = promotion(TAGS[number - 1], number).champion
    if not ended:
        return champion
    told = Canary(ended=ended, when="2026-03-02T10:00:00Z", why="it passed")
    return msgspec.structs.replace(champion, canary=told)


def chosen(*releases: Champion, parked: Parked = NOTHING_PARKED) -> int:
    best = way_back.best(releases, parked)
    return best.release if best else 0


@pytest.mark.parametrize("ended", ["healthy", "promoted", "unproven"])
def test_what_was_superseded_in_the_middle_of_its_canary_is_passed_over(ended: str) -> None:
    assert chosen(release(3), release(2, ended), release(1, "healthy")) == 2


def test_where_nothing_was_proven_the_newest_is_taken() -> None:
    assert chosen(release(1), release(3), release(2)) == 3
    assert chosen() == 0


def test_what_is_parked_is_passed_over() -> None:
    newest = release(3)
    waits = Delayed(digest=newest.digest, tag=THREE, since="", why="", attempts=1, next="")
    parked = Parked(entries=(waits,))
    assert chosen(newest, release(2), release(1), parked=parked) == 2
    assert chosen(newest, parked=parked) == 0


def test_a_release_is_known_as_it_was_recorded_last_and_the_live_one_is_none_of_them() -> None:
    """The end of a canary is recorded in a later commit than the release."""
    recorded = [release(3), release(2, "healthy"), release(2), release(1)]
    known = way_back.others(recorded, release(3))
    assert [one.release for one in known.values()] == [2, 1]
    assert way_back.is_proven(known[release(2).digest])


def test_what_came_later_is_not_gone_back_to_and_nor_is_what_is_in_quarantine() -> None:
    of = [release(number) for number in (1, 2, 4)]
    assert [one.release for one in way_back.before(of, release(3))] == [1, 2]
    bad = Barred(
        digest=release(2).digest, tag=TWO, release=2, who="anna", when="2026-03-02", why="why"
    )
    assert [one.release for one in way_back.free(of, Quarantine(entries=(bad,)))] == [1, 4]
    assert way_back.free(of, NO_QUARANTINE) == of


def test_what_is_known_of_it_is_said() -> None:
    assert way_back.proof(release(1, "healthy")) == "its canary was healthy"
    assert way_back.proof(release(1, "promoted")) == "a person let its canary run everywhere"
    assert way_back.proof(release(1, "unproven")) == (
        "it ran everywhere, and no analysis was asked"
    )
    assert way_back.proof(release(1)) == (
        "how its canary ended is not recorded: nothing shows that it ran everywhere"
    )
