"""OCI's referrers: manifests that name another one as their subject, and how they are found again.

A registry that knows them lists them itself. For one that does not, and for a layout, the
specification has a tag for each subject, which names a list of them that clients keep: the one tag
that moves. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

from collections.abc import Mapping

import msgspec

from flows.adapters.registry import oci
from flows.adapters.registry.oci import Broken, Descriptor

LIMIT = 1000  # referrers of one subject that are read
PREFIX = "sha256-"  # of the tag; no image of ours has it


class Referrer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a list says of a referrer. Nothing of it is believed but where to look."""

    digest: str
    size: int
    media_type: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] | None = None


class _List(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The list of referrers: an index."""

    manifests: tuple[Referrer, ...]
    schema_version: int = 0
    media_type: str = ""


class _Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The manifest of an artifact that is about another one."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    schema_version: int
    media_type: str
    artifact_type: str
    subject: Descriptor
    annotations: dict[str, str]


class _About(msgspec.Struct, frozen=True, rename="camel"):
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: dict[str, str] | None = None


def tag(subject: str) -> str:
    """The tag of the list of a subject, where nobody else lists its referrers."""
    return PREFIX + oci.hex_of(subject)


def subject_of_tag(tag: str) -> str:
    """The digest of the subject whose list has this tag."""
    return f"sha256:{tag.removeprefix(PREFIX)}"


def manifest(
    subject: bytes, media_type: str, content: bytes, annotations: Mapping[str, str]
) -> bytes:
    """The manifest of one file of this media type, about the manifest `subject`."""
    return oci.encode(
        _Manifest(
            config=oci.descriptor(oci.EMPTY_TYPE, oci.EMPTY),
            layers=(oci.descriptor(media_type, content),),
            schema_version=2,
            media_type=oci.MANIFEST,
            artifact_type=media_type,
            subject=oci.descriptor(oci.MANIFEST, subject),
            annotations=dict(annotations),
        )
    )


def subject_of(content: bytes) -> str:
    """The digest that a manifest names as its subject; empty where it has none. Raises Broken."""
    subject = _about(content).subject
    return subject.digest if subject else ""


def listed(content: bytes) -> tuple[Referrer, ...]:
    """The entries of a list. Raises Broken for what is none, and for one that is too long."""
    try:
        entries = msgspec.json.decode(content, type=_List).manifests
    except (ValueError, RecursionError) as error:
        raise Broken(f"a list of referrers cannot be read: {error}") from None
    if len(entries) > LIMIT:
        raise Broken(f"a list names {len(entries)} referrers; at most {LIMIT} are read")
    for entry in entries:
        oci.hex_of(entry.digest)
    return entries


def with_added(content: bytes | None, added: bytes) -> bytes:
    """A list that has this manifest too; the same list where it has it already. Raises Broken."""
    entries = listed(content) if content is not None else ()
    about = _about(added)
    entry = Referrer(
        oci.digest_of(added), len(added), oci.MANIFEST, about.artifact_type, about.annotations
    )
    if content is not None and entry.digest in {known.digest for known in entries}:
        return content
    ordered = tuple(sorted((*entries, entry), key=lambda one: one.digest))
    return oci.encode(_List(ordered, 2, oci.INDEX))


def _about(content: bytes) -> _About:
    try:
        return msgspec.json.decode(content, type=_About)
    except (ValueError, RecursionError) as error:
        raise Broken(f"a referrer cannot be read: {error}") from None
