"""The trailers of a commit message: git reads what was written, and each kind has its schema."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.merge_styles import STYLES

from sluice.gitops import trailers
from sluice.gitops.trailers import commit_message, read_trailers

DIGEST = "sha256:" + "ab" * 32
TRAILERS = {
    "Promotion-Id": "7",
    "Model": "attrition",
    "Image-Digest": DIGEST,
    "Source-Commit": "c0ffee",
    "Evidence-Hash": "ee",
}


def git(folder: Path, *arguments: str, given: str = "") -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    answer = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=given.encode(),
        capture_output=True,
        check=True,
        env=environment,
    )
    return answer.stdout.decode()


def test_trailers_are_what_git_reads(tmp_path: Path) -> None:
    message = commit_message(
        "Promote attrition 0123", "Recall: 0.76.\n\nNote: not a trailer", TRAILERS
    )
    assert read_trailers(message) == TRAILERS
    parsed = git(tmp_path, "interpret-trailers", "--parse", given=message)
    assert dict(line.split(": ", 1) for line in parsed.splitlines()) == TRAILERS


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Za-z-]+", fullmatch=True),
        st.text(max_size=9).filter(lambda text: bool(text.split())),
        min_size=1,
    ),
    st.text(),
)
@settings(max_examples=50, deadline=None)
def test_no_value_of_a_trailer_makes_a_second_one(trailers: dict[str, str], body: str) -> None:
    folded = {name: " ".join(value.split()) for name, value in trailers.items()}
    message = commit_message("Subject", body, trailers)
    assert read_trailers(message) == folded


@pytest.mark.parametrize(
    "message", ["", "Subject", "Subject\n\nA body.\nwith: lower case\n", "Subject\n\nNo:space\n"]
)
def test_a_message_without_trailers_has_none(message: str) -> None:
    assert read_trailers(message) == {}


def test_a_field_is_spelled_as_a_trailer_and_an_empty_one_is_left_out() -> None:
    record = trailers.Promotion(
        promotion_id="7",
        model="attrition",
        release=3,
        image_digest=DIGEST,
        against="none",
        mlflow_key="k",
    )
    assert trailers.pairs(record) == {
        "Promotion-Id": "7",
        "Model": "attrition",
        "Release": "3",
        "Image-Digest": DIGEST,
        "Against": "none",
        "MLflow-Key": "k",
    }


RECORDS: list[msgspec.Struct] = [
    trailers.Promotion(
        promotion_id="p", model="m", release=2, image="a:b", image_digest="c", against="none"
    ),
    trailers.Rollback(
        model="m",
        release=2,
        image="a:b",
        image_digest="c",
        rollback_of="d",
        quarantined="d",
        restores="e",
        rollback_id="f",
        by="anna",
        reason="worse",
    ),
    trailers.QuarantineChange(model="m", image_digest="c", lifted="c", by="anna", reason="ok"),
    trailers.AnchorMove(model="m", anchor="b", anchor_before="none", by="anna", reason="new"),
    trailers.Ending(
        model="m",
        release=2,
        candidate="b",
        verdict="HOLD",
        outcome="hold",
        data_hash="aa",
        overlay="staging",
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_kind_is_read_by_the_names_that_it_was_written_with(record: msgspec.Struct) -> None:
    message = commit_message("Subject", "Body.", trailers.pairs(record))
    named = trailers.known(read_trailers(message))
    written = msgspec.structs.asdict(record)
    assert {field: getattr(named, field) for field in written} == written


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("style", STYLES)
def test_what_a_host_puts_behind_trailers_hides_none(style: str, record: msgspec.Struct) -> None:
    written = trailers.pairs(record)
    message = STYLES[style](commit_message("Subject", "PROMOTE: well.\n\nWhy: so.", written))
    found = read_trailers(message)
    assert {name: found.get(name) for name in written} == written
    assert not set(found) & {"Co-authored-by", "Why", "Release-It"}
    body = trailers.parsed(message).before
    assert "Model:" not in body
    assert "PROMOTE" in body


@given(st.text(), st.sampled_from(sorted(STYLES)))
@settings(max_examples=100, deadline=None)
def test_no_body_hides_trailers_whatever_the_host(body: str, style: str) -> None:
    written = trailers.pairs(RECORDS[0])
    found = read_trailers(STYLES[style](commit_message("Subject", body, written)))
    assert {name: found.get(name) for name in written} == written


@pytest.mark.parametrize(
    "message",
    [
        "Edit\n\nAnchor: the ship lies at anchor,\nas they say.\n\nThat is all.",
        'Revert "Release 1"\n\nThis reverts commit abc.\n\n    Promotion-Id: 7\n    Model: m\n',
        "Edit\n\n> Promotion-Id: 7\n> Model: m\n\nWhat is that?",
        "Edit\n\nI saw Model: m and Image-Digest: x there.\n\nThat is all.",
    ],
)
def test_prose_and_quotations_are_no_trailers(message: str) -> None:
    assert read_trailers(message) == {}
    assert trailers.parsed(message).before == message.strip()


def test_of_several_releases_in_one_commit_the_last_counts() -> None:
    """A branch that proposes anew is squashed with what it proposed before."""
    one, two = ({**TRAILERS, "Promotion-Id": number} for number in "12")
    first, second = commit_message("* One", "a", one), commit_message("* Two", "b", two)
    assert (
        read_trailers(f"Both (#7)\n\n{first}\n{second}\n---------\n\nX-By: z")["Promotion-Id"]
        == "2"
    )


@pytest.mark.parametrize("text", ["x", "", "-1", "1.0", "1 ", "²", "٣", "9" * 19])
def test_a_release_that_is_no_number_is_none(text: str) -> None:
    assert trailers.known({"Release": text, "Model": "m"}) == trailers.Trailers(model="m")


def test_a_number_and_a_tag_that_are_none_are_empty() -> None:
    assert trailers.known({}).release == 0
    assert trailers.known({"Release": "12"}).release == 12
    assert trailers.known({"Image": "host:5000/a/b:tag"}).tag == "tag"
    assert trailers.known({"Signed-off-by": "Anna"}) == trailers.Trailers()
