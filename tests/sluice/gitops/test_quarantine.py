"""What may not go live: nothing leaves the record, and a pause grows up to a day."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.gitops import quarantine
from sluice.gitops.quarantine import Failure
from sluice.gitops.state import NO_QUARANTINE, Barred, Lifted, Parked, Quarantine

DIGESTS = [f"sha256:{sign * 64}" for sign in "abc"]
LIFTED = Lifted("ben", "2026-11-21T09:00:00+00:00", "the rows were wrong")
# A change to the quarantine: whether the digest goes in or comes out.
CHANGES = st.lists(st.tuples(st.booleans(), st.sampled_from(DIGESTS)), max_size=12)


def entry(digest: str, tag: str = "") -> Barred:
    return Barred(
        digest=digest,
        tag=tag,
        release=1,
        who="anna",
        when="2026-11-20T09:00:00+00:00",
        why="flags everybody.",
    )


def after(changes: list[tuple[bool, str]]) -> Quarantine:
    found = NO_QUARANTINE
    for goes_in, digest in changes:
        if goes_in:
            found = quarantine.add(found, entry(digest))
        elif quarantine.barred(found, digest):
            found = quarantine.lift(found, digest, LIFTED)
    return found


@given(CHANGES)
def test_a_digest_is_in_quarantine_as_the_last_change_says(
    changes: list[tuple[bool, str]],
) -> None:
    found, last = after(changes), {digest: goes_in for goes_in, digest in changes}
    for digest in DIGESTS:
        assert (quarantine.barred(found, digest) is not None) == last.get(digest, False)


@given(CHANGES, st.tuples(st.booleans(), st.sampled_from(DIGESTS)))
def test_nothing_is_taken_out_of_the_record(
    changes: list[tuple[bool, str]], more: tuple[bool, str]
) -> None:
    before, later = after(changes).entries, after([*changes, more]).entries
    assert len(before) <= len(later) <= len(before) + 1
    unlifted = [msgspec.structs.replace(one, lifted=None) for one in later[: len(before)]]
    assert unlifted == [msgspec.structs.replace(one, lifted=None) for one in before]


@given(CHANGES)
def test_a_digest_is_in_force_once_at_most(changes: list[tuple[bool, str]]) -> None:
    in_force = [one.digest for one in after(changes).entries if one.lifted is None]
    assert len(in_force) == len(set(in_force))


def test_the_tag_of_a_barred_image_is_barred_too() -> None:
    found = quarantine.add(NO_QUARANTINE, entry(DIGESTS[0], "one"))
    assert quarantine.barred(found, tag="one") == found.entries[0]
    assert quarantine.barred(found, DIGESTS[1], "one") == found.entries[0]
    assert quarantine.barred(found, DIGESTS[1], "two") is None
    assert quarantine.barred(found) is None


def test_images_without_a_tag_do_not_bar_each_other() -> None:
    found = quarantine.add(NO_QUARANTINE, entry(DIGESTS[0], tag=""))
    assert quarantine.barred(found, DIGESTS[1], tag="") is None


def test_what_is_in_no_quarantine_cannot_be_lifted() -> None:
    with pytest.raises(UsageError, match="is in no quarantine"):
        quarantine.lift(NO_QUARANTINE, DIGESTS[0], LIFTED)


def test_the_reason_says_how_to_end_it() -> None:
    assert quarantine.reason(entry(DIGESTS[0])) == (
        "quarantined since 2026-11-20 09:00 UTC because flags everybody; lift it:"
        f' sluice quarantine lift {DIGESTS[0][:19]} --reason "WHY"'
    )


@pytest.mark.parametrize("text", ["sha256:", f"sha256:{'A' * 64}", "a" * 64, f"{DIGESTS[0]}\n"])
def test_what_is_no_whole_digest(text: str) -> None:
    assert not quarantine.is_digest(text)
    assert quarantine.is_digest(DIGESTS[0])


@pytest.mark.parametrize(
    ("text", "may"),
    [("1" * 16, True), ("a.b-c", True), ("-a", False), ("", False), ("a/b", False), ("a\n", False)],
)
def test_what_an_image_may_be_tagged(text: str, may: bool) -> None:
    assert quarantine.is_tag(text) is may
    assert quarantine.is_tag("a" * 128) and not quarantine.is_tag("a" * 129)


def parked(times: int, digest: str = DIGESTS[0], before: Parked | None = None) -> Parked:
    found = before or Parked(entries=())
    for number in range(times):
        now, until = f"2026-11-20T0{number % 10}", f"2026-11-20T0{number % 10}:30"
        found = quarantine.park(found, Failure(digest, "one", f"try {number}", now, until))
    return found


@given(st.integers(0, 40))
def test_each_pause_is_twice_the_one_before_up_to_a_day(times: int) -> None:
    found = parked(times)
    assert quarantine.pause(found, DIGESTS[0]) == min(15 * 2**times, 24 * 60)
    assert quarantine.pause(found, DIGESTS[1]) == 15


def test_a_digest_that_fails_again_keeps_since_when_and_goes_behind_the_others() -> None:
    found = parked(1, before=parked(1, DIGESTS[1], before=parked(2)))
    assert [one.digest for one in found.entries] == [DIGESTS[1], DIGESTS[0]]
    last = found.entries[-1]
    assert (last.attempts, last.since, last.why) == (3, "2026-11-20T00", "try 0")


def test_a_parked_digest_waits_until_its_time_and_no_longer() -> None:
    found = parked(1)
    waiting = quarantine.waiting(found, DIGESTS[0], "2026-11-20T00:29")
    assert waiting == found.entries[0]
    assert waiting is not None
    assert quarantine.waits(waiting) == (
        "parked since 2026-11-20T00 because try 0; tried again from 2026-11-20T00:30 on"
    )
    assert quarantine.waiting(found, DIGESTS[0], "2026-11-20T00:30") is None
    assert quarantine.waiting(found, DIGESTS[1], "2026-11-20T00:00") is None
