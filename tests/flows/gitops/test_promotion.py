"""What the tip of the manifest repo dictates to a release, for every state that it can be in."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.git_repos import FOUR, ONE, THREE, TWO, digest, promotion

from flows.gitops.manifest_repo import NO_IMAGE, Live
from flows.gitops.promotion import Promotion, anchor_of, dictated, promotion_id
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Barred, Champion, Delayed, Lifted, Parked, Quarantine

NOW, LATER = "2026-11-20T09:00:00+00:00", "2026-11-20T10:00:00+00:00"
NAME = local_image("attrition")
EMPTY = Live("tip", ImageEntry(NAME, NAME, "none", NO_IMAGE), None, None)


def entry(tag: str) -> ImageEntry:
    return ImageEntry(NAME, NAME, tag, digest(tag))


def live(tag: str, number: int, against: str = "") -> Live:
    """This release is live, and was compared with that one."""
    return replace(EMPTY, entry=entry(tag), champion=promotion(tag, number, against).champion)


def barred(tag: str, lifted: Lifted | None = None) -> Quarantine:
    one = Barred(
        digest=digest(tag), tag=tag, release=1, who="anna", when=NOW, why="wrong.", lifted=lifted
    )
    return Quarantine(entries=(one,))


def parked(tag: str, until: str) -> Parked:
    one = Delayed(digest=digest(tag), tag=tag, since=NOW, why="full", attempts=1, next=until)
    return Parked(entries=(one,))


def outcome(wanted: Promotion, now: Live, moment: str = NOW) -> str:
    written = dictated(wanted, now, moment)
    return written.outcome if written else ""


def sentence(wanted: Promotion, now: Live) -> str:
    written = dictated(wanted, now, NOW)
    assert written is not None
    return written.sentence


FIRST, SECOND = promotion(ONE, 1), promotion(TWO, 2, against=ONE)


def test_a_first_release_may_be_written() -> None:
    assert outcome(FIRST, EMPTY) == ""


def test_the_release_after_the_champion_may_be_written() -> None:
    assert outcome(SECOND, live(ONE, 1)) == ""


def test_what_is_live_already_is_told_with_its_number_and_tip() -> None:
    written = dictated(FIRST, live(ONE, 1), NOW)
    assert written is not None
    assert (written.outcome, written.commit, written.release) == ("already there", "tip", 1)


def test_a_champion_whose_entry_a_person_changed_is_not_there_already() -> None:
    now = replace(live(ONE, 1), entry=replace(entry(ONE), tag="other"))
    assert outcome(FIRST, now) == "held"
    assert sentence(FIRST, now) == (
        f"a person set {NAME}:other@{digest(ONE)}, which no release wrote; set it back to"
        f" {NAME}:{ONE}@{digest(ONE)} to let releases write"
    )


def test_an_image_set_by_hand_before_any_release_says_how_to_begin() -> None:
    now = replace(EMPTY, entry=entry(FOUR))
    assert sentence(FIRST, now).endswith(
        f"set it back to a digest of {NO_IMAGE} to let releases write"
    )


@pytest.mark.parametrize("empty", ["", NO_IMAGE])
def test_an_entry_that_names_no_image_was_written_by_nobody(empty: str) -> None:
    now = replace(EMPTY, entry=replace(EMPTY.entry, digest=empty))
    assert not now.by_hand
    assert outcome(FIRST, now) == ""


def test_a_release_that_was_overtaken_names_the_newer_one() -> None:
    assert sentence(SECOND, live(THREE, 3, ONE)) == "release 3 is live, newer than release 2"


def test_a_release_against_another_champion_names_both() -> None:
    assert sentence(SECOND, EMPTY) == f"the champion is none by now, not {ONE}"
    late = promotion(FOUR, 4, against=ONE)
    assert sentence(late, live(THREE, 3, TWO)) == f"the champion is {THREE} by now, not {ONE}"


@given(st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_of_two_against_the_same_champion_the_higher_number_may_be_written(
    mine: int, theirs: int
) -> None:
    wanted = promotion(TWO, mine, against=ONE)
    now = live(THREE, theirs, against=ONE)
    assert outcome(wanted, now) == ("superseded" if theirs > mine else "")


@given(
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["same champion", "newer", "other"]),
)
@settings(deadline=None)
def test_what_matters_most_is_told_first(
    quarantined: bool, by_hand: bool, waits: bool, state: str
) -> None:
    champions = {
        "same champion": live(ONE, 1),
        "newer": live(THREE, 9, ONE),
        "other": live(FOUR, 1, THREE),
    }
    now = champions[state]
    expected = "" if state == "same champion" else "superseded"
    if waits:
        now = replace(now, parked=parked(TWO, LATER))
        expected = expected or "parked"
    if by_hand:
        now = replace(now, entry=replace(now.entry, tag="x"))
        expected = "held"
    if quarantined:
        now = replace(now, quarantine=barred(TWO))
        expected = "quarantined"
    assert outcome(SECOND, now) == expected


def test_a_quarantine_that_was_lifted_stops_nothing() -> None:
    now = replace(live(ONE, 1), quarantine=barred(TWO, Lifted("ben", LATER, "it was the data")))
    assert outcome(SECOND, now) == ""


def test_the_quarantine_of_another_image_stops_nothing() -> None:
    assert outcome(SECOND, replace(live(ONE, 1), quarantine=barred(FOUR))) == ""


def test_what_is_live_is_there_although_it_is_in_quarantine() -> None:
    """Nothing is written, so nothing bad goes live by it; the rollback is another command."""
    assert outcome(FIRST, replace(live(ONE, 1), quarantine=barred(ONE))) == "already there"


@pytest.mark.parametrize(("moment", "ends"), [(NOW, "parked"), (LATER, "")])
def test_a_parked_release_waits_until_its_time(moment: str, ends: str) -> None:
    now = replace(live(ONE, 1), parked=parked(TWO, LATER))
    assert outcome(SECOND, now, moment) == ends


def test_the_parked_release_of_another_image_is_not_waited_for() -> None:
    assert outcome(SECOND, replace(live(ONE, 1), parked=parked(FOUR, LATER))) == ""


@given(st.floats(0, 1), st.floats(0, 1), st.text(max_size=20))
@settings(deadline=None)
def test_an_anchor_keeps_all_that_the_champion_says_of_its_release(
    recall: float, precision: float, reason: str
) -> None:
    champion: Champion = msgspec.structs.replace(FIRST.champion, recall=recall, precision=precision)
    anchor = anchor_of(champion, reason)
    shared = set(anchor.__struct_fields__) - {"reason"}
    assert all(getattr(anchor, name) == getattr(champion, name) for name in shared)
    assert anchor.reason == reason


NAMES = st.tuples(
    st.sampled_from(["attrition", "churn"]),
    st.sampled_from([ONE, TWO]),
    st.integers(0, 3),
    st.sampled_from(["", "staging"]),
)


@given(NAMES, NAMES)
@settings(deadline=None)
def test_a_promotion_has_the_name_of_another_only_where_it_is_the_same(
    one: tuple[str, str, int, str], two: tuple[str, str, int, str]
) -> None:
    ids = [
        promotion_id(model, entry(tag), number, apart) for model, tag, number, apart in (one, two)
    ]
    assert (ids[0] == ids[1]) == (one == two)
    assert all(len(name) == 16 for name in ids)
