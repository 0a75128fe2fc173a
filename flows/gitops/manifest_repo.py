"""The manifest repo as it is read: what is live, what lies beside it, and what was live before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.adapters.git import git
from flows.adapters.git.access import address
from flows.project.settings import ROOT, Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.manifest import ImageEntry, read_image

_RESTORE = "Restore it from the history."
_WORDS = {str: "text", int: "whole number", list: "list", dict: "object"}
NO_IMAGE = "sha256:" + "0" * 64  # what the template names before the first release
PRODUCTION = "production"  # the overlay that is meant where nobody names one
_TEMPLATE_URL = "https://git.example.com/team/manifests.git"
_LIFTED = {"who": str, "when": str, "why": str}
# What every record of a release has, and every entry of a list, and of which type it is.
_RELEASED = {"tag": str, "digest": str, "image": str, "release": int, "model": str}
_STATES = {"champion": _RELEASED, "anchor": _RELEASED}
_LISTS = {
    "quarantine": {"digest": str, "tag": str, "release": int, "who": str, "when": str, "why": str},
    "parked": {"digest": str, "tag": str, "since": str, "why": str, "attempts": int, "next": str},
}


@dataclass(frozen=True)
class Live:
    """What the manifest repo says: its tip, the entry of the overlay, and the state recorded beside
    it.
    """

    tip: str
    entry: ImageEntry
    champion: dict[str, Any] | None
    anchor: dict[str, Any] | None
    quarantine: Mapping[str, Any] = field(default_factory=dict)
    parked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def released(self) -> ImageEntry | None:
        """The entry as the last release left it; None where there was no release."""
        champion = self.champion
        if not champion:
            return None
        return ImageEntry(self.entry.name, champion["image"], champion["tag"], champion["digest"])

    @property
    def by_hand(self) -> bool:
        """Whether a person wrote something into the entry that no release wrote."""
        return self.entry != self.released and not (
            self.released is None and self.entry.digest in ("", NO_IMAGE)
        )


def image_name(settings: Settings, model: str) -> str:
    """The image's name where it is kept: SLUICE_REGISTRY in the place of the embedded host."""
    return f"{settings.registry or 'sluice.local'}/{model}"


def seed(settings: Settings) -> None:
    """Make the embedded manifest repo from deploy/argocd, once; a repo of the user's own is never
    seeded.
    """
    if settings.manifests or (settings.home / "manifests.git" / "HEAD").exists():
        return
    template = ROOT / "deploy" / "argocd"
    url = address(settings.manifest_url)
    files = {
        path.relative_to(template).as_posix(): (
            path.read_bytes().replace(_TEMPLATE_URL.encode(), url.encode())
        )
        for path in sorted(template.rglob("*"))
        if path.is_file()
    }
    message = "Start from the template\n\nWhat Argo CD applies before the first release.\n"
    git.seed(settings.home / "manifests.git", files, settings.branch, message, settings.signature)


def there(settings: Settings) -> bool:
    """Whether there is a manifest repo: one of the user's own, or the embedded one once it is
    seeded.
    """
    return bool(settings.manifests) or (settings.home / "manifests.git" / "HEAD").exists()


def live(settings: Settings, model: str) -> Live | None:
    """What is live now; None where the embedded repo does not exist yet."""
    if not there(settings):
        return None
    with git.clone(settings.remote, settings.branch) as repo:
        return read(settings, model, repo)


def overlay(settings: Settings) -> str:
    """The path of the kustomization that a release writes."""
    return f"overlays/{settings.overlay}/kustomization.yaml"


def apart(settings: Settings) -> str:
    """What stands before our names of another overlay than production, so that each has a champion
    of its own.
    """
    return "" if settings.overlay == PRODUCTION else f"{settings.overlay}/"


def place(settings: Settings, word: str) -> str:
    """Where a release goes or is, in words: nothing for production, ` to staging` or ` in staging`
    for that.
    """
    return "" if settings.overlay == PRODUCTION else f" {word} {settings.overlay}"


def state(settings: Settings, model: str, name: str) -> str:
    """The path of a state file: champion, anchor or parked of the overlay, or the quarantine, which
    holds for all.
    """
    return f"state/{model}/{'' if name == 'quarantine' else apart(settings)}{name}.json"


def branch(settings: Settings, verb: str, model: str, tag: str) -> str:
    """Where something is proposed: `release/attrition/<tag>`."""
    return f"{verb}/{model}/{apart(settings)}{tag}"


def text(repo: git.Clone, path: str) -> str:
    """A file of the clone, line ends untouched; empty where there is none. Raises SluiceError for
    what is no UTF-8.
    """
    file = repo.path / path
    try:
        return file.read_bytes().decode("utf-8") if file.is_file() else ""
    except UnicodeDecodeError as error:
        what = (
            f"{path} of branch {repo.branch} is not UTF-8: byte {error.start} is"
            f" {error.object[error.start]:#04x}"
        )
        raise SluiceError(what, "Save it as UTF-8, and commit that.") from None


def read(settings: Settings, model: str, repo: git.Clone) -> Live:
    """What a clone of the branch says. Raises UsageError where it has no such overlay or entry."""
    path = overlay(settings)
    if not (repo.path / path).is_file():
        raise UsageError(
            f"the manifest repo has no {path} on branch {settings.branch}",
            "Copy deploy/argocd into it, or set SLUICE_MANIFESTS, SLUICE_BRANCH and"
            " SLUICE_OVERLAY.",
        )
    entry = read_image(text(repo, path), f"sluice.local/{model}", path)
    found = states(settings, model, repo)
    return Live(
        repo.tip,
        entry,
        found["champion"],
        found["anchor"],
        found["quarantine"] or {},
        found["parked"] or {},
    )


def states(settings: Settings, model: str, repo: git.Clone) -> dict[str, dict[str, Any] | None]:
    """The state of a model in an overlay by name; None for a file that is not there."""
    paths = {name: state(settings, model, name) for name in (*_STATES, *_LISTS)}
    return {name: document(text(repo, path), path, name) for name, path in paths.items()}


def document(content: str, path: str, name: str) -> dict[str, Any] | None:
    """A state file's content; None where there is none. Raises SluiceError where it is not what it
    should be.
    """
    if not content:
        return None
    found = parsed(content, path)
    if name in _STATES:
        require(found, _STATES[name], path)
        return found
    require(found, {"entries": list}, path)
    for number, entry in enumerate(found["entries"], 1):
        where = f"entry {number} of {path}"
        require(entry, _LISTS[name], where)
        if entry.get("lifted"):
            require(entry["lifted"], _LIFTED, f"what lifted {where}")
    return found


def parsed(content: str, path: str) -> dict[str, Any]:
    """A JSON object. Raises SluiceError naming the file where it is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SluiceError(f"{path} is not JSON: {error}", _RESTORE) from None
    if not isinstance(found, dict):
        raise SluiceError(f"{path} holds no JSON object", _RESTORE)
    return found


def require(found: object, wanted: Mapping[str, type], what: str) -> None:
    """Raise SluiceError where `what` lacks a value, or has one of another type."""
    there = found if isinstance(found, dict) else {}
    if missing := sorted(set(wanted) - set(there)):
        raise SluiceError(f"{what} lacks {', '.join(missing)}", _RESTORE)
    for name, kind in wanted.items():
        if not isinstance(there[name], kind) or isinstance(there[name], bool):
            raise SluiceError(
                f"{what} says that {name} is {there[name]!r}, which is no {_WORDS[kind]}", _RESTORE
            )


def encoded(content: Mapping[str, Any]) -> str:
    """A state file's text: equal content gives equal text."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def champions(settings: Settings, repo: git.Clone, model: str) -> list[dict[str, Any]]:
    """Every champion that the branch ever recorded for the overlay, as it was recorded, the newest
    first.
    """
    found, path = [], state(settings, model, "champion")
    for content in git.versions(repo, path):
        try:
            found.append(document(content, path, "champion"))
        except SluiceError:
            continue  # a file that somebody broke and mended since
    return [champion for champion in found if champion]


def since(settings: Settings, champion: Mapping[str, Any]) -> str:
    """When the champion was committed, ISO 8601; empty where that lies too far back to be looked up
    quickly.
    """
    wanted = {f"{trailer}: {champion.get('promotion')}" for trailer in ("Promotion-Id", "Restores")}
    commits = git.log(settings.remote, settings.branch)
    return next((date for _, date, message in commits if wanted & set(message.split("\n"))), "")
