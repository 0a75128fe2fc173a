"""The images of a model in the registry: what each is to the manifest repo, and which may be
deleted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flows.adapters.git import git
from flows.adapters.registry import beside_images, referrers, registry
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.gitops import quarantine as rules
from sluice.gitops.state import NO_QUARANTINE, Champion, Quarantine

_PART = re.compile(r"(?P<tag>[^.]+)\.(?:model|evidence(?:-[0-9a-f]+)?)")
# What the ledger keeps there, and the lists of statements, are no images, and never deletable.
_BESIDE = (beside_images.PREFIX, referrers.PREFIX)
_WORD = re.compile(r"[\w:.-]{7,}")  # what may be a tag or a digest in a kustomization

# The tag or digest of an image, and why it is kept.
Reason = tuple[str, str]


@dataclass(frozen=True)
class Image:
    """An image, what lies beside it, and what keeps it: nothing where it may be deleted.

    `parts` are the tags of artifact, evidence, and list of statements; `release` is 0 where it was
    never released.
    """

    tag: str
    digest: str
    parts: tuple[str, ...]
    release: int
    kept: tuple[str, ...]
    quarantined: bool

    @property
    def deletable(self) -> bool:
        """Whether nothing needs it any more, and what lies beside it."""
        return not self.kept


@dataclass(frozen=True)
class _Needed:
    """What the manifest repo says: reasons by tag or digest, numbers of releases by digest."""

    reasons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    releases: Mapping[str, int] = field(default_factory=dict)
    quarantine: Quarantine = NO_QUARANTINE


def images(settings: Settings, model: str) -> list[Image]:
    """Every image of the model, newest release first; what was never released comes last."""
    place = manifest_repo.images(settings, model)
    tags = registry.tags(place)
    needed = _needed(settings, model) if manifest_repo.there(settings) else _Needed()
    found = []
    for tag in tags:
        if not _PART.fullmatch(tag) and not tag.startswith(_BESIDE):
            digest = str(registry.digest(place, tag))
            beside = [name for name in (referrers.tag(digest),) if name in tags]
            found.append(_image(tag, digest, (*_parts(tag, tags), *beside), needed))
    return sorted(found, key=lambda image: (-image.release, image.tag))


def _parts(tag: str, tags: Iterable[str]) -> tuple[str, ...]:
    """The tags of what lies beside an image, sorted."""
    matches = [match for match in map(_PART.fullmatch, tags) if match]
    return tuple(sorted(match[0] for match in matches if match["tag"] == tag))


def _image(tag: str, digest: str, parts: tuple[str, ...], needed: _Needed) -> Image:
    reasons = [*needed.reasons.get(digest, ()), *needed.reasons.get(tag, ())]
    return Image(
        tag,
        digest,
        parts,
        needed.releases.get(digest, 0),
        tuple(dict.fromkeys(reasons)),
        rules.barred(needed.quarantine, digest) is not None,
    )


def _needed(settings: Settings, model: str) -> _Needed:
    """What the manifest repo needs: live in any overlay, champion, anchor, parked, proposed, in the
    rollback window.
    """
    reasons: dict[str, list[str]] = {}
    releases: dict[str, int] = {}
    with git.clone(settings.remote, settings.branch) as repo:
        quarantine = manifest_repo.read(settings, model, repo).quarantine
        for name in manifest_repo.overlays(repo, model):
            overlay = settings.model_copy(update={"overlay": name})
            champions = manifest_repo.champions(overlay, repo, model)
            for name, why in _overlay_reasons(overlay, model, repo, champions):
                reasons.setdefault(name, []).append(why)
            releases |= {one.digest: one.release for one in reversed(champions)}
    for branch in git.branches(settings.remote, f"release/{model}/*"):
        reasons.setdefault(branch.rpartition("/")[2], []).append("proposed")
    return _Needed(reasons, releases, quarantine)


def _overlay_reasons(
    settings: Settings, model: str, repo: git.Clone, champions: Sequence[Champion]
) -> Iterator[Reason]:
    """What an overlay and the state beside it keep; `champions` are the newest first."""
    # Whatever an overlay names, in whatever shape a person wrote it, is live there.
    text = manifest_repo.text(repo, manifest_repo.overlay(settings, repo, model))
    for word in sorted(set(_WORD.findall(text))):
        yield word, f"live in {settings.overlay}"
    state = manifest_repo.states(settings, model, repo)
    if state.champion:
        yield state.champion.digest, "champion"
    if state.anchor:
        yield state.anchor.digest, "anchor"
    for digest in window(champions, state.quarantine, settings.rollback_window):
        yield digest, "rollback window"
    for delayed in state.parked.entries:
        yield delayed.digest, "parked"


def window(champions: Iterable[Champion], quarantine: Quarantine, length: int) -> list[str]:
    """The digests of the newest releases that can be gone back to (`length`), and of all that came
    between them. `champions` are the newest first.
    """
    seen: list[str] = []
    healthy = 0
    for champion in champions:
        if champion.digest in seen:
            continue
        if not rules.barred(quarantine, champion.digest):
            healthy += 1
        if healthy > length:
            break
        seen.append(champion.digest)
    return seen
