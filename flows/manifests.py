"""The manifest repo: what is live, the numbering of releases, and the writer of promotions."""

import hashlib
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.adapters import git
from flows.settings import ROOT, Settings
from sluice import ledger
from sluice.errors import Retryable, SluiceError, UsageError
from sluice.ledger import Use
from sluice.manifest import ImageEntry, champion_state, commit_message, read_image, set_image

LEDGER = "sluice-ledger"
_TRIES = 8
_NO_IMAGE = "sha256:" + "0" * 64  # what the template names before the first release
_TEMPLATE_URL = "https://git.example.com/team/manifests.git"


@dataclass(frozen=True)
class Live:
    """What the manifest repo says: its tip, the entry of the overlay, champion and anchor recorded beside it."""

    tip: str
    entry: ImageEntry
    champion: dict[str, Any] | None
    anchor: dict[str, Any] | None


@dataclass(frozen=True)
class Promotion:
    """What a release wants live: the image entry, the champion it was compared with, its number, facts, trailers."""

    model: str
    entry: ImageEntry
    against: str
    number: int
    facts: Mapping[str, Any]
    subject: str
    body: str
    trailers: Mapping[str, str]


@dataclass(frozen=True)
class Written:
    """How a promotion ended: committed, already there, superseded or held; commit and number of what is live then."""

    outcome: str
    sentence: str
    commit: str = ""
    release: int = 0


def image_name(settings: Settings, model: str) -> str:
    """The image's name where it is kept: SLUICE_REGISTRY in the place of the embedded host."""
    return f"{settings.registry or 'sluice.local'}/{model}"


def seed(settings: Settings) -> None:
    """Make the embedded manifest repo from deploy/argocd, once; a repo of the user's own is never seeded."""
    if settings.manifests or (settings.home / "manifests.git" / "HEAD").exists():
        return
    template = ROOT / "deploy" / "argocd"
    url = git.address(settings.manifest_url)
    files = {path.relative_to(template).as_posix(): path.read_bytes().replace(_TEMPLATE_URL.encode(), url.encode())
             for path in sorted(template.rglob("*")) if path.is_file()}  # fmt: skip
    message = "Start from the template\n\nWhat Argo CD applies before the first release.\n"
    git.seed(settings.home / "manifests.git", files, settings.branch, message, settings.author)


def live(settings: Settings, model: str) -> Live | None:
    """What is live now; None where the embedded repo does not exist yet."""
    if not settings.manifests and not (settings.home / "manifests.git" / "HEAD").exists():
        return None
    with git.clone(settings.manifest_url, settings.branch) as repo:
        return _read(settings, model, repo)


def _overlay(settings: Settings) -> str:
    return f"overlays/{settings.overlay}/kustomization.yaml"


def _state(model: str, name: str) -> str:
    return f"state/{model}/{name}.json"


def _read(settings: Settings, model: str, repo: git.Clone) -> Live:
    path = repo.path / _overlay(settings)
    if not path.is_file():
        raise UsageError(
            f"the manifest repo has no {_overlay(settings)} on branch {settings.branch}",
            "Copy deploy/argocd into it, or set SLUICE_MANIFESTS, SLUICE_BRANCH and SLUICE_OVERLAY.",
        )
    entry = read_image(path.read_text(encoding="utf-8"), f"sluice.local/{model}", _overlay(settings))
    champion, anchor = (_state_of(repo, model, name) for name in ("champion", "anchor"))
    return Live(repo.tip, entry, champion, anchor)


def _state_of(repo: git.Clone, model: str, name: str) -> dict[str, Any] | None:
    path = repo.path / _state(model, name)
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = {"tag", "digest", "image", "release", "model"} - set(found)
    except (ValueError, TypeError) as error:
        raise SluiceError(f"{_state(model, name)} is not JSON: {error}", "Restore it from the history.") from None
    if missing:
        raise SluiceError(f"{_state(model, name)} lacks {', '.join(sorted(missing))}", "Restore it from the history.")
    return found


def since(settings: Settings, champion: Mapping[str, Any]) -> str:
    """When the champion was committed, ISO 8601; empty where that lies too far back to be looked up quickly."""
    wanted = f"Promotion-Id: {champion.get('promotion')}"
    commits = git.log(settings.manifest_url, settings.branch)
    return next((date for _, date, message in commits if wanted in message.split("\n")), "")


def promote(settings: Settings, promotion: Promotion) -> Written:
    """Write one entry and the state beside it in one commit, deciding anew from the new tip after a lost race."""
    for attempt in range(_TRIES):
        _wait(attempt)
        with git.clone(settings.manifest_url, settings.branch) as repo:
            written = _decide(promotion, _read(settings, promotion.model, repo))
            if written:
                return written
            commit = _write(settings, promotion, repo)
            try:
                git.push(repo)
            except git.LostRace:
                continue
        _read_back(settings, promotion)
        return Written("committed", f"committed {commit[:12]} to {settings.branch}", commit, promotion.number)
    raise Retryable(f"lost {_TRIES} races for branch {settings.branch}", "Run the release again.")


def _wait(attempt: int) -> None:
    """Before a try after a lost race: longer each time and never twice the same, so that two do not meet again."""
    if attempt:
        time.sleep(random.SystemRandom().uniform(0.05, 0.1) * 2**attempt)


def _decide(promotion: Promotion, now: Live) -> Written | None:
    """The outcome that the tip itself dictates, or None where there is something to write."""
    champion = now.champion or {}
    number = int(champion.get("release", 0))
    if now.entry == promotion.entry and champion.get("digest") == promotion.entry.digest:
        return Written("already there", "the manifest repo already names this image", now.tip, number)
    written = _written(now, promotion.entry.name)
    if now.entry != written and not (written is None and now.entry.digest == _NO_IMAGE):
        back = f"set it back to {written.reference if written else f'a digest of {_NO_IMAGE}'} to let releases write"
        return Written("held", f"a person set {now.entry.reference}, which no release wrote; {back}")
    if number > promotion.number:
        return Written("superseded", f"release {number} is live, newer than release {promotion.number}")
    if champion.get("tag", "") != promotion.against:
        said = f"the champion is {champion.get('tag') or 'none'} by now, not {promotion.against or 'none'}"
        return Written("superseded", said)
    return None


def _written(now: Live, name: str) -> ImageEntry | None:
    """The entry as the last release left it; None where there was no release."""
    champion = now.champion
    return ImageEntry(name, champion["image"], champion["tag"], champion["digest"]) if champion else None


def _write(settings: Settings, promotion: Promotion, repo: git.Clone) -> str:
    overlay = repo.path / _overlay(settings)
    text = overlay.read_bytes().decode("utf-8")
    overlay.write_bytes(set_image(text, promotion.entry, _overlay(settings)).encode("utf-8"))
    facts = {**promotion.facts, "release": promotion.number}
    _write_state(repo, promotion.model, "champion", champion_state(promotion.entry, facts))
    if not (repo.path / _state(promotion.model, "anchor")).is_file():
        reason = {"reason": "the first release"}
        kept = {name: facts[name] for name in ("model", "release", "recall", "precision")}
        _write_state(repo, promotion.model, "anchor", champion_state(promotion.entry, {**kept, **reason}))
    return git.commit(repo, commit_message(promotion.subject, promotion.body, promotion.trailers), settings.author)


def _write_state(repo: git.Clone, model: str, name: str, text: str) -> None:
    path = repo.path / _state(model, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _read_back(settings: Settings, promotion: Promotion) -> None:
    """Believe what the remote says, not that the push ended well."""
    now = live(settings, promotion.model)
    if now is None or (now.champion or {}).get("release", 0) < promotion.number:
        raise Retryable("the manifest repo does not show the commit that was pushed", "Run the release again.")


def promotion_id(model: str, entry: ImageEntry, number: int) -> str:
    """Names a promotion: the same release of the same image has the same."""
    return hashlib.sha256(f"{model}\0{entry.reference}\0{number}".encode()).hexdigest()[:16]


def reserve(settings: Settings, model: str, use: Use) -> tuple[int, int]:
    """The number of this release, and how often its holdout decided before; written before anything is scored.

    A candidate that holds the newest number keeps it, so a release that was killed neither counts nor spends twice.
    """
    for attempt in range(_TRIES):
        _wait(attempt)
        with git.clone(settings.manifest_url, LEDGER) as repo:
            before = _ledger(repo, model)
            after, number, uses = ledger.reserve(before, use)
            if after == before:
                return number, uses
            path = repo.path / f"{model}.json"
            path.write_text(json.dumps(after, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            said = f"Reserve release {number} of {model}\n\nCandidate {use.candidate}, use {uses + 1} of its holdout.\n"
            git.commit(repo, said, settings.author)
            try:
                git.push(repo)
            except git.LostRace:
                continue
        return number, uses
    raise Retryable(f"lost {_TRIES} races for branch {LEDGER}", "Run the release again.")


def peek(settings: Settings, model: str, use: Use) -> int:
    """How often the holdout would have decided before this use; nothing is written, nothing is spent."""
    with git.clone(settings.manifest_url, LEDGER) as repo:
        return ledger.reserve(_ledger(repo, model), use)[2]


def _ledger(repo: git.Clone, model: str) -> dict[str, Any]:
    path = repo.path / f"{model}.json"
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
