"""Whether the registry still has what was made before: plan and release ask this."""

from flows.adapters.registry import registry
from flows.engine.phases import Candidate
from flows.facts.imaged import Imaged


def lost(candidate: Candidate, imaged: Imaged) -> str:
    """Why an image that was made before is made anew; empty where the registry has it whole, and
    the model beside it.

    A registry that tidies up may lose a layer and keep the manifest: then no node could start the
    image. Raises what the registry's client raises where it does not answer.
    """
    place = candidate.request.place
    found = registry.digest(place, candidate.tag)
    if not found:
        return "the registry does not have this image any more"
    if found != imaged.digest:
        return "the registry has another image under this tag"
    missing = len(registry.missing(place, found))
    if missing:
        parts = "1 part" if missing == 1 else f"{missing} parts"
        return f"the registry does not have {parts} of this image any more"
    model = f"{candidate.tag}.model"
    if not registry.digest(place, model) or registry.missing(place, model):
        return "the registry does not have the model beside this image any more"
    return ""


def require_registry(place: registry.Place) -> None:
    """Raise what a release would meet at its end, where the registry does not let it read."""
    registry.digest(place, "latest")
