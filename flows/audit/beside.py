"""What lies beside the image of the release that is live, and the commit names: its evidence, and
what was stated about it. Plan and release ask whether the registry still has it.

One question for each part; no layer is read, and no file of the evidence.
"""

from collections.abc import Callable, Mapping
from functools import partial

from flows.adapters.registry import oci, referrers, registry
from flows.audit import statements
from sluice.gitops.bill_of_materials import BILL
from sluice.gitops.image_names import ANNOTATION
from sluice.gitops.state import Champion


def lost(place: registry.Place, champion: Champion, trailers: Mapping[str, str]) -> list[str]:
    """What the registry does not have any more beside the image of this champion, by a name for
    people; `trailers` are those of the commit that released it, none where that is not known.

    What is broken counts as lost. Raises Retryable where the registry does not answer.
    """
    public = trailers.get(statements.KEY, "")
    tags = [champion.tag, f"{champion.tag}.model"]
    parts: dict[str, Callable[[], bool]] = {}
    if champion.evidence:
        parts["evidence"] = lambda: _has_evidence(place, champion, tags)
    if public:
        parts |= _stated(place, champion, trailers, public)
        tags.append(referrers.tag(champion.digest))
    missing = [name for name, is_there in parts.items() if not _holds(is_there)]
    if missing or _holds(lambda: _is_listed(place, tags)):
        return missing
    return ["index"]


def _holds(is_there: Callable[[], bool]) -> bool:
    try:
        return is_there()
    except (oci.Broken, FileNotFoundError):
        return False


def _has_evidence(place: registry.Place, champion: Champion, tags: list[str]) -> bool:
    """Whether the evidence is whole and a tag leads to it, which is added to `tags`."""
    manifest = registry.manifest(place, champion.evidence)
    if place.lacking([part.digest for part in oci.parse_manifest(manifest).parts]):
        return False
    first = f"{champion.tag}.evidence"
    hashed = oci.annotations_of(manifest).get(f"{ANNOTATION}evidence", "")[:8]
    for tag in (first, f"{first}-{hashed}"):
        if registry.digest(place, tag) == champion.evidence:
            tags.append(tag)
            return True
    return False


def _stated(
    place: registry.Place, champion: Champion, trailers: Mapping[str, str], public: str
) -> dict[str, Callable[[], bool]]:
    """A question for each statement. Of the bill of materials only who signed it is asked: what it
    must say stands in the layers.
    """
    notes = registry.annotations(place, champion.digest)
    digest = champion.digest

    def says(one: statements.Wanted) -> bool:
        return not statements.problem(place, public, digest, one, {})

    asked: dict[str, Callable[[], bool]] = {
        f"signed {one.name}": partial(says, one) for one in statements.wanted(notes, trailers, None)
    }
    asked["signed bill of materials"] = partial(statements.is_signed, place, public, digest, BILL)
    return asked


def _is_listed(place: registry.Place, tags: list[str]) -> bool:
    """Whether the index of a folder describes all that these tags lead to."""
    place.check_index(tags)
    return True
