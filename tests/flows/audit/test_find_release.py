"""A release found again: also one that only the registry knows, and what is said where a part is
missing.
"""

import json
from pathlib import Path

import pytest
from support.git_repos import ONE, promotion, seeded
from support.git_repos import digest as made_up

from flows.adapters.registry import oci, registry
from flows.audit.find_release import artifact, trace, where
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.image_names import annotation
from sluice.gitops.lineage import tag_of

TYPE = "application/vnd.sluice.test.v1"
MADE_OF = {"model": "m" * 64, "policy": "p" * 64}
TAG = tag_of(MADE_OF)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


def push(given: Settings, tag: str, **files: bytes) -> str:
    place = registry.place("sluice.local/attrition", given.home / "registry")
    named = {name.replace("_", "."): content for name, content in files.items()}
    annotations = {annotation(name): value for name, value in MADE_OF.items()}
    return registry.push_files(place, tag, named, TYPE, annotations)


def test_an_image_that_no_commit_names_is_found_by_its_whole_digest(given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    evidence = push(given, f"{TAG}.evidence", evidence_json=b'{"model": "attrition"}')
    traced = trace(given, digest, "attrition")
    assert (traced.event.commit, traced.event.release, traced.event.tag) == ("", 0, TAG)
    assert traced.event.fields.evidence_hash == evidence
    assert traced.annotations == {annotation(name): value for name, value in MADE_OF.items()}
    assert traced.evidence is not None
    assert traced.evidence.model == "attrition"
    assert traced.missing == ()


@pytest.mark.parametrize("word", ["sluice.local/attrition:x@{}", "{}"])
def test_the_digest_may_stand_behind_a_whole_name(word: str, given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    assert trace(given, word.format(digest), "attrition").event.digest == digest


def test_an_image_without_evidence_says_what_is_missing(given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    traced = trace(given, digest, "attrition")
    assert traced.annotations is not None
    assert (traced.files, traced.evidence) == (None, None)
    [sentence] = traced.missing
    assert sentence.startswith("the evidence: ")


def test_a_digest_that_nobody_has_says_where_it_was_looked_for(given: Settings) -> None:
    digest = f"sha256:{'f' * 64}"
    with pytest.raises(UsageError) as raised:
        trace(given, digest, "attrition")
    assert raised.value.what == f"there is no release {digest!r}"
    assert raised.value.fix == (
        f"Looked at branch main of {given.home / 'manifests.git'} and the registry"
        " sluice.local/attrition. See `sluice history`."
    )


def test_a_part_of_a_digest_is_no_image_of_the_registry(given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    with pytest.raises(UsageError, match="there is no release"):
        trace(given, digest[:30], "attrition")


def test_a_release_whose_image_is_gone_is_told_from_its_commit(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    traced = trace(given, ONE, "attrition")
    assert (traced.event.release, traced.event.digest) == (1, made_up(ONE))
    assert traced.annotations is None
    assert [line.partition(":")[0] for line in traced.missing] == ["the image", "the evidence"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"other_json": b"{}"}, "the evidence: it holds no evidence.json"),
        ({"evidence_json": b"{"}, "the evidence: "),
        ({"evidence_json": b'{"data": 3}'}, "the evidence: "),
    ],
)
def test_evidence_that_cannot_be_read_is_missing_and_its_files_are_there(
    files: dict[str, bytes], sentence: str, given: Settings
) -> None:
    digest = push(given, TAG, layer=b"1")
    push(given, f"{TAG}.evidence", **files)
    traced = trace(given, digest, "attrition")
    assert traced.files == {name.replace("_", "."): content for name, content in files.items()}
    assert traced.evidence is None
    [said] = traced.missing
    assert said.startswith(sentence)


def test_the_artifact_is_read_by_the_tag_of_the_release(given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    traced = trace(given, digest, "attrition")
    with pytest.raises(SluiceError):
        artifact(traced)
    push(given, f"{TAG}.model", model_onnx=b"2", policy_toml=b"3")
    assert artifact(traced) == {"model.onnx": b"2", "policy.toml": b"3"}


def test_an_artifact_whose_bytes_were_changed_is_not_given_out(given: Settings) -> None:
    digest = push(given, TAG, layer=b"1")
    push(given, f"{TAG}.model", model_onnx=b"2")
    traced = trace(given, digest, "attrition")
    blob = given.home / "registry" / "attrition" / "blobs" / "sha256"
    (blob / oci.hex_of(oci.digest_of(b"2"))).write_bytes(b"4")
    with pytest.raises(SluiceError):
        artifact(traced)


def test_where_it_is_looked_for_shows_no_password() -> None:
    hosted = Settings(manifests="https://anna:secret@git.example/m.git", registry="r.example/team")
    words = where(hosted, "attrition")
    assert "secret" not in words
    assert words.endswith("and the registry r.example/team/attrition")
    assert json.dumps(words).isascii()
