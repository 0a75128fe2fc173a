"""Whether the registry still has an image that was made before: plan and release ask this."""

from flows.adapters.registry import registry
from flows.engine.phases import Candidate
from flows.facts.imaged import Imaged


def lost(candidate: Candidate, imaged: Imaged) -> str:
    """Why an image that was made before is made anew; empty where the registry has it.

    Raises what the registry's client raises where it does not answer.
    """
    found = registry.digest(candidate.request.place, candidate.tag)
    if found == imaged.digest:
        return ""
    if not found:
        return "the registry does not have this image any more"
    return "the registry has another image under this tag"


def require_registry(place: registry.Place) -> None:
    """Raise what a release would meet at its end, where the registry does not let it read."""
    registry.digest(place, "latest")
