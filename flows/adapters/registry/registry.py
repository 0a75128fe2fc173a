"""Where images and artifacts are kept: an OCI layout in a folder, or a registry over HTTP.

Both are behind the same functions. A tag is never moved. What is read is checked against its
digest; what was written is read back from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flows.adapters.failpoints import boundary
from flows.adapters.registry import layout, oci, referrers, remote
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.referrers import Referrer
from sluice.errors import SluiceError
from sluice.gitops.image_names import LOCAL_HOST


class Place(Protocol):
    """Where the images of one name are kept: `Layout` in a folder, or `Remote` over HTTP.

    Every method raises Retryable where a registry does not answer, and Broken for bytes that are
    not what their digest says.
    """

    def digest(self, tag: str) -> str | None:
        """The digest that a tag names; None where it names nothing."""

    def manifest(self, reference: str) -> bytes | None:
        """The bytes of a manifest by tag or digest; None where there is none."""

    def blob(self, digest: str) -> bytes:
        """The bytes of a blob. Raises Broken where there is none."""
        raise NotImplementedError

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Those of these digests that there is no blob of; no bytes are read."""
        raise NotImplementedError

    def tags(self) -> list[str]:
        """Every tag, in any order; none where nothing was ever pushed."""
        raise NotImplementedError

    def pull_blob(self, digest: str, target: Path) -> None:
        """Put a blob into the layout `target` without holding it in memory."""

    def put_blob(self, content: bytes) -> None:
        """Keep these bytes under their digest."""

    def copy_blob(self, source: Path, digest: str) -> None:
        """Take a blob over from the layout `source` without holding it in memory."""

    def put_manifest(self, tag: str, content: bytes) -> None:
        """Tag a manifest whose blobs are there."""

    def check_index(self, named: Sequence[str]) -> None:
        """Hold the index to what it must say of these tags, where the place has one."""

    def put_referrer(self, subject: str, content: bytes) -> None:
        """Keep a manifest whose blobs are there, so that it is found by its subject's digest."""

    def referrers(self, subject: str) -> list[Referrer]:
        """What is listed as being about the manifest with this digest, in any order."""
        raise NotImplementedError


@dataclass(frozen=True)
class Pulled:
    """An image in a layout of its own, in `folder`, all digests checked.

    `tag` is its tag there; `digest` is that of its manifest, `config` that of its configuration.
    """

    folder: Path
    tag: str
    digest: str
    config: str


def place(name: str, layouts: Path, timeout: float = remote.TIMEOUT) -> Place:
    """The place of an image name.

    `sluice.local/<model>` is a folder in `layouts`, any other host a registry, which may be silent
    for `timeout` seconds. Raises UsageError for what is no name of an image.
    """
    host, _, repository = name.partition("/")
    if host == LOCAL_HOST:
        return Layout(layouts / repository)
    return remote.remote(host, repository, timeout)


def digest(place: Place, tag: str) -> str | None:
    """The digest that a tag names there, None where it names nothing.

    Raises Retryable where the registry is down.
    """
    return place.digest(tag)


def manifest(place: Place, reference: str) -> bytes:
    """The bytes of a manifest by tag or digest, digest checked.

    Raises Broken where there is none.
    """
    content = place.manifest(reference)
    if content is None:
        raise oci.Broken(f"{place} has no {reference}")
    return content


def blob(place: Place, digest: str) -> bytes:
    """The bytes of a blob, digest checked. Raises Broken."""
    return place.blob(digest)


def missing(place: Place, reference: str) -> list[str]:
    """The digests of the parts of a manifest that are not there, in its order; nothing is read of
    those that are. Raises Broken where there is no such manifest.
    """
    parts = oci.parse_manifest(manifest(place, reference)).parts
    return place.lacking([part.digest for part in parts])


def pull_blob(place: Place, digest: str, folder: Path) -> Path:
    """Put a blob, digest checked, into the layout `folder`, and return its file.

    It is never whole in memory. Raises Broken.
    """
    place.pull_blob(digest, folder)
    return layout.blob_path(folder, digest)


def tags(place: Place) -> list[str]:
    """Every tag there, in order; none where nothing was ever pushed."""
    return sorted(place.tags())


def annotations(place: Place, reference: str) -> dict[str, str]:
    """The annotations of a tag or digest. Raises Broken where there is none."""
    return oci.annotations_of(manifest(place, reference))


@boundary("artifact.push")
def push_files(
    place: Place,
    tag: str,
    files: Mapping[str, bytes],
    artifact_type: str,
    annotations: Mapping[str, str],
) -> str:
    """Keep files as one OCI artifact; return its digest as read back.

    Its bytes depend on the arguments alone, and the same again is no change. Raises TagTaken where
    the tag names other content, Broken for a bad file name.
    """
    manifest = oci.files_manifest(files, artifact_type, annotations)
    _check_free(place, tag, oci.digest_of(manifest))
    for content in (*files.values(), oci.EMPTY):
        place.put_blob(content)
    return _put_manifest(place, tag, manifest)


@boundary("artifact.pull")
def pull_files(place: Place, reference: str) -> dict[str, bytes]:
    """The files of an artifact by tag or digest, each checked. Raises Broken."""
    files: dict[str, bytes] = {}
    for name, part in oci.files_of(manifest(place, reference)).items():
        content = place.blob(part.digest)
        files[name] = oci.verified(content, part.digest, part.size)
    return files


@boundary("image.push")
def push_image(place: Place, tag: str, source: Path, digest: str) -> str:
    """Keep the image `digest` of the layout `source` under a tag; return its digest as read back.

    Raises TagTaken where the tag names another image, Broken where `source` has no such image.
    """
    manifest = layout.manifest(source, digest)
    if manifest is None:
        raise oci.Broken(f"{source} has no manifest {digest}")
    _check_free(place, tag, digest)
    for part in oci.parse_manifest(manifest).parts:
        place.copy_blob(source, part.digest)
    return _put_manifest(place, tag, manifest)


@boundary("image.pull")
def pull_image(place: Place, digest: str, folder: Path) -> Pulled:
    """Copy exactly this image to a layout in `folder`, every digest checked. Raises Broken."""
    content = manifest(place, digest)
    image = oci.parse_manifest(content)
    for part in image.parts:
        pull_blob(place, part.digest, folder)
    tag = oci.hex_of(digest)[:16]
    layout.put_manifest(folder, tag, content)
    return Pulled(folder, tag, digest, image.config.digest)


@boundary("statement.push")
def push_about(
    place: Place, subject: str, media_type: str, content: bytes, annotations: Mapping[str, str]
) -> str:
    """Keep one file as a referrer of the manifest `subject`; return its digest, as it is found
    again from there. The same again is no change.

    Raises Broken where there is no such manifest, and SluiceError where it is not found again.
    """
    made = referrers.manifest(manifest(place, subject), media_type, content, annotations)
    for part in (content, oci.EMPTY):
        place.put_blob(part)
    place.put_referrer(subject, made)
    digest = oci.digest_of(made)
    if digest not in {found.digest for found in place.referrers(subject)}:
        raise SluiceError(
            f"{place} does not list {digest} among what is about {subject}",
            "Somebody else wrote to that list at this moment: run again.",
        )
    return digest


@boundary("statement.pull")
def about(place: Place, subject: str, media_type: str, name: str, value: str) -> list[bytes]:
    """The files of this media type that are about the manifest `subject`, each checked by its
    digest, and of those the ones whose annotation `name` is `value`.

    Raises Broken for the first that is not what its digest says.
    """
    contents: list[bytes] = []
    for found in sorted(place.referrers(subject), key=lambda one: one.digest):
        if (found.annotations or {}).get(name) != value:
            continue
        content = manifest(place, found.digest)
        [part] = oci.parse_manifest(content).layers[:1] or [None]
        if part is None or part.media_type != media_type:
            continue
        if referrers.subject_of(content) != subject:
            raise oci.Broken(f"{found.digest} is listed under {subject}, and is not about it")
        contents.append(oci.verified(place.blob(part.digest), part.digest, part.size))
    return contents


def _check_free(place: Place, tag: str, wanted: str) -> None:
    """Refuse before anything is uploaded; a folder refuses again under its lock."""
    taken = place.digest(oci.check_reference(tag))
    if taken not in (None, wanted):
        raise oci.TagTaken(tag, str(taken), wanted)


def _put_manifest(place: Place, tag: str, content: bytes) -> str:
    """Tag a manifest, and believe what the place says afterwards; its digest."""
    place.put_manifest(tag, content)
    wanted = oci.digest_of(content)
    tagged = place.digest(tag)
    if tagged != wanted:
        raise oci.TagTaken(tag, str(tagged), wanted)
    return wanted
