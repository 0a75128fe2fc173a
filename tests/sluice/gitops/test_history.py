"""What the commits of a manifest repo tell: what happened, which release a word means, and who
contradicts whom.
"""

import itertools
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.gitops.evidence import Evidence
from sluice.gitops.history import Commit, Event, live, measured, read, spells, unended
from sluice.gitops.lineage import MADE_OF, bare, contradictions, resolve
from sluice.gitops.trailers import commit_message
from sluice.identity import value_hash

OVERLAY, STATE = "overlays/production/kustomization.yaml", "state/attrition/champion.json"
DAY = "2026-11-{:02d}T10:00:00+00:00"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def tag(number: int) -> str:
    return f"{number:x}" * 16


def entry(number: int) -> list[str]:
    return [f"    newTag: {tag(number)}", f"    digest: {digest(number)}"]


def released(number: int, day: int, image: int | None = None, before: int = 0) -> Commit:
    image = image or number
    trailers = {
        "Promotion-Id": "x",
        "Model": "attrition",
        "Release": str(number),
        "Image": f"sluice.local/attrition:{tag(image)}",
        "Image-Digest": digest(image),
        "Data-Hash": f"{number:064x}",
        "Source-Commit": f"{number + 10:040x}",
    }
    message = commit_message(
        f"Release {number} of attrition: {tag(image)}", "PROMOTE: recall 0.7.\nBetter.", trailers
    )
    changes = {
        OVERLAY: (entry(before), entry(image)),
        STATE: ([], [f'  "digest": "{digest(image)}"']),
    }
    return Commit(
        f"{number:x}" * 40, DAY.format(day), "Sluice <s@x>", "Sluice <s@x>", message, changes
    )


def changed(
    day: int, subject: str, *, sha: str = "e" * 40, **changes: tuple[list[str], list[str]]
) -> Commit:
    paths = {"overlay": OVERLAY, "quarantine": "state/attrition/quarantine.json", "champion": STATE}
    return Commit(
        sha,
        DAY.format(day),
        "Anna <a@x>",
        "Anna <a@x>",
        subject,
        {paths[k]: v for k, v in changes.items()},
    )


ONE, TWO = released(1, 1), released(2, 2, before=1)


def told(*commits: Commit) -> list[Event]:
    return read(commits)


def test_a_release_is_told_by_its_trailers() -> None:
    [event] = told(ONE)
    assert (event.kind, event.model, event.release, event.digest, event.tag) == (
        "release",
        "attrition",
        1,
        digest(1),
        tag(1),
    )
    assert (event.verdict, event.data, event.body) == (
        "PROMOTE",
        f"{1:064x}",
        "PROMOTE: recall 0.7.\nBetter.",
    )


@pytest.mark.parametrize("trailers", [{"Rollback-Of": digest(2)}, {"Kind": "rollback"}])
def test_a_rollback_is_told_by_its_trailers(trailers: dict[str, str]) -> None:
    words = {
        "Model": "attrition",
        "Image-Digest": digest(1),
        "Reason": "too many flagged",
        **trailers,
    }
    back = replace(
        changed(3, "", overlay=(entry(2), entry(1))),
        message=commit_message("Roll back", "Body.", words),
    )
    event = told(ONE, TWO, back)[-1]
    assert (event.kind, event.release, event.tag, event.digest, event.before) == (
        "rollback",
        1,
        tag(1),
        digest(1),
        digest(2),
    )
    assert (event.reason, event.who) == ("too many flagged", "Anna <a@x>")


def test_a_rollback_by_hand_is_an_edit_that_says_what_it_made_live() -> None:
    event = told(ONE, TWO, changed(3, "oh no", overlay=(entry(2), entry(1))))[-1]
    assert (event.kind, event.model, event.release, event.digest, event.before) == (
        "edit",
        "attrition",
        1,
        digest(1),
        digest(2),
    )


def test_a_digest_that_a_person_made_up_belongs_to_the_model_that_it_replaced() -> None:
    event = told(ONE, changed(3, "mine", overlay=(entry(1), entry(7))))[-1]
    assert (event.kind, event.model, event.release, event.digest) == (
        "edit",
        "attrition",
        0,
        digest(7),
    )


def test_an_edit_of_something_else_moves_nothing() -> None:
    event = told(ONE, changed(3, "More replicas", overlay=(["  - count: 2"], ["  - count: 3"])))[-1]
    assert (event.kind, event.digest, event.moves) == ("edit", "", False)


@pytest.mark.parametrize(("gone", "came", "kind"), [(0, 1, "quarantine"), (1, 0, "lift")])
def test_quarantine_and_lift_are_told_by_what_they_change(gone: int, came: int, kind: str) -> None:
    line = [f'  "{digest(2)}": {{"why": "harm"}}']
    event = told(ONE, TWO, changed(3, "State", quarantine=(line * gone, line * came)))[-1]
    assert (event.kind, event.digest, event.model, event.moves) == (
        kind,
        digest(2),
        "attrition",
        False,
    )


@pytest.mark.parametrize(
    ("trailer", "kind"), [("Quarantine", "quarantine"), ("Quarantine-Lift", "lift")]
)
def test_quarantine_and_lift_are_told_by_their_trailers(trailer: str, kind: str) -> None:
    commit = replace(
        changed(3, "", quarantine=([], [])), message=commit_message("X", "Y.", {trailer: digest(2)})
    )
    event = told(ONE, TWO, commit)[-1]
    assert (event.kind, event.digest) == (kind, digest(2))


def test_an_anchor_is_told_by_its_trailer() -> None:
    words = {
        "Model": "attrition",
        "Anchor": tag(1),
        "Anchor-Before": "none",
        "By": "Anna",
        "Reason": "a new year",
    }
    event = told(
        ONE,
        replace(changed(3, "", champion=([], [])), message=commit_message("Anchor", "Y.", words)),
    )[-1]
    assert (event.kind, event.tag, event.who, event.reason, event.moves) == (
        "anchor",
        tag(1),
        "Anna",
        "a new year",
        False,
    )


@pytest.mark.parametrize(
    "message", ["", "\n\n", "x", "Release: 7", "a\n\nRelease: seven\nImage-Digest: none\n"]
)
def test_no_message_breaks_the_reading(message: str) -> None:
    assert told(replace(changed(3, message, champion=([], ["}"]))))[0].release in (0, 7)


def test_what_was_live_when() -> None:
    back = changed(3, "back", overlay=(entry(2), entry(1)))
    found = spells(told(ONE, TWO, back), "attrition")
    assert [(s.began.digest, s.ended.date if s.ended else "") for s in found] == [
        (digest(1), DAY.format(2)),
        (digest(2), DAY.format(3)),
        (digest(1), ""),
    ]
    assert live(told(ONE, TWO, back), "attrition") == digest(1)
    assert live([], "attrition") == ""


@pytest.mark.parametrize("shown", [True, False])
def test_a_proposal_is_live_from_its_merge_and_approved_by_who_merged_it(shown: bool) -> None:
    """git shows the merge among the others only where the branch had moved meanwhile."""
    merge = replace(
        changed(9, "Merge it", sha="d" * 40, overlay=(entry(1), entry(2))),
        parents=("1" * 40, "2" * 40),
    )
    found = read([ONE, TWO, *([merge] if shown else [])], [merge])
    assert [(event.kind, event.date, event.approved) for event in found] == [
        ("release", DAY.format(1), ""),
        ("release", DAY.format(9), "Anna <a@x>"),
    ]


def test_a_number_without_an_end_is_known() -> None:
    events = [
        Event("reserved", "", "", "", "", model="attrition", release=number) for number in (1, 2)
    ]
    assert [event.release for event in unended([*events, *told(ONE)])] == [2]


EVENTS = told(ONE, TWO)
OTHER = told(ONE, TWO, released(3, 3, image=0x1FF))


@pytest.mark.parametrize(
    "word",
    [
        digest(2),
        digest(2).removeprefix("sha256:"),
        f"sluice.local/attrition:{tag(2)}@{digest(2)}",
        tag(2),
        tag(2)[:5],
        f"sluice.local/attrition:{tag(2)}",
        "2" * 40,
        "2222222",
        f"{12:040x}",
        "latest",
        "live",
        digest(2).upper()[7:],
    ],
)
def test_a_release_is_found_by_all_its_names(word: str) -> None:
    assert resolve(EVENTS, word, "attrition", "here").release == 2


def test_the_commit_of_a_rollback_means_what_it_made_live() -> None:
    events = told(ONE, TWO, changed(3, "back", sha="b" * 40, overlay=(entry(2), entry(1))))
    assert resolve(events, "bbbbbb", "attrition", "here").release == 1
    assert resolve(events, "live", "attrition", "here").release == 1
    assert resolve(events, "latest", "attrition", "here").release == 2


def test_what_was_released_twice_is_its_newest_release() -> None:
    assert (
        resolve(told(ONE, TWO, released(3, 3, image=1)), digest(1), "attrition", "here").release
        == 3
    )


@pytest.mark.parametrize(
    ("word", "what", "fix"),
    [
        ("0000", "matches 2 releases: release 1 of attrition \\(1{16}, sha256:0", "Give more"),
        ("abcdef", "there is no release 'abcdef'", "Looked at here"),
        ("abc", "no digest, tag or commit", "at least 4"),
        ("*?", "no digest, tag or commit", "at least 4"),
    ],
)
def test_what_no_release_or_several_are_meant_by_is_said(word: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError, match=what) as raised:
        resolve(EVENTS, word, "attrition", "here")
    assert fix in raised.value.fix


@pytest.mark.parametrize("word", ["latest", "live"])
def test_before_the_first_release_there_is_none(word: str) -> None:
    with pytest.raises(UsageError, match="nothing of attrition was released"):
        resolve([], word, "attrition", "here")


def test_what_a_person_made_live_is_no_release() -> None:
    events = told(ONE, changed(3, "mine", overlay=(entry(1), entry(7))))
    with pytest.raises(UsageError, match="a person set"):
        resolve(events, "live", "attrition", "here")


def test_what_is_looked_for_in_an_image_name() -> None:
    assert bare("host:5000/team/attrition:tag@sha256:AB") == "ab"
    assert bare("host:5000/team/attrition:Tag") == "tag"
    assert bare("sha256:ab") == bare("ab") == "ab"


MADE = {name: f"{place:064x}" for place, name in enumerate(MADE_OF.values(), 1)}
NOTES = {f"dev.sluice.{name}": value for name, value in MADE.items()}
TRAILERS = {trailer: MADE[name] for trailer, name in MADE_OF.items()} | {
    "Data-Hash": "d" * 64,
    "Verdict": "PROMOTE",
    "Image": f"x/attrition:{value_hash(MADE)[:16]}",
}
DOCUMENT = {
    "data": {"sha256": "d" * 64},
    "lineage": {"training rows": MADE["training-data"], "model artifact": MADE["model"]},
    "seals": {"data": "d" * 64, "candidate": MADE["model"]},
    "verdict": {"verdict": "PROMOTE"},
}
EVIDENCE = msgspec.convert(DOCUMENT, Evidence)


def test_what_agrees_is_no_contradiction() -> None:
    assert contradictions(TRAILERS, NOTES, EVIDENCE) == []
    assert contradictions(TRAILERS, None, None) == []
    assert contradictions({}, NOTES, EVIDENCE) == []


@pytest.mark.parametrize("trailer", [*MADE_OF, "Data-Hash", "Verdict", "Image"])
def test_a_commit_that_says_something_else_is_contradicted(trailer: str) -> None:
    found = contradictions(
        {**TRAILERS, trailer: "HOLD" if trailer == "Verdict" else "0" * 64}, NOTES, EVIDENCE
    )
    assert found
    assert all("the commit says" in sentence for sentence in found)


@pytest.mark.parametrize("name", MADE)
def test_an_image_that_says_something_else_is_contradicted(name: str) -> None:
    found = contradictions(TRAILERS, {**NOTES, f"dev.sluice.{name}": "0" * 64}, EVIDENCE)
    assert any(sentence.startswith(f"{name}: the commit says ") for sentence in found)
    assert any(sentence.startswith("tag: ") for sentence in found)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("data", "sha256"),
        ("lineage", "training rows"),
        ("lineage", "model artifact"),
        ("seals", "data"),
        ("seals", "candidate"),
        ("verdict", "verdict"),
    ],
)
def test_evidence_that_says_something_else_is_contradicted(part: str, name: str) -> None:
    document = {**DOCUMENT, part: {**DOCUMENT[part], name: "0" * 64}}
    evidence = msgspec.convert(document, Evidence)
    assert len(contradictions(TRAILERS, NOTES, evidence)) == 1


def test_a_commit_that_changed_nothing_and_says_nothing_is_no_event() -> None:
    assert read([released(1, 1), changed(2, "Merge branch 'main'")]) == read([released(1, 1)])


def test_a_trailer_may_name_the_kind_itself() -> None:
    message = commit_message("By hand", "Why.", {"Kind": "Rollback", "Image-Digest": digest(1)})
    commit = Commit("f" * 40, DAY.format(2), "Anna <a@x>", "Anna <a@x>", message, {})
    assert [event.kind for event in read([released(1, 1), commit])] == ["release", "rollback"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_model_is_known_from_the_state_only_where_it_is_one(count: int) -> None:
    paths = [f"state/{name}/champion.json" for name in ("attrition", "churn")][:count]
    changes = {path: ([], ["x"]) for path in ("README.md", *paths)}
    commit = Commit("f" * 40, DAY.format(1), "A <a@x>", "A <a@x>", "Edit\n", changes)
    assert read([commit])[0].model == ("attrition" if count == 1 else "")


@pytest.mark.parametrize(
    ("body", "metrics"),
    [
        ("", {}),
        ("recall 0.75", {}),
        ("recall 0.7500 [0.7400, 0.7600], precision 0.6", {"recall": (0.75, 0.74, 0.76)}),
        (
            "HOLD: precision 0.6 [0.5, 0.7]\nrecall 1.0 [0.9, 1.0].",
            {"precision": (0.6, 0.5, 0.7), "recall": (1.0, 0.9, 1.0)},
        ),
        ("recall +0.0020 [-0.0090, +0.0110] against the champion", {}),
    ],
)
def test_what_was_measured_is_read_from_its_line_alone(
    body: str, metrics: dict[str, tuple[float, float, float]]
) -> None:
    assert measured(body) == metrics


MOVES = st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12)


@given(MOVES)
@settings(deadline=None)
def test_the_times_in_which_something_was_live_follow_each_other_without_a_gap(
    moves: list[tuple[int, bool]],
) -> None:
    events = []
    for day, (image, elsewhere) in enumerate(moves, 1):
        [event] = read([released(day, day, image)])
        events.append(replace(event, overlay="staging" if elsewhere else ""))
    past = spells(events, "attrition")
    for before, after in itertools.pairwise(past):
        assert before.ended == after.began
        assert before.began.digest != after.began.digest
    here = [event.digest for event in events if not event.overlay]
    assert live(events, "attrition") == (here[-1] if here else "")
    assert all(spell.ended is None for spell in past[-1:])


def test_the_end_of_a_canary_is_told_and_makes_nothing_live() -> None:
    trailers = {
        "Model": "attrition",
        "Release": "1",
        "Image": f"sluice.local/attrition:{tag(1)}",
        "Image-Digest": digest(1),
        "Canary": "healthy",
        "By": "anna",
        "Reason": "all 4 of its analyses passed",
    }
    message = commit_message("Record the canary", "All 4 of its analyses passed.", trailers)
    ended = changed(2, message, champion=([], ['  "canary": {']))
    events = read([released(1, 1), ended])
    assert [event.kind for event in events] == ["release", "canary"]
    assert (events[1].outcome, events[1].tag, events[1].release) == ("healthy", tag(1), 1)
    assert (events[1].who, events[1].moves) == ("anna", False)
    assert live(events, "attrition") == digest(1)
    assert len(spells(events, "attrition")) == 1
