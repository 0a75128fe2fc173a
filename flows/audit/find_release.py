"""A release found again from manifest repo and registry alone: its commit, its image, its evidence,
its artifact.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.adapters.git.access import hidden
from flows.adapters.registry import oci, registry
from flows.gitops.events import chronicle
from flows.gitops.manifest_repo import image_name
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.history import Event
from sluice.gitops.lineage import ANNOTATION, resolve, tag_of


@dataclass(frozen=True)
class Traced:
    """A release, and what the registry has of it; None where it has nothing, and then `missing`
    says why.

    `event` is the commit that released it; where the manifest repo does not know it, it is made
    from the registry.
    """

    event: Event
    events: list[Event]
    image: str
    place: registry.Place
    annotations: dict[str, str] | None = None
    evidence: dict[str, bytes] | None = None
    missing: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any] | None:
        """evidence.json, read."""
        return json.loads(self.evidence["evidence.json"]) if self.evidence else None


def trace(settings: Settings, word: str, model: str) -> Traced:
    """The release that a word means, with annotations and evidence. Raises UsageError; not for want
    of a registry.
    """
    events = chronicle(settings)
    try:
        event = resolve(events, word, model, where(settings, model))
    except UsageError:
        if not oci.is_digest(digest := word.rpartition("@")[2]):
            raise
        found = _unreleased(settings, model, digest)
        if found is None:
            raise
        event = found
    image = (
        event.trailers["Image"].rpartition(":")[0]
        if "Image" in event.trailers
        else image_name(settings, model)
    )
    place = registry.place(image, settings.home / "registry")
    missing: list[str] = []
    annotations = _look("the image", missing, registry.annotations, place, event.digest)
    evidence = _look(
        "the evidence",
        missing,
        registry.pull_files,
        place,
        event.trailers.get("Evidence-Hash", "none"),
    )
    return Traced(event, events, image, place, annotations, evidence, tuple(missing))


def _look(what: str, missing: list[str], look: Callable[..., Any], *arguments: Any) -> Any:
    """What the registry answers; None where it does not, and then the reason is added to
    `missing`.
    """
    try:
        return look(*arguments)
    except SluiceError as error:
        missing.append(f"{what}: {error.what}")
        return None


def _unreleased(settings: Settings, model: str, digest: str) -> Event | None:
    """An image that only the registry knows: its annotations give its tag, and that its
    evidence.
    """
    image = image_name(settings, model)
    place = registry.place(image, settings.home / "registry")
    try:
        notes = registry.annotations(place, digest)
        made_of = {name.removeprefix(ANNOTATION): value for name, value in notes.items()}
        tag = tag_of(made_of)
        evidence = registry.digest(place, f"{tag}.evidence") or ""
    except SluiceError:
        return None
    trailers = {"Image": f"{image}:{tag}", "Image-Digest": digest} | (
        {"Evidence-Hash": evidence} if evidence else {}
    )
    return Event("release", "", "", "", "", model=model, tag=tag, digest=digest, trailers=trailers)


def where(settings: Settings, model: str) -> str:
    """Where a release is looked for, in words."""
    url = hidden(settings.remote, settings.remote.url).removeprefix("file://")
    return f"branch {settings.branch} of {url} and the registry {image_name(settings, model)}"


def artifact(traced: Traced) -> Mapping[str, bytes]:
    """The files of the model artifact of this image, each checked. Raises Broken."""
    return registry.pull_files(traced.place, f"{traced.event.tag}.model")
