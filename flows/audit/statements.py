"""The signed statements about an image: bill of materials, provenance and verdict; what each must
say, kept beside the image and found again.

What a statement must say follows from the commit and the image, so it is worked out anew and
compared, and a signature only tells who said it. One good statement of a kind is enough: others may
be about an earlier release of the same image, or somebody else's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flows.adapters import dsse
from flows.adapters.registry import registry
from sluice.gitops import statement
from sluice.gitops.bill_of_materials import BILL, Software, bill
from sluice.gitops.statement import Json

KEY = "Statement-Key"  # trailer with the public key
_PREDICATE = "in-toto.io/predicate-type"  # annotation of a referrer


@dataclass(frozen=True)
class Wanted:
    """What has to be stated about an image, by a name for people: `predicate` of the kind
    `predicate_type`.
    """

    name: str
    predicate_type: str
    predicate: Json


def wanted(
    annotations: Mapping[str, str], trailers: Mapping[str, str], software: Software | None
) -> list[Wanted]:
    """What has to be stated about an image with these annotations and this software in it, that a
    commit with these trailers promotes. Where the software is None, nothing is wanted of it.
    """
    stated = [
        Wanted("provenance", statement.PROVENANCE, statement.provenance(annotations, trailers)),
        Wanted("verdict", statement.VERDICT, statement.verdict(trailers)),
    ]
    if software is not None:
        materials = bill(trailers.get("Image", ""), software)
        stated.append(Wanted("bill of materials", BILL, materials))
    return stated


def keep(
    place: registry.Place, key: dsse.SigningKey, image: str, digest: str, stated: list[Wanted]
) -> None:
    """Sign statements about the image `image` with this digest, and keep them as its referrers.

    The same again is no change. Raises Broken where there is no such image, SluiceError where a
    statement is not found again.
    """
    for one in stated:
        payload = statement.encode(image, digest, one.predicate_type, one.predicate)
        envelope = dsse.seal(key, statement.PAYLOAD, payload)
        notes = {_PREDICATE: one.predicate_type}
        registry.push_about(place, digest, dsse.MEDIA_TYPE, envelope, notes)


def problem(
    place: registry.Place, public: str, digest: str, one: Wanted, sizes: dict[str, int]
) -> str:
    """Why no statement signed with this key says what is wanted; empty where one does.

    Its size in bytes is noted under its name. Raises Broken for what is not what its digest says.
    """
    found = registry.about(place, digest, dsse.MEDIA_TYPE, _PREDICATE, one.predicate_type)
    reasons = []
    for envelope in found:
        reason = "; ".join(_wrong(envelope, public, digest, one))
        if not reason:
            sizes[one.name] = len(envelope)
            return ""
        reasons.append(reason)
    return reasons[-1] if reasons else "there is none"


def is_signed(place: registry.Place, public: str, digest: str, predicate_type: str) -> bool:
    """Whether a statement of this kind about the image is signed with this key; what it says is
    not looked at. Raises Broken for what is not what its digest says.
    """
    found = registry.about(place, digest, dsse.MEDIA_TYPE, _PREDICATE, predicate_type)
    return any(_is_about(envelope, public, digest, predicate_type) for envelope in found)


def _is_about(envelope: bytes, public: str, digest: str, predicate_type: str) -> bool:
    try:
        said = statement.decode(dsse.opened(envelope, statement.PAYLOAD, public))
    except (dsse.BadEnvelope, dsse.BadKey, statement.Unreadable):
        return False
    return (said.about, said.predicate_type) == ((digest,), predicate_type)


def decided_on(place: registry.Place, public: str, digest: str) -> frozenset[str]:
    """The digests of the evidence on which an image was decided, by the verdicts that the holder of
    this key signed about it. Raises BadKey for what is no public key, and Retryable where the
    registry is away.
    """
    found = set()
    for envelope in registry.about(place, digest, dsse.MEDIA_TYPE, _PREDICATE, statement.VERDICT):
        try:
            said = statement.decode(dsse.opened(envelope, statement.PAYLOAD, public))
        except (dsse.BadEnvelope, statement.Unreadable):
            continue  # somebody else's
        rests_on = said.predicate.get("restsOn")
        if said.about == (digest,) and isinstance(rests_on, Mapping):
            found.add(str(rests_on.get("Evidence-Hash", "")))
    return frozenset(found)


def _wrong(envelope: bytes, public: str, digest: str, one: Wanted) -> Iterator[str]:
    """What is wrong with a statement. A signature is looked at before anything is parsed."""
    try:
        found = statement.decode(dsse.opened(envelope, statement.PAYLOAD, public))
    except (dsse.BadEnvelope, dsse.BadKey, statement.Unreadable) as error:
        yield str(error)
        return
    if found.about != (digest,):
        yield f"it is about {', '.join(found.about) or 'nothing'}, and not about {digest}"
    if found.predicate_type != one.predicate_type:
        yield f"it is of the kind {found.predicate_type}; {one.predicate_type} is required"
    differing = statement.differences(one.predicate, found.predicate)
    if differing:
        yield f"it says something else than commit and image: {', '.join(differing)}"
