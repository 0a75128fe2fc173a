"""The OCI store in a folder: what goes in comes out, tags never move, nothing read is trusted, a
kill harms nothing.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.other_processes import coming_and_going

from flows.adapters.registry import credentials, layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.remote import Remote
from sluice.errors import SluiceError, UsageError

FILES = {"model.onnx": b"\x00\x01", "evidence/card.md": "# Größe\n".encode(), "empty.txt": b""}
TYPE = "application/vnd.sluice.model.v1"
NOTES = {"dev.sluice.model": "attrition"}


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "attrition")


def push(place: Layout, tag: str, **files: str) -> str:
    return registry.push_files(
        place, tag, {name: text.encode() for name, text in files.items()}, TYPE, {}
    )


def craft(place: Layout, tag: str, document: dict[str, Any]) -> None:
    layout.put_manifest(place.folder, tag, oci.encode(document))


def manifest_of(*layers: oci.Descriptor | dict[str, Any]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "config": oci.descriptor(oci.EMPTY_TYPE, oci.EMPTY),
        "layers": list(layers),
    }


def test_what_goes_in_comes_out_by_tag_and_by_digest(place: Layout) -> None:
    digest = registry.push_files(place, "t1.model", FILES, TYPE, NOTES)
    assert registry.digest(place, "t1.model") == digest
    assert registry.pull_files(place, "t1.model") == registry.pull_files(place, digest) == FILES
    assert registry.annotations(place, "t1.model") == registry.annotations(place, digest) == NOTES


def test_an_artifact_without_files_is_one(place: Layout) -> None:
    registry.push_files(place, "none", {}, TYPE, {})
    assert registry.pull_files(place, "none") == {}
    assert registry.annotations(place, "none") == {}


def test_the_digest_depends_on_the_content_alone(tmp_path: Path) -> None:
    backwards = dict(reversed(FILES.items()))
    first = registry.push_files(Layout(tmp_path / "a"), "t", FILES, TYPE, NOTES)
    assert registry.push_files(Layout(tmp_path / "b"), "other", backwards, TYPE, NOTES) == first
    assert registry.push_files(Layout(tmp_path / "c"), "t", FILES, TYPE, {}) != first


def test_the_bytes_of_manifest_and_index_stay_what_they_were(place: Layout) -> None:
    """Digests of released artifacts, and the index of old stores, are compared with these."""
    digest = registry.push_files(place, "t", FILES, TYPE, {"b": "1", "a": "\u00fc"})
    assert digest == "sha256:0c1f3bca35afdeca438644bd31988afb96c0751330b77ff071acfa0261f6cf35"
    entry = (
        f'{{"annotations":{{"org.opencontainers.image.ref.name":"t"}},"digest":"{digest}",'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","size":911}'
    )
    index = (
        f'{{"manifests":[{entry}],'
        '"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}'
    )
    assert (place.folder / "index.json").read_text() == index


def test_nothing_there_is_none(place: Layout) -> None:
    assert registry.digest(place, "t") is None
    push(place, "t", a="1")
    assert registry.digest(place, "other") is None
    with pytest.raises(oci.Broken, match="has no other"):
        registry.pull_files(place, "other")


def written(place: Layout) -> dict[Path, int]:
    """When each file was written, in nanoseconds."""
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_same_again_is_no_change(place: Layout) -> None:
    digest = push(place, "t", a="1")
    before = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*") if path.is_file()}
    assert push(place, "t", a="1") == digest
    assert {
        path: path.stat().st_mtime_ns for path in place.folder.rglob("*") if path.is_file()
    } == before


def test_a_tag_is_never_moved(place: Layout) -> None:
    digest = push(place, "t", a="1")
    with pytest.raises(oci.TagTaken, match="not moved"):
        push(place, "t", a="2")
    with pytest.raises(oci.TagTaken):
        layout.put_manifest(place.folder, "t", oci.encode(manifest_of()))
    assert registry.digest(place, "t") == digest
    assert registry.pull_files(place, "t") == {"a": b"1"}


@pytest.mark.parametrize("tag", ["", "../t", "a/b", ".t", "x" * 129, "a b", "sha256:12"])
def test_a_bad_tag_is_refused(tag: str, place: Layout) -> None:
    with pytest.raises(oci.Broken, match="neither a tag nor a digest"):
        push(place, tag, a="1")
    with pytest.raises(oci.Broken, match="neither a tag nor a digest"):
        registry.digest(place, tag)


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../../b", "a//b", ".hidden", "a\nb", "a\\b", "", "x" * 101]
)
def test_a_file_name_that_could_leave_a_folder_is_refused(name: str, place: Layout) -> None:
    with pytest.raises(oci.Broken, match="not a name"):
        registry.push_files(place, "t", {name: b""}, TYPE, {})
    layer = oci.descriptor("application/octet-stream", b"", {oci.TITLE: name})
    craft(place, "hostile", manifest_of(layer))
    with pytest.raises(oci.Broken, match="not a name"):
        registry.pull_files(place, "hostile")


def test_two_files_of_one_name_are_refused(place: Layout) -> None:
    layer = oci.descriptor("application/octet-stream", b"", {oci.TITLE: "a"})
    craft(place, "twice", manifest_of(layer, layer))
    with pytest.raises(oci.Broken, match="twice"):
        registry.pull_files(place, "twice")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"config": {}, "layers": []},
        {"config": [], "layers": {}},
        manifest_of({"digest": "sha256:../../x", "size": 1}),
        manifest_of({"digest": oci.digest_of(b""), "size": -1}),
        manifest_of({"digest": oci.digest_of(b""), "size": True}),
        manifest_of() | {"annotations": {"a": 1}},
        manifest_of(*[oci.descriptor("x", b"")] * 1001),
    ],
)
def test_a_manifest_of_another_shape_is_refused(document: dict[str, Any], place: Layout) -> None:
    craft(place, "odd", document)
    with pytest.raises(oci.Broken):
        registry.annotations(place, "odd")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"layers": []}, "missing required field `config`"),
        (
            manifest_of({"digest": oci.digest_of(b""), "size": "1"}),
            r"Expected `int`, got `str` - at `\$\.layers\[0\]\.size`",
        ),
        (manifest_of({"digest": "sha256:12", "size": 1}), "'sha256:12' is not a SHA-256 digest"),
        (manifest_of({"digest": oci.digest_of(b""), "size": -1}), "is -1; 0 or more is required"),
        (manifest_of(*[oci.descriptor("x", b"")] * 1000), "has 1001 parts; at most 1000 are read"),
    ],
)
def test_a_refused_manifest_is_said_why(
    document: dict[str, Any], fault: str, place: Layout
) -> None:
    craft(place, "odd", document)
    with pytest.raises(oci.Broken, match=fault):
        registry.annotations(place, "odd")


def test_a_manifest_that_is_nested_without_end_is_refused(place: Layout) -> None:
    layout.put_manifest(place.folder, "deep", b'{"x":' + b"[" * 10**5)
    with pytest.raises(oci.Broken, match="not one of an image"):
        registry.annotations(place, "deep")


def test_an_entry_of_the_index_with_another_field_is_not_ours(place: Layout) -> None:
    push(place, "t", a="1")
    place.check_index(["t"])
    index = place.folder / "index.json"
    document = json.loads(index.read_bytes())
    document["manifests"][0]["urls"] = ["http://192.0.2.1/"]
    index.write_bytes(oci.encode(document))
    with pytest.raises(oci.Broken, match="does not describe t"):
        place.check_index(["t"])


def test_a_changed_byte_is_found(place: Layout) -> None:
    push(place, "t", a="12345")
    blob = place.folder / "blobs" / "sha256" / oci.hex_of(oci.digest_of(b"12345"))
    blob.write_bytes(b"12346")
    with pytest.raises(oci.Broken, match="another digest"):
        registry.pull_files(place, "t")
    push(place, "t", a="12345")
    assert registry.pull_files(place, "t") == {"a": b"12345"}


def test_a_missing_blob_is_found(place: Layout) -> None:
    push(place, "t", a="12345")
    (place.folder / "blobs" / "sha256" / oci.hex_of(oci.digest_of(b"12345"))).unlink()
    with pytest.raises(oci.Broken, match="has no blob"):
        registry.pull_files(place, "t")


def test_the_parts_that_are_missing_are_named_and_nothing_is_read(place: Layout) -> None:
    push(place, "t", a="12345", b="6")
    assert registry.missing(place, "t") == []
    lost = oci.digest_of(b"12345")
    (place.folder / "blobs" / "sha256" / oci.hex_of(lost)).unlink()
    assert registry.missing(place, "t") == [lost]
    with pytest.raises(oci.Broken, match="has no other"):
        registry.missing(place, "other")


def test_a_size_that_lies_is_found(place: Layout) -> None:
    push(place, "t", a="12345")
    honest = oci.descriptor("application/octet-stream", b"12345", {oci.TITLE: "a"})
    layer = msgspec.structs.replace(honest, size=4)
    craft(place, "short", manifest_of(layer))
    with pytest.raises(oci.Broken, match="digest or size"):
        registry.pull_files(place, "short")


@pytest.mark.parametrize(
    "index", [b"", b"[]", b'{"manifests": [{"annotations": 3}]}', b'{"manifests": 1}']
)
def test_a_damaged_index_is_said_and_not_overwritten(index: bytes, place: Layout) -> None:
    push(place, "t", a="1")
    (place.folder / "index.json").write_bytes(index)
    with pytest.raises(oci.Broken, match="not the index"):
        push(place, "u", a="1")
    assert (place.folder / "index.json").read_bytes() == index


def test_an_image_is_carried_over_whole(tmp_path: Path) -> None:
    source, place = tmp_path / "built", Layout(tmp_path / "place")
    config, first, second = b'{"os":"linux"}', b"layer one", b"layer two"
    for blob in (config, first, second):
        layout.put_blob(source, blob)
    parts = {
        "config": oci.descriptor("c", config),
        "layers": [oci.descriptor("l", b) for b in (first, second)],
    }
    layout.put_manifest(source, "t", oci.encode({"schemaVersion": 2} | parts))
    digest = str(layout.digest(source, "t"))
    assert registry.push_image(place, "tag", source, digest) == digest
    pulled = registry.pull_image(place, digest, tmp_path / "pulled")
    assert (pulled.digest, pulled.config) == (digest, oci.digest_of(config))
    assert layout.blob(pulled.folder, oci.digest_of(second)) == second
    (place.folder / "blobs" / "sha256" / oci.hex_of(oci.digest_of(first))).unlink()
    with pytest.raises(oci.Broken):
        registry.pull_image(place, digest, tmp_path / "again")


PUSHER = """
import sys, itertools
from pathlib import Path
from flows.adapters.registry import registry
from flows.adapters.registry.layout import Layout
place, mode = Layout(Path(sys.argv[1])), sys.argv[2]
if mode == "race":
    content = sys.argv[3].encode()
    try:
        print(registry.push_files(place, "t", {"a": content}, "x/y", {}))
    except registry.oci.TagTaken:
        print("taken")
else:
    print("started", flush=True)
    for number in itertools.count():
        registry.push_files(place, f"t{number}", {"a": str(number).encode() * 10000}, "x/y", {})
"""


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", PUSHER, *map(str, arguments)]
    root = Path(__file__).parents[4]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )


def test_of_two_pushes_of_one_tag_one_wins(place: Layout) -> None:
    racers = [start(place.folder, "race", str(number)) for number in range(4)]
    said = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert sorted(word == "taken" for word in said) == [False, True, True, True]
    assert registry.digest(place, "t") in said


def test_what_others_write_and_finish_meanwhile_disturbs_no_push(place: Layout) -> None:
    registry.push_files(place, "first", {"a": b"1"}, "x/y", {})
    blobs = place.folder / "blobs" / "sha256"
    with coming_and_going([blobs / f".{number}.1.part" for number in range(50)]):
        for number in range(30):
            registry.push_files(place, f"t{number}", {"a": b"1"}, "x/y", {})


def test_a_kill_leaves_a_whole_store(place: Layout) -> None:
    for _ in range(3):
        pusher = start(place.folder, "loop")
        with pusher:
            assert pusher.stdout
            pusher.stdout.readline()
            time.sleep(0.15)
            pusher.send_signal(signal.SIGKILL)
        for tag, digest in layout.tags(place.folder).items():
            assert registry.digest(place, tag) == digest
            assert registry.pull_files(place, tag) == {"a": tag[1:].encode() * 10000}
    assert registry.digest(place, "t0")
    push(place, "after", a="1")


def test_an_unfinished_file_of_long_ago_is_removed(place: Layout) -> None:
    push(place, "t", a="1")
    old, new = (place.folder / "blobs" / "sha256" / f".{name}.1.part" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    push(place, "u", a="1")
    assert (old.exists(), new.exists()) == (False, True)


def test_the_name_says_where(tmp_path: Path) -> None:
    assert registry.place("sluice.local/attrition", tmp_path) == Layout(tmp_path / "attrition")
    assert registry.place("127.0.0.1:5000/team/attrition", tmp_path) == Remote(
        "127.0.0.1:5000", "team/attrition"
    )
    assert str(registry.place("ghcr.io/team/attrition", tmp_path)) == "ghcr.io/team/attrition"
    patient = registry.place("ghcr.io/team/attrition", tmp_path, timeout=90.0)
    assert patient == Remote("ghcr.io", "team/attrition", 90.0)


@pytest.mark.parametrize(
    "name", ["ghcr.io/Team/x", "ghcr.io", "ghcr.io/../x", "a b/c", "ghcr.io/x?y", "u:p@ghcr.io/x"]
)
def test_a_name_that_no_registry_takes_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SLUICE_REGISTRY"):
        registry.place(name, tmp_path)


def test_a_registry_that_is_not_there_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"nothing answers at 127\.0\.0\.1:1"):
        registry.digest(registry.place("127.0.0.1:1/x", tmp_path), "t")


def test_logins_are_found_where_podman_and_docker_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry(text: str) -> dict[str, str]:
        return {"auth": base64.b64encode(text.encode()).decode()}

    auth = tmp_path / "auth.json"
    auths = {
        "ghcr.io": entry("me:a:b"),
        "ghcr.io/team": entry("team:c"),
        "bad.io": {"auth": "%%"},
        "none.io": {},
    }
    auth.write_text(json.dumps({"auths": auths}))
    docker = tmp_path / "docker" / "config.json"
    docker.parent.mkdir()
    docker.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": entry("hub:d")}}))
    for name, value in (
        ("REGISTRY_AUTH_FILE", auth),
        ("DOCKER_CONFIG", docker.parent),
        ("XDG_CONFIG_HOME", tmp_path),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert credentials.find("ghcr.io", "x") == ("me", "a:b")
    assert credentials.find("ghcr.io", "team/x") == ("team", "c")
    assert credentials.find("registry-1.docker.io", "library/x") == ("hub", "d")
    assert (
        credentials.find("bad.io", "x")
        is credentials.find("none.io", "x")
        is credentials.find("other.io", "x")
        is None
    )


def test_a_login_kept_by_a_helper_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-kept"
    helper.write_text(
        '#!/bin/sh\nread host; test "$host" = ghcr.io && echo \'{"Username":"me","Secret":"s"}\'\n'
    )
    helper.chmod(0o755)
    auth = tmp_path / "auth.json"
    auth.write_text(
        json.dumps({"credHelpers": {"ghcr.io": "kept", "other.io": "kept", "gone.io": "missing"}})
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(auth))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert credentials.find("ghcr.io", "x") == ("me", "s")
    assert credentials.find("other.io", "x") is credentials.find("gone.io", "x") is None
