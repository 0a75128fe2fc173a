"""Which release a word means, and what commit, image and evidence contradict each other in."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.gitops.evidence import Evidence, read_evidence
from sluice.gitops.history import Event
from sluice.gitops.image_names import ANNOTATION
from sluice.gitops.lineage import MADE_OF, bare, contradictions, resolve, tag_of, without_prefix

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'12' * 32}"


def release(digest: str, number: int, tag: str, model: str = "attrition") -> Event:
    return Event(
        "release",
        f"{number:x}" * 40,
        f"2026-11-{number:02}",
        "anna",
        f"Release {number}",
        model=model,
        release=number,
        tag=tag,
        digest=digest,
    )


EVENTS = [release(ONE, 10, "a" * 16), release(TWO, 11, "b" * 16)]


def named(word: str, events: list[Event] | None = None) -> int:
    return resolve(EVENTS if events is None else events, word, "attrition", "here").release


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (ONE, 10),
        (TWO, 11),
        ("1212", 11),
        ("aaaa", 10),
        ("B" * 16, 11),
        (f"host:5000/team/attrition:{'b' * 16}@{TWO}", 11),
        (f"attrition:{'a' * 16}", 10),
        (" bbbbbb\n", 11),
        ("latest", 11),
        ("live", 11),
    ],
)
def test_a_word_names_a_release_by_digest_tag_or_commit(word: str, number: int) -> None:
    assert named(word) == number


@given(st.sampled_from(EVENTS), st.data())
def test_any_beginning_that_fits_one_release_alone_names_it(
    event: Event, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([event.digest, event.tag, event.commit]))
    bare_name = name.removeprefix("sha256:")
    length = data.draw(st.integers(4, len(bare_name)))
    assert named(bare_name[:length]) == event.release


def test_a_word_for_several_names_the_candidates() -> None:
    twice = [*EVENTS, release(f"sha256:{'13' * 32}", 12, "b" * 15 + "c")]
    with pytest.raises(UsageError, match=r"'bbbb' matches 2 releases: release 11 .*, release 12"):
        named("bbbb", twice)


def test_a_name_in_full_is_preferred_to_one_that_begins_so() -> None:
    longer = [release(ONE, 10, "abcdef"), release(TWO, 11, "abcdef-again")]
    assert named("abcdef", longer) == 10


@pytest.mark.parametrize("word", ["", "abc", "a b c d", "*" * 8, "../.."])
def test_what_can_be_no_name_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no digest, tag or commit"):
        named(word)


def test_what_nobody_released_says_where_it_was_looked_for() -> None:
    with pytest.raises(UsageError, match="there is no release 'ffff'") as raised:
        named("ffff")
    assert raised.value.fix == "Looked at here. See `sluice history`."
    with pytest.raises(UsageError, match="nothing of attrition was released yet"):
        named("latest", [])


def test_the_commit_of_a_rollback_names_the_release_that_it_made_live() -> None:
    back = replace(EVENTS[0], kind="rollback", commit="f" * 40)
    assert named("ffff", [*EVENTS, back]) == 10


def test_the_overlay_that_is_looked_at_wins() -> None:
    elsewhere = replace(EVENTS[0], overlay="staging")
    found = resolve([EVENTS[0], elsewhere], ONE, "attrition", "here")
    assert found.overlay == ""


@pytest.mark.parametrize(
    ("word", "what"), [(f"a:b@{ONE}", "1" * 64), ("a/b:tag", "tag"), ("Sha256", "sha256")]
)
def test_what_identifies_a_release_in_a_word(word: str, what: str) -> None:
    assert bare(word) == what


HASHES = {name: name * 8 for name in MADE_OF.values()}
TRAILERS = {trailer: HASHES[name] for trailer, name in MADE_OF.items()}
TRAILERS["Image"] = f"host/attrition:{tag_of(HASHES)}"
ANNOTATIONS = {f"{ANNOTATION}{name}": value for name, value in HASHES.items()}


def evidence(model: str, **seals: str) -> Evidence:
    document = {"lineage": {"model artifact": model}, "seals": seals}
    return read_evidence(json.dumps(document).encode())


def test_what_agrees_is_no_contradiction() -> None:
    assert contradictions(TRAILERS, ANNOTATIONS, evidence(HASHES["model"])) == []
    assert without_prefix(ANNOTATIONS) == HASHES


@pytest.mark.parametrize("trailer", MADE_OF)
def test_each_hash_that_differs_is_named(trailer: str) -> None:
    [sentence] = contradictions({**TRAILERS, trailer: "0" * 64}, ANNOTATIONS, None)
    name = MADE_OF[trailer]
    assert sentence.startswith(f"{name}: the commit says ")
    assert "the image" in sentence


def test_the_tag_is_that_of_what_the_image_is_made_of() -> None:
    [sentence] = contradictions({**TRAILERS, "Image": "host/attrition:other"}, ANNOTATIONS, None)
    assert sentence.startswith("tag: the commit says other, ")
    assert tag_of(HASHES) in sentence


@given(st.sets(st.sampled_from(sorted(TRAILERS))), st.sets(st.sampled_from(sorted(ANNOTATIONS))))
def test_what_one_of_them_does_not_say_is_not_compared(
    trailers: set[str], annotations: set[str]
) -> None:
    """The tag needs all that the image is made of, so it is left out here."""
    said = {name: TRAILERS[name] for name in trailers - {"Image"}}
    assert contradictions(said, {name: ANNOTATIONS[name] for name in annotations}, None) == []
    assert contradictions(said, None, None) == []


def test_the_evidence_and_its_seals_are_compared_too() -> None:
    sentences = contradictions(TRAILERS, None, evidence("x" * 64, candidate="y" * 64))
    assert [sentence.partition(":")[0] for sentence in sentences] == ["model", "model"]
