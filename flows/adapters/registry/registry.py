"""Where images and artifacts are kept: an OCI layout in a folder, or a registry over HTTP, behind
the same functions.

A tag is never moved. What is read is checked against its digest; what was written is read back from
there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.failpoints import boundary
from flows.adapters.registry import layout, oci, remote
from flows.adapters.registry.remote import Remote

LOCAL = "sluice.local"
Place = Path | Remote


@dataclass(frozen=True)
class Pulled:
    """An image in a layout of its own, all digests checked: the tag there, its digest and that of
    its configuration.
    """

    folder: Path
    tag: str
    digest: str
    config: str


def place(name: str, layouts: Path) -> Place:
    """The place of an image name: `sluice.local/<model>` is a folder in `layouts`, any other host a
    registry.
    """
    host, _, repository = name.partition("/")
    return layouts / repository if host == LOCAL else remote.remote(host, repository)


def digest(place: Place, tag: str) -> str | None:
    """The digest that a tag names there, None where it names nothing. Raises Retryable where the
    registry is down.
    """
    return layout.digest(place, tag) if isinstance(place, Path) else remote.digest(place, tag)


def manifest(place: Place, reference: str) -> bytes:
    """The bytes of a manifest by tag or digest, digest checked. Raises Broken where there is
    none.
    """
    found = (
        layout.manifest(place, reference)
        if isinstance(place, Path)
        else remote.manifest(place, reference)
    )
    if found is None:
        raise oci.Broken(f"{place} has no {reference}")
    return found


def blob(place: Place, digest: str) -> bytes:
    """The bytes of a blob, digest checked. Raises Broken."""
    return layout.blob(place, digest) if isinstance(place, Path) else remote.blob(place, digest)


def pull_blob(place: Place, digest: str, folder: Path) -> Path:
    """Put a blob, digest checked, into the layout `folder` without holding it in memory; its file.
    Raises Broken.
    """
    if isinstance(place, Path):
        layout.copy_blob(place, digest, folder)
    else:
        remote.pull_blob(place, digest, folder)
    return folder / "blobs" / "sha256" / oci.hex_of(digest)


def tags(place: Place) -> list[str]:
    """Every tag there, in order; none where nothing was ever pushed."""
    return sorted(layout.tags(place) if isinstance(place, Path) else remote.tags(place))


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
    """Keep files as one OCI artifact; return its digest as read back. Its bytes depend on the
    arguments alone.

    The same again is no change. Raises TagTaken where the tag names other content, Broken for a bad
    file name.
    """
    manifest = oci.files_manifest(files, artifact_type, annotations)
    _check_free(place, tag, oci.digest_of(manifest))
    for content in (*files.values(), oci.EMPTY):
        if isinstance(place, Path):
            layout.put_blob(place, content)
        else:
            remote.put_blob(place, oci.digest_of(content), content)
    return _put_manifest(place, tag, manifest)


@boundary("artifact.pull")
def pull_files(place: Place, reference: str) -> dict[str, bytes]:
    """The files of an artifact by tag or digest, each checked. Raises Broken."""
    found = oci.files_of(manifest(place, reference))
    parts = {name: (part["digest"], part["size"]) for name, part in found.items()}
    return {
        name: oci.verified(blob(place, digest), digest, size)
        for name, (digest, size) in parts.items()
    }


@boundary("image.push")
def push_image(place: Place, tag: str, source: Path, digest: str) -> str:
    """Keep the image `digest` of the layout `source` under a tag; return its digest as read back.
    Raises TagTaken.
    """
    manifest = layout.manifest(source, digest)
    if manifest is None:
        raise oci.Broken(f"{source} has no manifest {digest}")
    _check_free(place, tag, digest)
    for part in _parts(manifest):
        if isinstance(place, Path):
            layout.copy_blob(source, part, place)
        else:
            remote.put_blob(place, part, source / "blobs" / "sha256" / oci.hex_of(part))
    return _put_manifest(place, tag, manifest)


@boundary("image.pull")
def pull_image(place: Place, digest: str, folder: Path) -> Pulled:
    """Copy exactly this image to a layout in `folder`, every digest checked. Raises Broken."""
    content = manifest(place, digest)
    for part in _parts(content):
        pull_blob(place, part, folder)
    tag = oci.hex_of(digest)[:16]
    layout.put_manifest(folder, tag, content)
    return Pulled(folder, tag, digest, oci.parse_manifest(content)["config"]["digest"])


def _parts(manifest: bytes) -> list[str]:
    document = oci.parse_manifest(manifest)
    return [part["digest"] for part in (document["config"], *document["layers"])]


def _check_free(place: Place, tag: str, wanted: str) -> None:
    """Refuse before anything is uploaded; a folder refuses again under its lock."""
    there = digest(place, oci.check_reference(tag))
    if there not in (None, wanted):
        raise oci.TagTaken(tag, str(there), wanted)


def _put_manifest(place: Place, tag: str, manifest: bytes) -> str:
    if isinstance(place, Path):
        layout.put_manifest(place, tag, manifest)
    elif digest(place, tag) is None:
        remote.put_manifest(place, tag, manifest)
    there, wanted = digest(place, tag), oci.digest_of(manifest)
    if there != wanted:
        raise oci.TagTaken(tag, str(there), wanted)
    return wanted
