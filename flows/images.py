"""The images of a model in the registry: what each is to the manifest repo, and which may be deleted."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flows import manifests
from flows.adapters import git, registry
from flows.settings import Settings
from sluice import quarantine as rules

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
    place = registry.place(manifests.image_name(settings, model), settings.home / "registry")
    tags = registry.tags(place)
    needed = _needed(settings, model) if manifests.there(settings) else _Needed({}, {}, {})
    whole = [tag for tag in tags if not _PART.fullmatch(tag)]
    found = [_image(tag, str(registry.digest(place, tag)), tags, needed) for tag in whole]
    return sorted(found, key=lambda image: (-image.release, image.tag))


def _image(tag: str, digest: str, tags: Iterable[str], needed: _Needed) -> Image:
    parts = tuple(sorted(name for name in tags if (match := _PART.fullmatch(name)) and match["tag"] == tag))
    kept = tuple(dict.fromkeys((*needed.by_name.get(digest, ()), *needed.by_name.get(tag, ()))))
    return Image(tag, digest, parts, needed.releases.get(digest, 0), kept,
                 bool(rules.barred(needed.quarantine, digest)))  # fmt: skip


def _needed(settings: Settings, model: str) -> _Needed:
    """What the manifest repo needs: live in any overlay, champion, anchor, parked, proposed, in the rollback window."""
    with git.clone(settings.remote, settings.branch) as repo:
        now = manifests.read(settings, model, repo)
        history = manifests.champions(repo, model)
        overlays = {file.parent.name: manifests.text(repo, file.relative_to(repo.path).as_posix())
                    for file in sorted(repo.path.glob("overlays/*/kustomization.yaml"))}  # fmt: skip
        proposed = git.branches(settings.remote, f"release/{model}/*")
    recorded = (("champion", now.champion), ("anchor", now.anchor))
    found: list[tuple[str, str]] = [(record["digest"], name) for name, record in recorded if record]
    found += [(digest, "rollback window") for digest in window(history, now.quarantine, settings.rollback_window)]
    found += [(entry["digest"], "parked") for entry in now.parked.get("entries", [])]
    found += [(branch.rpartition("/")[2], "proposed") for branch in proposed]
    # Whatever an overlay names, in whatever shape a person wrote it, is live there.
    words = {name: sorted(set(re.findall(r"[\w:.-]{7,}", text))) for name, text in overlays.items()}
    found = [(word, f"live in {name}") for name, list_ in words.items() for word in list_] + found
    kept: dict[str, tuple[str, ...]] = {}
    for name, why in found:
        kept[name] = (*kept.get(name, ()), why)
    releases = {str(one["digest"]): int(one["release"]) for one in reversed(history)}
    return _Needed(kept, releases, now.quarantine)


def window(history: Iterable[Mapping[str, Any]], quarantine: Mapping[str, Any], length: int) -> list[str]:
    """The digests of the newest releases that can be gone back to (`length`), and of all that came between them."""
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
