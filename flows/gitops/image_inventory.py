"""The images of a model in the registry: what each is to the manifest repo, and which may be
deleted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.gitops import quarantine as rules

Champions = Sequence[Mapping[str, Any]]
_PART = re.compile(r"(?P<tag>[^.]+)\.(?:model|evidence(?:-[0-9a-f]+)?)")


@dataclass(frozen=True)
class Image:
    """An image, what lies beside it, and what keeps it: nothing where it may be deleted."""

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
    by_name: Mapping[str, tuple[str, ...]]
    releases: Mapping[str, int]
    quarantine: Mapping[str, Any]


def images(settings: Settings, model: str) -> list[Image]:
    """Every image of the model, newest release first; what was never released comes last."""
    place = registry.place(manifest_repo.image_name(settings, model), settings.home / "registry")
    tags = registry.tags(place)
    needed = _needed(settings, model) if manifest_repo.there(settings) else _Needed({}, {}, {})
    whole = [tag for tag in tags if not _PART.fullmatch(tag)]
    found = [_image(tag, str(registry.digest(place, tag)), tags, needed) for tag in whole]
    return sorted(found, key=lambda image: (-image.release, image.tag))


def _image(tag: str, digest: str, tags: Iterable[str], needed: _Needed) -> Image:
    parts = tuple(
        sorted(name for name in tags if (match := _PART.fullmatch(name)) and match["tag"] == tag)
    )
    kept = tuple(dict.fromkeys((*needed.by_name.get(digest, ()), *needed.by_name.get(tag, ()))))
    return Image(
        tag,
        digest,
        parts,
        needed.releases.get(digest, 0),
        kept,
        bool(rules.barred(needed.quarantine, digest)),
    )


def _needed(settings: Settings, model: str) -> _Needed:
    """What the manifest repo needs: live in any overlay, champion, anchor, parked, proposed, in the
    rollback window.
    """
    found: list[tuple[str, str]] = []
    releases: dict[str, int] = {}
    with git.clone(settings.remote, settings.branch) as repo:
        now = manifest_repo.read(settings, model, repo)
        for file in sorted(repo.path.glob("overlays/*/kustomization.yaml")):
            other = settings.model_copy(update={"overlay": file.parent.name})
            # Whatever an overlay names, in whatever shape a person wrote it, is live there.
            words = set(
                re.findall(r"[\w:.-]{7,}", manifest_repo.text(repo, manifest_repo.overlay(other)))
            )
            found += [(word, f"live in {other.overlay}") for word in sorted(words)]
            history = manifest_repo.champions(other, repo, model)
            found += _recorded(other, model, repo, history, now.quarantine)
            releases |= {str(one["digest"]): int(one["release"]) for one in reversed(history)}
        proposed = git.branches(settings.remote, f"release/{model}/*")
    found += [(branch.rpartition("/")[2], "proposed") for branch in proposed]
    kept: dict[str, tuple[str, ...]] = {}
    for name, why in found:
        kept[name] = (*kept.get(name, ()), why)
    return _Needed(kept, releases, now.quarantine)


def _recorded(
    settings: Settings,
    model: str,
    repo: git.Clone,
    history: Champions,
    quarantine: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """What the state of an overlay keeps, and why."""
    state = manifest_repo.states(settings, model, repo)
    named = ((name, state[name]) for name in ("champion", "anchor"))
    found = [(str(record["digest"]), name) for name, record in named if record]
    found += [
        (digest, "rollback window")
        for digest in window(history, quarantine, settings.rollback_window)
    ]
    return found + [
        (str(entry["digest"]), "parked") for entry in (state["parked"] or {}).get("entries", [])
    ]


def window(
    history: Iterable[Mapping[str, Any]], quarantine: Mapping[str, Any], length: int
) -> list[str]:
    """The digests of the newest releases that can be gone back to (`length`), and of all that came
    between them.
    """
    seen: list[str] = []
    healthy = 0
    for record in history:
        if record["digest"] in seen:
            continue
        healthy += not rules.barred(quarantine, record["digest"])
        if healthy > length:
            break
        seen.append(str(record["digest"]))
    return seen
