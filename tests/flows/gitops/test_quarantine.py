"""Quarantine and parking: what no release writes, until when, and that nothing about it is ever
forgotten.
"""

import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import strategies as st
from support import by_hand
from support.git_repos import (
    ONE,
    QUARANTINE,
    TWO,
    commits,
    digest,
    document,
    promotion,
    seeded,
    shown,
    tip,
)

from flows.adapters.git import git
from flows.adapters.registry import layout, oci
from flows.gitops import manifest_repo, quarantine
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.gitops import quarantine as rules
from sluice.gitops.state import NO_QUARANTINE, NOTHING_PARKED, Barred, Lifted, encode
from sluice.gitops.trailers import read_trailers

NOON = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


def entry(tag: str, why: str = "it flags everybody.") -> Barred:
    return Barred(digest=digest(tag), tag=tag, release=1, who="anna", when="2026-11-20", why=why)


def test_what_is_in_quarantine_is_found_by_digest_and_by_tag() -> None:
    kept = rules.add(NO_QUARANTINE, entry(ONE))
    assert rules.barred(kept, digest(ONE)) == rules.barred(kept, tag=ONE) == entry(ONE)
    assert rules.barred(kept, digest(TWO), TWO) is None
    assert rules.barred(kept) is None
    assert (
        rules.barred(rules.add(kept, msgspec.structs.replace(entry(TWO), tag="")), tag="") is None
    )


def test_twice_is_once_and_the_first_reason_stays() -> None:
    kept = rules.add(rules.add(NO_QUARANTINE, entry(ONE)), entry(ONE, "again"))
    assert [one.why for one in kept.entries] == ["it flags everybody."]


def test_the_reason_says_since_when_why_and_what_to_do() -> None:
    said = f'lift it: sluice quarantine lift {digest(ONE)[:19]} --reason "WHY"'
    assert (
        rules.reason(entry(ONE))
        == f"quarantined since 2026-11-20 because it flags everybody; {said}"
    )


def test_lifting_keeps_the_record_and_a_second_time_is_a_second_record() -> None:
    kept = rules.lift(
        rules.add(NO_QUARANTINE, entry(ONE)), digest(ONE), Lifted("ben", "2026-11-21", "a mistake")
    )
    assert rules.barred(kept, digest(ONE)) is None
    kept = rules.add(kept, entry(ONE, "once more"))
    assert [(one.why, bool(one.lifted)) for one in kept.entries] == [
        ("it flags everybody.", True),
        ("once more", False),
    ]
    with pytest.raises(UsageError, match="in no quarantine"):
        rules.lift(kept, digest(TWO), Lifted("ben", "2026-11-21", "a mistake"))


def begun(entry: Barred) -> Barred:
    """The entry as it began."""
    return msgspec.structs.replace(entry, lifted=None)


@over(
    st.lists(st.tuples(st.sampled_from(["add", "lift"]), st.sampled_from([ONE, TWO])), max_size=12)
)
def test_nothing_is_ever_taken_out(steps: list[tuple[str, str]]) -> None:
    kept = NO_QUARANTINE
    barred: set[str] = set()
    for number, (verb, tag) in enumerate(steps):
        before = kept.entries
        if verb == "add":
            kept, barred = rules.add(kept, entry(tag, str(number))), barred | {tag}
        elif tag in barred:
            kept, barred = (
                rules.lift(kept, digest(tag), Lifted("ben", "now", "why")),
                barred - {tag},
            )
        after = kept.entries
        assert [begun(one) for one in after][: len(before)] == [begun(one) for one in before]
        assert {tag for tag in (ONE, TWO) if rules.barred(kept, digest(tag))} == barred


def test_a_parked_digest_waits_twice_as_long_each_time_up_to_a_day() -> None:
    kept = NOTHING_PARKED
    image = quarantine.Image(digest(ONE), ONE)
    pauses = []
    for _ in range(12):
        kept = quarantine.parked(kept, image, "no nodes", NOON)
        [one] = kept.entries
        pauses.append(datetime.datetime.fromisoformat(one.next) - NOON)
    assert [pause.total_seconds() / 60 for pause in pauses[:4]] == [15, 30, 60, 120]
    assert max(pauses) == pauses[-1] == datetime.timedelta(days=1)
    assert (one.attempts, one.since) == (12, quarantine.stamp(NOON))


def test_a_parked_digest_may_be_tried_when_its_time_is_over() -> None:
    kept = quarantine.parked(NOTHING_PARKED, quarantine.Image(digest(ONE), ONE), "no nodes.", NOON)
    waiting = rules.waiting(kept, digest(ONE), quarantine.stamp(NOON))
    assert waiting is not None
    assert rules.waits(waiting) == (
        "parked since 2026-11-20T12:00:00+00:00 because no nodes; "
        "tried again from 2026-11-20T12:15:00+00:00 on"
    )
    assert (
        rules.waiting(kept, digest(ONE), quarantine.stamp(NOON + datetime.timedelta(minutes=15)))
        is None
    )
    assert rules.waiting(kept, digest(TWO), quarantine.stamp(NOON)) is None


def test_a_quarantined_digest_is_refused_until_it_is_lifted_with_a_reason(given: Settings) -> None:
    written = quarantine.add(given, "attrition", digest(ONE), "trained on the broken export")
    assert written.outcome == "committed"
    refused = promote(given, promotion(ONE, 1))
    assert refused.outcome == "quarantined"
    assert (
        "because trained on the broken export; lift it: sluice quarantine lift sha256:111"
        in refused.sentence
    )
    assert tip(given) == written.commit

    quarantine.lift(given, "attrition", ONE * 4, "the export was right")
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    [entry] = document(given, QUARANTINE)["entries"]
    assert (entry["who"], entry["why"]) == ("anna", "trained on the broken export")
    assert (entry["lifted"]["who"], entry["lifted"]["why"]) == ("anna", "the export was right")


def test_what_was_done_is_in_the_trailers(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    quarantine.add(given, "attrition", ONE, "wrong\nin two lines")
    quarantine.lift(given, "attrition", ONE, "right")
    lifted, added = (
        read_trailers(message) for _, _, message in git.log(given.manifest_url, "main")[:2]
    )
    assert added == {
        "Model": "attrition",
        "Image-Digest": digest(ONE),
        "Quarantined": digest(ONE),
        "By": "anna",
        "Reason": "wrong in two lines",
    }
    assert (lifted["Lifted"], lifted["Reason"]) == (digest(ONE), "right")
    assert "state/attrition" in git.git("show", "--stat", "main", cwd=Path(given.manifest_url))
    assert document(given, QUARANTINE)["entries"][0]["release"] == 1


def test_the_same_again_is_no_commit(given: Settings) -> None:
    for verb in (quarantine.add, quarantine.lift):
        verb(given, "attrition", digest(ONE), "why")
        before = commits(given)
        assert verb(given, "attrition", digest(ONE), "why").outcome == "already there"
        assert commits(given) == before


@pytest.mark.parametrize(
    "named", ["tag", "start of the tag", "digest", "start of the digest", "its hex"]
)
def test_a_release_may_be_named_in_many_ways(named: str, given: Settings) -> None:
    tag = "abcdef0123456789"
    promote(given, promotion(tag, 1))
    words = {
        "tag": tag,
        "start of the tag": tag[:7],
        "digest": digest(tag),
        "start of the digest": digest(tag)[:14],
        "its hex": digest(tag)[7:17],
    }
    quarantine.add(given, "attrition", words[named], "why")
    assert document(given, QUARANTINE)["entries"][0]["tag"] == tag


def test_a_tag_that_is_only_in_the_registry_is_found_there(given: Settings) -> None:
    place = given.home / "registry" / "attrition"
    layout.put_manifest(place, TWO, b"{}")
    quarantine.add(given, "attrition", TWO, "why")
    [entry] = document(given, QUARANTINE)["entries"]
    assert (entry["digest"], entry["tag"], entry["release"]) == (oci.digest_of(b"{}"), TWO, 0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("nonsense", "is no release"),
        ("abc", "is no release"),
        ("a b", "is no release"),
        ("abcdef0", "names 2 releases"),
    ],
)
def test_what_names_nothing_or_too_much_is_said(wanted: str, said: str, given: Settings) -> None:
    one, two = "abcdef0123456789", "abcdef0987654321"
    promote(given, promotion(one, 1))
    promote(given, promotion(two, 2, against=one))
    with pytest.raises(UsageError, match=said):
        quarantine.add(given, "attrition", wanted, "why")


def test_lifting_what_is_in_no_quarantine_is_said(given: Settings) -> None:
    with pytest.raises(UsageError, match="is in no quarantine"):
        quarantine.lift(given, "attrition", ONE, "why")


def test_a_parked_release_is_told_until_when(given: Settings) -> None:
    with by_hand.clone(given.manifest_url, "main") as repo:
        path = repo.path / manifest_repo.state(given, "attrition", "parked")
        path.parent.mkdir(parents=True)
        image = quarantine.Image(digest(ONE), ONE)
        path.write_text(encode(quarantine.parked(NOTHING_PARKED, image, "no nodes", NOON)))
        by_hand.commit(repo, "Park\n", given.author)
        by_hand.push(repo)
    early, late = (
        promote(given, promotion(ONE, 1), quarantine.stamp(NOON + datetime.timedelta(minutes=wait)))
        for wait in (14, 16)
    )
    assert (early.outcome, late.outcome) == ("parked", "committed")
    assert "because no nodes; tried again from 2026-11-20T12:15" in early.sentence


def test_the_quarantine_is_left_alone_by_a_promotion(given: Settings) -> None:
    quarantine.add(given, "attrition", digest(TWO), "why")
    before = shown(given, QUARANTINE)
    promote(given, promotion(ONE, 1))
    assert shown(given, QUARANTINE) == before
