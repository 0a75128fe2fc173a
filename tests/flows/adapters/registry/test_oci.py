"""OCI's formats by their properties: bytes follow from values, and hostile input is refused."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.adapters.registry import oci
from flows.adapters.registry.oci import Broken, Descriptor, Manifest

NAMES = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(/[A-Za-z0-9_][a-z.]{0,5}){0,2}", fullmatch=True
)
FILES = st.dictionaries(NAMES, st.binary(max_size=50), max_size=5)
NOTES = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
TYPE = "application/vnd.sluice.model.v1"


@settings(max_examples=25)
@given(FILES, NOTES)
def test_an_artifact_is_read_as_it_was_written(
    files: dict[str, bytes], notes: dict[str, str]
) -> None:
    content = oci.files_manifest(files, TYPE, notes)
    found = oci.files_of(content)
    assert list(found) == sorted(files)
    for name, described in found.items():
        assert oci.verified(files[name], described.digest, described.size) == files[name]
    assert oci.annotations_of(content) == notes
    assert oci.parse_manifest(content).artifact_type == TYPE


@settings(max_examples=25)
@given(FILES, st.randoms())
def test_the_order_of_the_files_does_not_matter(files: dict[str, bytes], random: object) -> None:
    names = list(files)
    random.shuffle(names)  # type: ignore[attr-defined]
    shuffled = {name: files[name] for name in names}
    assert oci.files_manifest(shuffled, TYPE, {}) == oci.files_manifest(files, TYPE, {})


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=20))
def test_an_image_keeps_the_order_of_its_layers(layers: list[bytes], config: bytes) -> None:
    described = [oci.descriptor("layer", content) for content in layers]
    content = oci.image_manifest(oci.descriptor("config", config), described)
    manifest = oci.parse_manifest(content)
    assert list(manifest.layers) == described
    assert manifest.parts == (oci.descriptor("config", config), *described)
    assert manifest.schema_version == 2
    assert oci.encode(manifest) == content


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_only_the_very_bytes_pass_for_a_digest(content: bytes, other: bytes) -> None:
    digest = oci.digest_of(content)
    assert oci.is_digest(digest)
    assert oci.verified(content, digest) == content
    if other != content:
        with pytest.raises(Broken):
            oci.verified(other, digest)
    with pytest.raises(Broken, match="have another digest or size"):
        oci.verified(content, digest, len(content) + 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha512:" + "a" * 64,
        "sha256:" + "a" * 64 + "\n",
        "../" + "a" * 64,
        None,
        7,
    ],
)
def test_what_is_no_digest_never_becomes_the_name_of_a_file(text: str) -> None:
    assert not oci.is_digest(text)
    with pytest.raises(Broken, match="is not a SHA-256 digest"):
        oci.hex_of(text)


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a:b", "a" * 129, "a b", "a\n", "ä"])
def test_what_is_no_reference_is_refused(tag: str) -> None:
    with pytest.raises(Broken, match="is neither a tag nor a digest"):
        oci.check_reference(tag)


@pytest.mark.parametrize("tag", ["a", "_", "A.b-c_d", "a" * 128, "sha256-x"])
def test_a_reference_is_given_back(tag: str) -> None:
    assert oci.check_reference(tag) == tag
    assert oci.check_reference(oci.digest_of(tag.encode())) == oci.digest_of(tag.encode())


@given(st.binary(max_size=60))
def test_whatever_bytes_are_read_they_are_a_manifest_or_broken(content: bytes) -> None:
    try:
        manifest = oci.parse_manifest(content)
    except Broken as broken:
        assert broken.fix.startswith("The store is damaged or hostile")
    else:
        assert all(oci.is_digest(part.digest) for part in manifest.parts)


def layers(*parts: Descriptor) -> bytes:
    return oci.encode(Manifest(oci.descriptor("config", b"{}"), parts, 2))


def test_a_manifest_has_at_most_a_thousand_parts() -> None:
    part = oci.descriptor("layer", b"x")
    assert len(oci.parse_manifest(layers(*[part] * 999)).parts) == 1000
    with pytest.raises(Broken, match=r"^a manifest has 1001 parts; at most 1000 are read"):
        oci.parse_manifest(layers(*[part] * 1000))


def test_a_size_is_no_negative_number_and_not_without_end() -> None:
    part = msgspec.structs.replace(
        oci.descriptor("layer", b"x", {oci.TITLE: "a"}), size=oci.FILE_LIMIT
    )
    assert oci.files_of(layers(part)) == {"a": part}
    more = msgspec.structs.replace(part, size=oci.FILE_LIMIT + 1)
    with pytest.raises(
        Broken, match=rf"^a has {more.size} bytes; at most {oci.FILE_LIMIT} are read"
    ):
        oci.files_of(layers(more))
    with pytest.raises(Broken, match="is -1; 0 or more is required"):
        oci.parse_manifest(layers(msgspec.structs.replace(part, size=-1)))


def test_a_layer_without_a_name_is_no_file() -> None:
    with pytest.raises(Broken, match="'None' is not a name for a file of an artifact"):
        oci.files_of(layers(oci.descriptor("layer", b"x")))


def test_a_tag_that_is_taken_names_both_digests() -> None:
    taken = oci.TagTaken("v1", "sha256:old", "sha256:new")
    assert taken.what == ("the tag v1 names sha256:old already and is not moved to sha256:new")
    assert taken.there == "sha256:old"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_the_bytes_of_json_follow_from_its_values(document: dict[str, object]) -> None:
    encoded = oci.encode(document)
    assert oci.encode(dict(reversed(document.items()))) == encoded
    assert json.loads(encoded) == document
