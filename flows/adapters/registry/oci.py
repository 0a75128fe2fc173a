"""OCI's formats: digests, descriptors, manifests; everything read is treated as hostile until its
digest is checked.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sluice.errors import SluiceError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
READABLE = (MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json")
TITLE = "org.opencontainers.image.title"
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
MANIFEST_LIMIT = 4 * 2**20  # bytes; what registries take at least
FILE_LIMIT = 512 * 2**20  # bytes of one artifact's file
FILES_LIMIT = 1000

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,7}")


class TagTaken(SluiceError):
    """The tag names something else already; tags are never moved."""

    def __init__(self, tag: str, there: str, wanted: str) -> None:
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


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON whose bytes depend on the values alone."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    """What names these bytes in a manifest."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def files_manifest(
    files: Mapping[str, bytes], artifact_type: str, annotations: Mapping[str, str]
) -> bytes:
    """The manifest of an artifact with one layer a file, in the order of their names. Raises Broken
    for a bad name.
    """
    layers = [
        descriptor("application/octet-stream", files[name])
        | {"annotations": {TITLE: _checked(name)}}
        for name in sorted(files)
    ]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": descriptor(EMPTY_TYPE, EMPTY),
        "layers": layers or [descriptor(EMPTY_TYPE, EMPTY)],
    }
    return encode(document | ({"annotations": dict(annotations)} if annotations else {}))


def parse_manifest(content: bytes) -> dict[str, Any]:
    """A manifest of an image or an artifact, its shape checked. Raises Broken."""
    try:
        document = json.loads(content)
        parts = [document["config"], *document["layers"]]
        sound = all(
            is_digest(part["digest"]) and type(part["size"]) is int and part["size"] >= 0
            for part in parts
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Broken("a manifest is not one of an image or an artifact") from None
    if not sound or len(parts) > FILES_LIMIT:
        raise Broken("a manifest has a part without a digest or size, or too many parts")
    return dict(document)


def annotations_of(content: bytes) -> dict[str, str]:
    """The annotations of a manifest. Raises Broken."""
    found = parse_manifest(content).get("annotations") or {}
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Broken("the annotations of a manifest are not texts")
    return dict(found)


def files_of(content: bytes) -> dict[str, dict[str, Any]]:
    """Name to descriptor of an artifact's files. Raises Broken for names that could leave a folder,
    and for doubles.
    """
    found: dict[str, dict[str, Any]] = {}
    for layer in parse_manifest(content)["layers"]:
        if layer.get("mediaType") == EMPTY_TYPE:
            continue
        name = _checked((layer.get("annotations") or {}).get(TITLE))
        if name in found or layer["size"] > FILE_LIMIT:
            raise Broken(f"an artifact has {name} twice, or larger than {FILE_LIMIT} bytes")
        found[name] = layer
    return found


def verified(content: bytes, digest: str, size: int | None = None) -> bytes:
    """These bytes, if they have this digest (and size). Raises Broken."""
    if digest_of(content) != digest or size not in (None, len(content)):
        raise Broken(
            f"{len(content)} bytes were read for {digest}, and they have another digest or size"
        )
    return content


def _checked(name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise Broken(f"{str(name)[:200]!r} is not a name for a file of an artifact")
