"""The same conversation with three registries that others wrote, each behind a password: login,
push, pull, tags, what is about an image, and what goes wrong.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import real_registries
from support.logins import log_in, nobody_is_logged_in
from support.real_registries import KINDS, PASSWORD, serving

from flows.adapters.registry import layout, oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.remote import Remote
from sluice.errors import UsageError

FILES = {"model.onnx": bytes(range(256)) * 1000, "card.md": b"# card\n", "empty": b""}
TYPE = "application/vnd.sluice.model.v1"
NOTES = {"dev.sluice.model": "attrition"}


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Remote]:
    with serving(request.param, tmp_path_factory.mktemp("registry") / request.param) as place:
        yield place


@pytest.fixture(autouse=True)
def logged_in(place: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)
    log_in(tmp_path, place, PASSWORD)


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    return oci.digest_of(request.node.name.encode())[7:23]


def an_image(folder: Path) -> str:
    config, layer = b'{"os":"linux"}', os.urandom(3 * 2**20)
    for blob in (config, layer):
        layout.put_blob(folder, blob)
    parts = {"config": oci.descriptor("c", config), "layers": [oci.descriptor("l", layer)]}
    layout.put_manifest(
        folder, "t", oci.encode({"schemaVersion": 2, "mediaType": oci.MANIFEST} | parts)
    )
    return str(layout.digest(folder, "t"))


def test_files_go_there_and_back_under_one_digest(place: Remote, tag: str, tmp_path: Path) -> None:
    assert registry.digest(place, tag) is None
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    assert registry.push_files(Layout(tmp_path / "folder"), tag, FILES, TYPE, NOTES) == digest
    assert registry.push_files(place, tag, FILES, TYPE, NOTES) == digest
    assert registry.digest(place, tag) == digest
    assert registry.pull_files(place, tag) == registry.pull_files(place, digest) == FILES
    assert registry.annotations(place, tag) == NOTES
    assert tag in registry.tags(place)


def test_an_image_goes_there_and_back(place: Remote, tag: str, tmp_path: Path) -> None:
    digest = an_image(tmp_path / "built")
    assert registry.push_image(place, tag, tmp_path / "built", digest) == digest
    pulled = registry.pull_image(place, digest, tmp_path / "pulled")
    assert layout.manifest(pulled.folder, pulled.tag) == layout.manifest(tmp_path / "built", digest)


def test_what_is_about_an_image_is_found(place: Remote, tag: str) -> None:
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    for content in (b"first", b"second"):
        registry.push_about(place, digest, "text/plain", content, {"kind": "one"})
    found = registry.about(place, digest, "text/plain", "kind", "one")
    assert sorted(found) == [b"first", b"second"]


def test_a_tag_is_not_moved(place: Remote, tag: str) -> None:
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    with pytest.raises(oci.TagTaken):
        registry.push_files(place, tag, {"a": b"other"}, TYPE, NOTES)
    assert registry.digest(place, tag) == digest


@pytest.mark.parametrize(("password", "said"), [("wrong", "refuses"), ("", "asks for a login")])
def test_nobody_else_gets_in(
    password: str, said: str, place: Remote, tag: str, tmp_path: Path
) -> None:
    if password:
        log_in(tmp_path, place, password)
    else:
        (tmp_path / "auth.json").unlink()
    with pytest.raises(UsageError, match=said) as raised:
        registry.push_files(place, tag, FILES, TYPE, NOTES)
    assert "podman login" in raised.value.fix
    assert "wrong" not in str(raised.value)


def test_the_sources_of_what_is_built_are_pinned() -> None:
    text = (real_registries.SOURCE / "go.mod").read_text()
    for module in ("distribution/distribution/v3 v3.", "google/go-containerregistry v0."):
        assert f"github.com/{module}" in text
    assert (real_registries.SOURCE / "go.sum").exists()
