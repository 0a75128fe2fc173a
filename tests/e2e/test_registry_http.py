"""The store over HTTP: a real registry from Debian, open and behind a password; a token service;
what goes wrong.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.git_servers import certificate
from support.logins import log_in, nobody_is_logged_in

from flows.adapters.registry import layout, oci, referrers, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.remote import Remote
from flows.adapters.server import free_port
from sluice.errors import Retryable, SluiceError, UsageError

SERVER = shutil.which("docker-registry")
needs_server = pytest.mark.skipif(
    not SERVER, reason="needs docker-registry (apt-get install docker-registry)"
)
needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl"), reason="needs openssl (apt-get install openssl)"
)
FILES = {"model.onnx": bytes(range(256)) * 1000, "card.md": b"# card\n", "empty": b""}
TYPE = "application/vnd.sluice.model.v1"
BCRYPT_OF_RIGHT = "$2y$05$SU58SQPBFZoIURbqeXpcEueq/TfwaZZzsvwvEgYvRYgRrrkMHJZ2a"
NOTES = {"dev.sluice.model": "attrition"}


@contextlib.contextmanager
def serving(folder: Path, extra: dict[str, Any] | None = None, port: int = 0) -> Iterator[Remote]:
    """A registry with its storage in `folder`."""
    port = port or free_port()
    extra = dict(extra or {})
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", **extra.pop("http", {})},
        **extra,
    }
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(json.dumps(settings))
    # It takes every REGISTRY_* for a setting of its own.
    env = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    with (folder / "log").open("wb") as log:
        words = [str(SERVER), "serve", str(folder / "config.yml")]
        process = subprocess.Popen(words, env=env, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1),
            ):
                break
            time.sleep(0.05)
        yield Remote(f"127.0.0.1:{port}", "team/attrition")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with serving(tmp_path_factory.mktemp("registry")) as place:
        yield place


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    return oci.digest_of(request.node.name.encode())[7:23]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)


def an_image(folder: Path, size: int = 3 * 2**20) -> str:
    config, layer = b'{"os":"linux"}', os.urandom(size)
    for blob in (config, layer):
        layout.put_blob(folder, blob)
    parts = {"config": oci.descriptor("c", config), "layers": [oci.descriptor("l", layer)]}
    layout.put_manifest(
        folder, "t", oci.encode({"schemaVersion": 2, "mediaType": oci.MANIFEST} | parts)
    )
    return str(layout.digest(folder, "t"))


@needs_server
def test_a_registry_and_a_folder_give_the_same_digest(
    place: Remote, tag: str, tmp_path: Path
) -> None:
    assert registry.digest(place, tag) is None
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    assert registry.push_files(Layout(tmp_path / "folder"), tag, FILES, TYPE, NOTES) == digest
    assert registry.digest(place, tag) == digest
    assert registry.pull_files(place, tag) == registry.pull_files(place, digest) == FILES
    assert registry.annotations(place, tag) == NOTES
    assert registry.push_files(place, tag, FILES, TYPE, NOTES) == digest


@needs_server
def test_what_is_about_an_image_is_found_there_by_the_tag_that_clients_keep(
    place: Remote, tag: str, tmp_path: Path
) -> None:
    """This registry lists no referrers; the list is the one that a folder has."""
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    folder = Layout(tmp_path / "folder")
    registry.push_files(folder, tag, FILES, TYPE, NOTES)
    for content in (b"first", b"second"):
        for where in (place, folder):
            registry.push_about(where, digest, "text/plain", content, {"kind": "one"})
    assert place.referrers(digest) == folder.referrers(digest)
    assert sorted(registry.about(place, digest, "text/plain", "kind", "one")) == [
        b"first",
        b"second",
    ]
    listed = referrers.tag(digest)
    assert registry.digest(place, listed) == registry.digest(folder, listed)


@needs_server
def test_a_tag_is_not_moved_there_either(place: Remote, tag: str) -> None:
    digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
    with pytest.raises(oci.TagTaken):
        registry.push_files(place, tag, {"a": b"other"}, TYPE, NOTES)
    assert registry.digest(place, tag) == digest


@needs_server
def test_nothing_there_is_none_and_a_reason(place: Remote, tag: str) -> None:
    assert registry.digest(Remote(place.host, "never/pushed"), tag) is None
    with pytest.raises(oci.Broken, match="has no"):
        registry.pull_files(place, tag)


@needs_server
def test_an_image_goes_there_and_back(place: Remote, tag: str, tmp_path: Path) -> None:
    digest = an_image(tmp_path / "built")
    assert registry.push_image(place, tag, tmp_path / "built", digest) == digest
    pulled = registry.pull_image(place, digest, tmp_path / "pulled")
    assert layout.manifest(pulled.folder, pulled.tag) == layout.manifest(tmp_path / "built", digest)
    assert not list((tmp_path / "pulled").glob("*.part"))


@needs_server
def test_a_changed_byte_in_the_registry_is_found(tmp_path: Path, tag: str) -> None:
    with serving(tmp_path / "registry") as place:
        digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
        name = oci.hex_of(oci.digest_of(FILES["model.onnx"]))
        blob = (
            tmp_path / "registry/storage/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"
        )
        blob.write_bytes(b"\xff" + blob.read_bytes()[1:])
        with pytest.raises(oci.Broken):
            registry.pull_files(place, digest)
        with pytest.raises(oci.Broken):
            registry.pull_image(place, digest, tmp_path / "pulled")
        assert not list((tmp_path / "pulled").rglob("*.part"))


@needs_server
def test_a_password_is_asked_for_and_taken(tmp_path: Path, tag: str) -> None:
    (tmp_path / "htpasswd").write_text(f"sluice:{BCRYPT_OF_RIGHT}\n")
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}}
    with serving(tmp_path / "registry", auth) as place:
        with pytest.raises(UsageError, match="asks for a login"):
            registry.digest(place, tag)
        log_in(tmp_path, place, "wrong")
        with pytest.raises(UsageError, match="refuses") as refused:
            registry.push_files(place, tag, FILES, TYPE, NOTES)
        assert "wrong" not in str(refused.value)
        log_in(tmp_path, place, "right")
        digest = registry.push_files(place, tag, FILES, TYPE, NOTES)
        assert registry.pull_files(place, digest) == FILES


@needs_server
@needs_openssl
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, tag: str) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    words += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = {"http": {"tls": {"certificate": str(certificate), "key": str(key)}}}
    with (
        serving(tmp_path / "registry", tls) as place,
        pytest.raises(UsageError, match="not trusted"),
    ):
        registry.digest(place, tag)


@needs_server
@needs_openssl
def test_tls_and_a_password_together(
    tmp_path: Path, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate_, key = certificate(tmp_path / "tls")
    (tmp_path / "htpasswd").write_text(f"sluice:{BCRYPT_OF_RIGHT}\n")
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}}
    tls = {"http": {"tls": {"certificate": str(certificate_), "key": str(key)}}}
    with serving(tmp_path / "registry", {**auth, **tls}) as place:
        monkeypatch.setenv("SLUICE_CA", str(authority))
        with pytest.raises(UsageError, match="asks for a login"):
            registry.digest(place, tag)
        log_in(tmp_path, place, "right")
        digest = an_image(tmp_path / "built")
        assert registry.push_image(place, tag, tmp_path / "built", digest) == digest
        assert registry.pull_image(place, digest, tmp_path / "pulled").digest == digest
        assert registry.tags(place) == [tag]


@needs_server
def test_tags_are_listed_in_order_page_by_page(tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as place:
        assert registry.tags(place) == []
        # a page of this registry has a hundred
        wanted = [f"{number:016x}" for number in range(120)]
        for tag in wanted:
            registry.push_files(place, tag, {}, TYPE, {"n": "same"})
        assert registry.tags(place) == wanted


@needs_server
def test_of_two_that_push_one_tag_at_once_both_end_with_what_it_names(
    place: Remote, tag: str, tmp_path: Path
) -> None:
    """Their images differ, as those of two builders may; nobody moves a tag that is there."""
    for number in range(10):
        name = f"{tag}-{number}"
        digests = [an_image(tmp_path / f"{number}-{who}", 1000) for who in "ab"]
        start = threading.Barrier(2)

        def push(
            who: int,
            name: str = name,
            digests: list[str] = digests,
            start: threading.Barrier = start,
        ) -> str:
            start.wait()
            # While the other writes, a registry may say 500; a release tries again then.
            for _ in range(3):
                try:
                    return registry.push_image(
                        place,
                        name,
                        tmp_path / f"{name.rpartition('-')[2]}-{'ab'[who]}",
                        digests[who],
                    )
                except oci.TagTaken as taken:
                    return taken.there
                except Retryable:
                    time.sleep(0.1)
            raise AssertionError("it never answered")

        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(push, range(2)))
        there = registry.digest(place, name)
        assert there in digests
        assert there in ends
        # whoever looks again, as a release does before it writes, finds the same
        for who in range(2):
            with contextlib.suppress(oci.TagTaken):
                registry.push_image(place, name, tmp_path / f"{number}-{'ab'[who]}", digests[who])
            assert registry.digest(place, name) == there


@needs_server
def test_a_push_that_was_interrupted_goes_on_where_it_was(tmp_path: Path, tag: str) -> None:
    with serving(tmp_path / "registry") as place:
        built = tmp_path / "built"
        digest = an_image(built)
        parts = oci.parse_manifest(layout.manifest(built, digest) or b"")
        config, layer = parts.config.digest, parts.layers[0].digest
        away = built / "blobs" / "sha256" / oci.hex_of(layer)
        away.rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError):
            registry.push_image(place, tag, built, digest)
        assert registry.digest(place, tag) is None
        name = oci.hex_of(config)
        kept = (
            tmp_path / "registry/storage/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"
        )
        before = kept.stat().st_mtime_ns
        (tmp_path / "away").rename(away)
        assert registry.push_image(place, tag, built, digest) == digest
        assert kept.stat().st_mtime_ns == before
        assert registry.pull_image(place, digest, tmp_path / "pulled").digest == digest


@needs_server
def test_a_push_that_was_killed_is_done_by_the_next(tmp_path: Path, tag: str) -> None:
    with serving(tmp_path / "registry") as place:
        digest = an_image(tmp_path / "built", 40 * 2**20)
        code = (
            "import sys; from pathlib import Path; from flows.adapters.registry import registry; "
            "from flows.adapters.registry.remote import Remote; print('pushing', flush=True); "
            f"registry.push_image(Remote({place.host!r}, {place.repository!r}), {tag!r}, "
            f"Path({str(tmp_path / 'built')!r}), {digest!r}); print('done')"
        )
        killed = 0
        for wait in (0.0, 0.05, 0.1, 0.2):
            with subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
            ) as pusher:
                assert pusher.stdout
                assert pusher.stdout.readline() == "pushing\n"
                time.sleep(wait)
                pusher.kill()
                killed += "done" not in pusher.stdout.read()
        assert killed
        assert registry.push_image(place, tag, tmp_path / "built", digest) == digest
        assert registry.pull_image(place, digest, tmp_path / "pulled").digest == digest


@needs_server
def test_a_registry_that_writes_nothing_now_is_an_error(tmp_path: Path, tag: str) -> None:
    closed = {
        "storage": {
            "filesystem": {"rootdirectory": str(tmp_path / "s")},
            "maintenance": {"readonly": {"enabled": True}},
        }
    }
    with serving(tmp_path / "registry", closed) as place, pytest.raises(SluiceError, match="405"):
        registry.push_files(place, tag, FILES, TYPE, NOTES)


@needs_server
def test_a_registry_that_stops_may_be_there_later(tmp_path: Path, tag: str) -> None:
    with serving(tmp_path / "registry") as place:
        assert registry.digest(place, tag) is None
    with pytest.raises(Retryable, match="does not answer"):
        registry.digest(place, tag)
