"""Whether the registry still has what was made before: plan and release ask this."""

import functools

from flows.adapters.registry import registry, remote
from flows.adapters.registry.remote import Remote
from flows.audit import beside
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.facts.imaged import Imaged
from flows.gitops import manifest_repo
from sluice.errors import Refused
from sluice.gitops.state import Champion


def lost(candidate: Candidate, imaged: Imaged) -> str:
    """Why an image that was made before is made anew; empty where the registry has it whole, and
    the model beside it.

    A registry that tidies up may lose a layer and keep the manifest: then no node could start the
    image. Raises what the registry's client raises where it does not answer.
    """
    return _lost_image(candidate.request.place, candidate.tag, imaged.digest)


def _lost_image(place: registry.Place, tag: str, digest: str) -> str:
    found = registry.digest(place, tag)
    if not found:
        return "the registry does not have this image any more"
    if found != digest:
        return "the registry has another image under this tag"
    missing = len(registry.missing(place, found))
    if missing:
        parts = "1 part" if missing == 1 else f"{missing} parts"
        return f"the registry does not have {parts} of this image any more"
    model = f"{tag}.model"
    if not registry.digest(place, model) or registry.missing(place, model):
        return "the registry does not have the model beside this image any more"
    return ""


def lost_beside(request: Request, champion: Champion) -> str:
    """What the registry lost of evidence and statements beside an image that is live, as a cause;
    empty where it has all that the commit names.

    Raises as `lost` does.
    """
    said = manifest_repo.said_of(request.settings, champion)
    missing = beside.lost(request.place, champion, said)
    if not missing:
        return ""
    return f"the registry does not have the {', the '.join(missing)} of this image any more"


def require_whole(request: Request) -> None:
    """Raise Refused where the registry lost anything of what is live, and that is not made again:
    the models of a fleet would have to be judged anew for it.
    """
    champion = request.champion
    if champion is None:
        return
    cause = _lost_image(request.place, champion.tag, champion.digest)
    cause = cause or lost_beside(request, champion)
    if cause:
        raise Refused(
            f"release {champion.release} of {request.model} is live, and {cause}",
            f"Copy what belongs to {champion.tag} and {champion.digest} back from a copy of the"
            f" registry, or go back: sluice rollback {request.model} --reason WHY",
        )


def require_registry(place: registry.Place) -> None:
    """Raise what a release would meet at its end, where the registry does not let it read, or not
    write.
    """
    registry.digest(place, "latest")
    if isinstance(place, Remote):
        _require_upload(place)


@functools.lru_cache
def _require_upload(place: Remote) -> None:
    """Begin an upload and give it up. Of one process one look is enough: a release is planned when
    it is asked for, and as a flow.
    """
    remote.require_writable(place)
