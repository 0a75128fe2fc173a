"""A promotion: one entry and the state beside it in one commit, or the outcome that the tip of the
branch dictates.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops import manifest_repo, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.quarantine import present
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.gitops import quarantine
from sluice.gitops.manifest import ImageEntry, champion_state, commit_message, set_image


@dataclass(frozen=True)
class Promotion:
    """What a release wants live: the image entry, the champion it was compared with, its number,
    facts, trailers.
    """

    model: str
    entry: ImageEntry
    against: str
    number: int
    facts: Mapping[str, Any]
    subject: str
    body: str
    trailers: Mapping[str, str]


@boundary("promotion.write")
def promote(settings: Settings, promotion: Promotion, now: str = "") -> Written:
    """Write the promotion, deciding anew from the new tip after a lost race; `now` is the present
    unless told.
    """
    moment = now or present()

    def decide(repo: git.Clone) -> Change | Written:
        there = manifest_repo.read(settings, promotion.model, repo)
        return dictated(promotion, there, moment) or _change(settings, promotion, there, repo)

    written = writer.write(settings, settings.branch, decide)
    return (
        replace(written, release=promotion.number)
        if written.outcome in ("committed", "proposed")
        else written
    )


def dictated(promotion: Promotion, now: Live, moment: str) -> Written | None:
    """The outcome that the tip itself dictates, or None where there is something to write."""
    champion = now.champion or {}
    number = int(champion.get("release", 0))
    if now.entry == promotion.entry and champion.get("digest") == promotion.entry.digest:
        return Written(
            "already there", "the manifest repo already names this image", now.tip, number
        )
    if entry := quarantine.barred(now.quarantine, promotion.entry.digest, promotion.entry.tag):
        return Written("quarantined", quarantine.reason(entry), release=number)
    if now.by_hand:
        return held(now)
    if number > promotion.number:
        return Written(
            "superseded", f"release {number} is live, newer than release {promotion.number}"
        )
    if champion.get("tag", "") != promotion.against and not _sibling(promotion, champion):
        said = (
            f"the champion is {champion.get('tag') or 'none'} by now, not"
            f" {promotion.against or 'none'}"
        )
        return Written("superseded", said)
    if waiting := quarantine.waiting(now.parked, promotion.entry.digest, moment):
        return Written("parked", quarantine.waits(waiting), release=number)
    return None


def _sibling(promotion: Promotion, champion: Mapping[str, Any]) -> bool:
    """Whether the champion was compared with the same one as this promotion: then the higher number
    wins.
    """
    return bool(champion) and (champion.get("against") or {}).get("tag", "") == promotion.against


def held(now: Live) -> Written:
    """A person wrote the entry: what they wrote, and how to let releases write again."""
    back = now.released.reference if now.released else f"a digest of {manifest_repo.NO_IMAGE}"
    said = (
        f"a person set {now.entry.reference}, which no release wrote; set it back to {back} to let"
        " releases write"
    )
    return Written("held", said)


def _change(settings: Settings, promotion: Promotion, now: Live, repo: git.Clone) -> Change:
    path = manifest_repo.overlay(settings)
    facts = {**promotion.facts, "release": promotion.number}
    files = {
        path: set_image(manifest_repo.text(repo, path), promotion.entry, path),
        manifest_repo.state(settings, promotion.model, "champion"): champion_state(
            promotion.entry, facts
        ),
    }
    if not now.anchor:
        kept = {name: facts[name] for name in ("model", "release", "recall", "precision")}
        first = champion_state(promotion.entry, {**kept, "reason": "the first release"})
        files[manifest_repo.state(settings, promotion.model, "anchor")] = first
    message = commit_message(promotion.subject, promotion.body, promotion.trailers)
    return Change(
        files,
        message,
        manifest_repo.branch(settings, "release", promotion.model, promotion.entry.tag),
    )


def promotion_id(model: str, entry: ImageEntry, number: int, apart: str = "") -> str:
    """Names a promotion: the same release of the same image to the same overlay has the same."""
    return hashlib.sha256(f"{apart}{model}\0{entry.reference}\0{number}".encode()).hexdigest()[:16]
