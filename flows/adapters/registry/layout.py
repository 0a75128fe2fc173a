"""An OCI image layout: a folder with blobs by digest and an index of tags. Safe for two processes
and for `kill -9`.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.registry import oci
from sluice.identity import file_sha256

_TAG = "org.opencontainers.image.ref.name"
_LAYOUT = oci.encode({"imageLayoutVersion": "1.0.0"})
_INDEX = {"schemaVersion": 2, "mediaType": oci.INDEX}
_STALE = 3600.0  # seconds after which an unfinished file belongs to nobody


@dataclass(frozen=True)
class Layout:
    """A layout as a place for images: `registry.Place` over the functions of this module."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def digest(self, tag: str) -> str | None:
        """The digest that a tag names; None where it names nothing. Raises Broken."""
        return digest(self.folder, tag)

    def manifest(self, reference: str) -> bytes | None:
        """The bytes of a manifest by tag or digest, checked; None where there is none."""
        return manifest(self.folder, reference)

    def blob(self, digest: str) -> bytes:
        """The bytes of a blob, digest checked. Raises Broken."""
        return blob(self.folder, digest)

    def tags(self) -> list[str]:
        """Every tag."""
        return list(tags(self.folder))

    def pull_blob(self, digest: str, target: Path) -> None:
        """Put a blob into the layout `target`, digest checked. Raises Broken."""
        copy_blob(self.folder, digest, target)

    def put_blob(self, content: bytes) -> None:
        """Keep these bytes under their digest."""
        put_blob(self.folder, content)

    def copy_blob(self, source: Path, digest: str) -> None:
        """Take a blob over from the layout `source`, digest checked. Raises Broken."""
        copy_blob(source, digest, self.folder)

    def put_manifest(self, tag: str, content: bytes) -> None:
        """Tag a manifest whose blobs are there. Raises TagTaken."""
        put_manifest(self.folder, tag, content)

    def check_index(self, named: Sequence[str]) -> None:
        """Hold the index to what it must say of these tags. Raises Broken."""
        check_index(self.folder, named)


def manifest(folder: Path, reference: str) -> bytes | None:
    """The bytes of a manifest by tag or digest, digest checked; None where there is none. Raises
    Broken.
    """
    if oci.is_digest(oci.check_reference(reference)):
        digest = reference
    elif reference in (named := _tags(folder)):
        digest = named[reference].get("digest", "")
    else:
        return None
    if not blob_path(folder, digest).is_file():
        return None
    return oci.verified(blob_path(folder, digest).read_bytes(), digest)


def digest(folder: Path, tag: str) -> str | None:
    """The digest that a tag names. Raises Broken."""
    content = manifest(folder, tag)
    return None if content is None else oci.digest_of(content)


def blob(folder: Path, digest: str) -> bytes:
    """The bytes of a blob, digest checked. Raises Broken."""
    path = blob_path(folder, digest)
    if not path.is_file():
        raise oci.Broken(f"{folder} has no blob {digest}")
    return oci.verified(path.read_bytes(), digest)


def copy_blob(folder: Path, digest: str, target: Path) -> None:
    """Put a blob into another layout, digest checked; hard-linked on one file system. Raises
    Broken.
    """
    path = blob_path(folder, digest)
    if not path.is_file() or file_sha256(path) != oci.hex_of(digest):
        raise oci.Broken(f"{folder} has no blob {digest}, or other bytes under its name")
    put_blob_file(target, digest, path)


@boundary("layout.blob")
def put_blob(folder: Path, content: bytes) -> None:
    """Keep these bytes under their digest."""
    path = blob_path(folder, oci.digest_of(content))
    if not path.is_file() or path.read_bytes() != content:
        machine_cache.write(path, content)


@boundary("layout.file")
def put_blob_file(folder: Path, digest: str, source: Path) -> None:
    """Keep a finished file, whose digest was checked, under it; hard-linked on one file system."""
    path = blob_path(folder, digest)
    if path.is_file() and file_sha256(path) == oci.hex_of(digest):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(path)


@boundary("layout.tag")
def put_manifest(folder: Path, tag: str, content: bytes) -> None:
    """Tag a manifest whose blobs are there. The same content again is no change. Raises
    TagTaken.
    """
    digest = oci.digest_of(content)
    put_blob(folder, content)
    with _locked(folder):
        tags = _tags(folder)
        there = tags.get(oci.check_reference(tag), {}).get("digest")
        if there not in (None, digest):
            raise oci.TagTaken(tag, str(there), digest)
        if there is None:
            tags[tag] = oci.descriptor(oci.MANIFEST, content) | {"annotations": {_TAG: tag}}
            _write_index(folder, tags)


def tags(folder: Path) -> dict[str, str]:
    """Every tag and its digest."""
    return {tag: str(entry["digest"]) for tag, entry in _tags(folder).items()}


def check_index(folder: Path, named: Sequence[str]) -> None:
    """Hold the index to what it must say: its form, and for each of these tags its manifest as it
    lies there.

    Raises Broken, naming the file.
    """
    if (folder / "oci-layout").read_bytes() != _LAYOUT:
        raise oci.Broken(f"oci-layout of {folder} is not what an OCI layout begins with")
    there, document = _tags(folder), json.loads((folder / "index.json").read_bytes())
    if {name: document.get(name) for name in ("schemaVersion", "mediaType")} != _INDEX:
        raise oci.Broken(f"index.json of {folder} is not the index of an OCI layout")
    for tag in named:
        content = manifest(folder, tag)
        wanted = (
            None
            if content is None
            else oci.descriptor(oci.MANIFEST, content) | {"annotations": {_TAG: tag}}
        )
        if wanted is None or there.get(tag) != wanted:
            raise oci.Broken(f"index.json of {folder} does not describe {tag} as it is there")


def blob_path(folder: Path, digest: str) -> Path:
    """The file of a blob."""
    return folder / "blobs" / "sha256" / oci.hex_of(digest)


def _tags(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "index.json"
    try:
        entries = json.loads(path.read_bytes())["manifests"]
        return {
            entry["annotations"][_TAG]: entry
            for entry in entries
            if _TAG in (entry.get("annotations") or {})
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise oci.Broken(f"{path} is not the index of an OCI layout") from None


@boundary("layout.index")
def _write_index(folder: Path, tags: dict[str, dict[str, Any]]) -> None:
    machine_cache.write(folder / "oci-layout", _LAYOUT)
    entries = [tags[tag] for tag in sorted(tags)]
    machine_cache.write(folder / "index.json", oci.encode({**_INDEX, "manifests": entries}))
    for part in (folder / "blobs" / "sha256").glob(".*.part"):
        if part.stat().st_mtime < time.time() - _STALE:
            part.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with machine_cache.locked(folder / ".lock"):
        yield
