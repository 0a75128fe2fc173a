"""An OCI image layout: a folder with blobs by digest and an index of tags.

Safe for two processes and for `kill -9`: a file is written whole or not at all, and the index is
changed under a lock.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.files import changed_before
from flows.adapters.registry import oci, referrers
from flows.adapters.registry.referrers import Referrer
from sluice.identity import file_sha256
from sluice.model.json_file import decode_json

_TAG = "org.opencontainers.image.ref.name"
_LAYOUT = oci.encode({"imageLayoutVersion": "1.0.0"})
_STALE = 3600.0  # seconds after which an unfinished file belongs to nobody


class Index(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The index of a layout: what it holds, each with its tag among the annotations.

    Builders may leave out the version and the media type; what is written here has both.
    """

    manifests: tuple[oci.Descriptor, ...]
    schema_version: int = 0
    media_type: str = ""


class _Written(msgspec.Struct, frozen=True):
    """The entries of an index with every field that they have, known or not."""

    manifests: list[dict[str, object]]


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

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Those of these digests that there is no file of."""
        return [digest for digest in digests if not blob_path(self.folder, digest).is_file()]

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

    def put_referrer(self, subject: str, content: bytes) -> None:
        """Keep a manifest, and name it in the list of its subject. Raises Broken."""
        put_referrer(self.folder, subject, content)

    def referrers(self, subject: str) -> list[Referrer]:
        """What the list of a subject names. Raises Broken."""
        listed = manifest(self.folder, referrers.tag(subject))
        return [] if listed is None else list(referrers.listed(listed))


def manifest(folder: Path, reference: str) -> bytes | None:
    """The bytes of a manifest by tag or digest, digest checked; None where there is none.

    Raises Broken for what is neither a tag nor a digest, a damaged index, and other bytes under a
    digest.
    """
    digest = oci.check_reference(reference)
    if not oci.is_digest(reference):
        entry = _entries(folder).get(reference)
        if entry is None:
            return None
        digest = entry.digest
    path = blob_path(folder, digest)
    if not path.is_file():
        return None
    return oci.verified(path.read_bytes(), digest)


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
    """Put a blob into another layout, digest checked; hard-linked on one file system.

    Raises Broken where the blob is missing or has other bytes.
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
    """Tag a manifest whose blobs are there. The same content again is no change.

    Raises TagTaken where the tag names other content, Broken for a damaged index.
    """
    digest = oci.digest_of(content)
    put_blob(folder, content)
    with _locked(folder):
        entries = _entries(folder)
        tagged = entries.get(oci.check_reference(tag))
        if tagged is not None and tagged.digest != digest:
            raise oci.TagTaken(tag, tagged.digest, digest)
        if tagged is None or not (folder / "oci-layout").is_file():
            entries[tag] = tagged or _entry(tag, content)
            _write_index(folder, entries)


@boundary("layout.refer")
def put_referrer(folder: Path, subject: str, content: bytes) -> None:
    """Keep a manifest whose blobs are there, and name it in the list of its subject, whose tag
    moves to the longer list. The same again is no change. Raises Broken.
    """
    tag = referrers.tag(subject)
    put_blob(folder, content)
    with _locked(folder):
        before = manifest(folder, tag)
        after = referrers.with_added(before, content)
        if after != before:
            put_blob(folder, after)
            entries = _entries(folder)
            entries[tag] = _entry(tag, after)
            _write_index(folder, entries)


def tags(folder: Path) -> dict[str, str]:
    """Every tag and its digest. Raises Broken for a damaged index."""
    return {tag: entry.digest for tag, entry in _entries(folder).items()}


def check_index(folder: Path, named: Sequence[str]) -> None:
    """Check the form of the index, and that it describes these tags as their manifests are.

    Raises Broken, naming the file.
    """
    if (folder / "oci-layout").read_bytes() != _LAYOUT:
        raise oci.Broken(f"oci-layout of {folder} is not what an OCI layout begins with")
    index = _index(folder)
    if (index.schema_version, index.media_type) != (2, oci.INDEX):
        raise oci.Broken(f"index.json of {folder} is not the index of an OCI layout")
    entries = _entries(folder)
    written = decode_json((folder / "index.json").read_bytes(), _Written, "index.json").manifests
    for tag in named:
        content = manifest(folder, tag)
        # Compared as written too: an entry with a field that we do not know is not ours.
        described = (
            content is not None
            and entries.get(tag) == _entry(tag, content)
            and msgspec.to_builtins(entries[tag]) in written
        )
        if not described:
            raise oci.Broken(f"index.json of {folder} does not describe {tag} as it is there")


def blob_path(folder: Path, digest: str) -> Path:
    """The file of a blob."""
    return folder / "blobs" / "sha256" / oci.hex_of(digest)


def _entry(tag: str, content: bytes) -> oci.Descriptor:
    """What the index says of a tagged manifest."""
    kind = oci.INDEX if tag.startswith(referrers.PREFIX) else oci.MANIFEST
    return oci.descriptor(kind, content, {_TAG: tag})


def _entries(folder: Path) -> dict[str, oci.Descriptor]:
    """The entries of the index by tag; those without a tag are left out.

    Nothing where there is no index yet. Raises Broken for a damaged one.
    """
    try:
        index = _index(folder)
    except FileNotFoundError:
        return {}
    entries: dict[str, oci.Descriptor] = {}
    for entry in index.manifests:
        tag = (entry.annotations or {}).get(_TAG)
        if tag is not None:
            entries[tag] = entry
    return entries


def _index(folder: Path) -> Index:
    """The index of the layout. Raises Broken, FileNotFoundError where there is none."""
    path = folder / "index.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except (ValueError, RecursionError) as error:
        raise oci.Broken(f"{path} is not the index of an OCI layout: {error}") from None


@boundary("layout.index")
def _write_index(folder: Path, entries: Mapping[str, oci.Descriptor]) -> None:
    """Write the index, in the order of the tags, and remove what crashes left behind."""
    machine_cache.write(folder / "oci-layout", _LAYOUT)
    index = Index(tuple(entries[tag] for tag in sorted(entries)), 2, oci.INDEX)
    machine_cache.write(folder / "index.json", oci.encode(index))
    limit = time.time() - _STALE
    for part in (folder / "blobs" / "sha256").glob(".*.part"):
        if changed_before(part, limit):
            part.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with machine_cache.locked(folder / ".lock"):
        yield
