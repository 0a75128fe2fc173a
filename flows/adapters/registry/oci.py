"""OCI's formats: digests, descriptors, manifests.

Everything that is read is treated as hostile until its digest is checked. The formats are those of
https://github.com/opencontainers/image-spec.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from sluice.errors import SluiceError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
READABLE = (MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json")
TITLE = "org.opencontainers.image.title"
EMPTY = b"{}"  # what an artifact without a configuration names as its configuration
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
MANIFEST_LIMIT = 4 * 2**20  # bytes; what registries take at least
FILE_LIMIT = 512 * 2**20  # bytes of one artifact's file
FILES_LIMIT = 1000  # parts of one manifest, its configuration among them

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,7}")


class TagTaken(SluiceError):
    """The tag names something else already; tags are never moved."""

    def __init__(self, tag: str, there: str, wanted: str) -> None:
        """`there` is the digest that the tag names, `wanted` the one that it was to name."""
        super().__init__(
            f"the tag {tag} names {there} already and is not moved to {wanted}",
            "Equal inputs gave other bytes: compare the versions of the builders, or delete the tag"
            " by hand.",
        )
        self.there = there


class Broken(SluiceError):
    """What was read is not what its digest or its format says."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what, "The store is damaged or hostile: delete the tag there and run again."
        )


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What names some bytes: their digest, their number, and their media type.

    Reading checks that the fields have these types, and no more: `parse_manifest` checks digests
    and sizes, the index of a layout is checked where a digest is used. Other fields are left out.
    """

    digest: str
    size: int
    media_type: str = ""
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The manifest of an image or an artifact: its configuration and its layers, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    schema_version: int = 0  # written always: the default is for one that is read and has none
    media_type: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] | None = None

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """Every blob that the manifest names, the configuration first."""
        return (self.config, *self.layers)


def digest_of(content: bytes) -> str:
    """`sha256:` and the hex digest of these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_digest(text: object) -> bool:
    """Whether this is a complete SHA-256 digest."""
    return isinstance(text, str) and bool(_DIGEST.fullmatch(text))


def check_reference(text: str) -> str:
    """The tag or digest itself, if it is one. Raises Broken."""
    if is_digest(text) or _TAG.fullmatch(text):
        return text
    raise Broken(f"{text[:200]!r} is neither a tag nor a digest")


def hex_of(digest: str) -> str:
    """The hex of a digest, safe as a file name. Raises Broken."""
    if not is_digest(digest):
        raise Broken(f"{str(digest)[:200]!r} is not a SHA-256 digest")
    return digest.removeprefix("sha256:")


def encode(document: Mapping[str, object] | msgspec.Struct) -> bytes:
    """JSON whose bytes depend on the values alone: keys in order, no spaces, UTF-8."""
    plain = msgspec.to_builtins(document)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def descriptor(
    media_type: str, content: bytes, annotations: Mapping[str, str] | None = None
) -> Descriptor:
    """What names these bytes in a manifest or an index."""
    notes = None if annotations is None else dict(annotations)
    return Descriptor(digest_of(content), len(content), media_type, notes)


def image_manifest(
    config: Descriptor,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """The manifest of an image, layers from the lowest to the topmost."""
    notes = None if annotations is None else dict(annotations)
    return encode(Manifest(config, tuple(layers), 2, MANIFEST, annotations=notes))


def files_manifest(
    files: Mapping[str, bytes], artifact_type: str, annotations: Mapping[str, str]
) -> bytes:
    """The manifest of an artifact with one layer a file, in the order of their names.

    Raises Broken for a name that could leave a folder.
    """
    layers: list[Descriptor] = []
    for name in sorted(files):
        title = {TITLE: _checked(name)}
        layers.append(descriptor("application/octet-stream", files[name], title))
    empty = descriptor(EMPTY_TYPE, EMPTY)
    manifest = Manifest(
        config=empty,
        layers=tuple(layers) or (empty,),  # registries refuse a manifest without layers
        schema_version=2,
        media_type=MANIFEST,
        artifact_type=artifact_type,
        annotations=dict(annotations) or None,
    )
    return encode(manifest)


def parse_manifest(content: bytes) -> Manifest:
    """A manifest of an image or an artifact, its shape checked.

    Raises Broken where it is none, has too many parts, or a part without a digest or a size.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise Broken(f"a manifest is not one of an image or an artifact: {error}") from None
    count = len(manifest.parts)
    if count > FILES_LIMIT:
        raise Broken(f"a manifest has {count} parts; at most {FILES_LIMIT} are read")
    for part in manifest.parts:
        hex_of(part.digest)
        if part.size < 0:
            raise Broken(f"the size of {part.digest} is {part.size}; 0 or more is required")
    return manifest


def annotations_of(content: bytes) -> dict[str, str]:
    """The annotations of a manifest. Raises Broken where it is none."""
    return parse_manifest(content).annotations or {}


def files_of(content: bytes) -> dict[str, Descriptor]:
    """The files of an artifact by their names, in the order of its layers.

    Raises Broken where it is no manifest, for names that could leave a folder or come twice, and
    for a file that is larger than FILE_LIMIT.
    """
    files: dict[str, Descriptor] = {}
    for layer in parse_manifest(content).layers:
        if layer.media_type == EMPTY_TYPE:
            continue
        notes = layer.annotations or {}
        name = _checked(notes.get(TITLE))
        if name in files:
            raise Broken(f"an artifact has {name} twice; one file of a name is required")
        if layer.size > FILE_LIMIT:
            raise Broken(f"{name} has {layer.size} bytes; at most {FILE_LIMIT} are read")
        files[name] = layer
    return files


def verified(content: bytes, digest: str, size: int | None = None) -> bytes:
    """These bytes, if they have this digest and, where one is given, this size in bytes.

    Raises Broken.
    """
    if digest_of(content) != digest or size not in (None, len(content)):
        raise Broken(
            f"{len(content)} bytes were read for {digest}, and they have another digest or size"
        )
    return content


def _checked(name: object) -> str:
    """The name itself, if no folder can be left by it. Raises Broken."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise Broken(f"{str(name)[:200]!r} is not a name for a file of an artifact")
