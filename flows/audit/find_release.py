"""A release found again from manifest repo and registry alone: its commit, its image, its evidence,
its artifact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flows.adapters.git.access import hidden
from flows.adapters.registry import oci, registry
from flows.gitops.events import chronicle
from flows.gitops.manifest_repo import RepoLost, image_name
from flows.project.models import models
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.evidence import Evidence, read_evidence
from sluice.gitops.history import Event
from sluice.gitops.lineage import NEWEST, resolve, tag_of, without_prefix

Value = TypeVar("Value")
_NAME_ONE = "Name one with --model, or set SLUICE_MODEL."


@dataclass(frozen=True)
class Traced:
    """A release, and what the registry has of it.

    event        the commit that released it; made from the registry where no commit names it
    events       everything that happened in the manifest repo, oldest first
    image        the name of the image, without tag
    place        the repository of the registry that has it
    annotations  of the image; None where the registry does not have it
    files        of the evidence, by name; None where the registry does not have them
    evidence     evidence.json, read; None where it cannot be
    missing      why something is None, a sentence each
    """

    event: Event
    events: list[Event]
    image: str
    place: registry.Place
    annotations: dict[str, str] | None = None
    files: dict[str, bytes] | None = None
    evidence: Evidence | None = None
    missing: tuple[str, ...] = ()


def trace(settings: Settings, word: str, model: str) -> Traced:
    """Find the release that a word means, with the annotations of its image and its evidence.

    `model` is the one that `latest` and `live` mean; empty for the only one of the project, or, in
    a folder without any, the only one that was released.
    What the registry does not give is None. Raises UsageError where no release is meant, RepoLost
    where only the lost manifest repo could tell which.
    """
    missing: list[str] = []
    events = _events(settings, word, missing)
    event = _find(settings, events, word, _meant(settings, events, word, model))
    image = event.fields.image.rpartition(":")[0] or image_name(settings, event.model)
    place = registry.place(image, settings.home / "registry", settings.registry_timeout)
    hash_of_evidence = event.fields.evidence_hash or "none"
    annotations = _look("the image", missing, lambda: registry.annotations(place, event.digest))
    files = _look("the evidence", missing, lambda: registry.pull_files(place, hash_of_evidence))
    evidence = None
    if files is not None:
        evidence = _look("the evidence", missing, lambda: _read(files))
    return Traced(event, events, image, place, annotations, files, evidence, tuple(missing))


def _events(settings: Settings, word: str, missing: list[str]) -> list[Event]:
    """What happened in the manifest repo; nothing where that is gone and the registry alone knows
    the image, and then the reason is added to `missing`.
    """
    try:
        return chronicle(settings)
    except RepoLost as lost:
        if not oci.is_digest(word.rpartition("@")[2]):
            raise
        missing.append(lost.what)
        return []


def _meant(settings: Settings, events: list[Event], word: str, model: str) -> list[str]:
    """The models that a word may be about; one for `latest` and `live`."""
    named = model or settings.model
    known = [named] if named else models(settings.project)
    known = known or sorted({event.model for event in events if event.model})
    if not known:
        what = "no model is named, and neither project nor manifest repo has one"
        raise UsageError(what, _NAME_ONE)
    if word in NEWEST and len(known) > 1:
        what = f"{len(known)} models are there and none is named: {', '.join(known)}"
        raise UsageError(what, _NAME_ONE)
    return known


def _find(settings: Settings, events: list[Event], word: str, known: list[str]) -> Event:
    model = known[0] if len(known) == 1 else "<model>"
    try:
        return resolve(events, word, model, where(settings, model))
    except UsageError:
        digest = word.rpartition("@")[2]
        for name in known if oci.is_digest(digest) else []:
            unreleased = _unreleased(settings, name, digest)
            if unreleased is not None:
                return unreleased
        raise


def _look(what: str, missing: list[str], look: Callable[[], Value]) -> Value | None:
    """What `look` returns; None where it fails, and then the reason is added to `missing`."""
    try:
        return look()
    except SluiceError as error:
        missing.append(f"{what}: {error.what}")
        return None


def _read(files: Mapping[str, bytes]) -> Evidence:
    if "evidence.json" not in files:
        raise SluiceError("it holds no evidence.json")
    return read_evidence(files["evidence.json"])


def _unreleased(settings: Settings, model: str, digest: str) -> Event | None:
    """An event for an image that only the registry knows; None where it does not know it either.

    The annotations of the image give its tag, and the tag leads to its evidence.
    """
    image = image_name(settings, model)
    place = registry.place(image, settings.home / "registry", settings.registry_timeout)
    try:
        tag = tag_of(without_prefix(registry.annotations(place, digest)))
        evidence = registry.digest(place, f"{tag}.evidence")
    except SluiceError:
        return None
    trailers = {"Image": f"{image}:{tag}", "Image-Digest": digest}
    if evidence:
        trailers["Evidence-Hash"] = evidence
    return Event("release", "", "", "", "", model=model, tag=tag, digest=digest, trailers=trailers)


def where(settings: Settings, model: str) -> str:
    """Where a release is looked for, in words."""
    url = hidden(settings.remote, settings.remote.url).removeprefix("file://")
    return f"branch {settings.branch} of {url} and the registry {image_name(settings, model)}"


def artifact(traced: Traced) -> Mapping[str, bytes]:
    """The files of the model artifact of this image, each checked by its hash. Raises Broken."""
    return registry.pull_files(traced.place, f"{traced.event.tag}.model")
