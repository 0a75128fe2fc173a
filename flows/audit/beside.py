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
    parts: dict[str, Callable[[], bool]] = {}
    if champion.evidence:
        parts["evidence"] = lambda: _has_evidence(place, champion)
    if public:
        parts |= _stated(place, champion, trailers, public)
    missing = [name for name, is_there in parts.items() if not _holds(is_there)]
    if missing or _holds(lambda: _is_listed(place, champion, public)):
        return missing
    return ["index"]


def evidence_tags(place: registry.Place, champion: Champion) -> list[str]:
    """The tags that may lead to the evidence of a champion. Raises Broken where it is not there."""
    notes = registry.annotations(place, champion.evidence)
    first = f"{champion.tag}.evidence"
    return [first, f"{first}-{notes.get(f'{ANNOTATION}evidence', '')[:8]}"]


def _holds(is_there: Callable[[], bool]) -> bool:
    try:
        return is_there()
    except (oci.Broken, FileNotFoundError):
        return False


def _has_evidence(place: registry.Place, champion: Champion) -> bool:
    """Whether a tag leads to the evidence, and each of its files is there."""
    if registry.missing(place, champion.evidence):
        return False
    return bool(_leading(place, champion))


def _leading(place: registry.Place, champion: Champion) -> list[str]:
    tags = evidence_tags(place, champion)
    return [tag for tag in tags if registry.digest(place, tag) == champion.evidence]


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


def _is_listed(place: registry.Place, champion: Champion, public: str) -> bool:
    """Whether the index of a folder describes all that a tag leads to."""
    tags = [champion.tag, f"{champion.tag}.model"]
    if champion.evidence:
        tags += _leading(place, champion)
    if public:
        tags.append(referrers.tag(champion.digest))
    place.check_index(tags)
    return True
