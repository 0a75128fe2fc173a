"""Going back: the last healthy release becomes live again, and the one that was live goes into
quarantine.

Needs the manifest repo and a registry that can be read; Prefect, MLflow and a registry that can be
written to are not asked. Never a `git revert`: the writer sets the entry, and only where it still
names what is to be left.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.adapters.git import git
from flows.gitops import manifest_repo, promotion, quarantine, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops import quarantine as rules
from sluice.gitops.manifest import ImageEntry, commit_message, set_image

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A rollback before it is written: what is left, what is gone back to, why, and what would
    change.
    """

    model: str
    bad: Record
    target: Record
    why: str
    diff: str

    @property
    def name(self) -> str:
        """Names this rollback: the same step from the same release to the same has the same."""
        words = (
            self.model,
            self.bad["digest"],
            self.target["digest"],
            str(self.bad.get("promotion")),
            self.why,
        )
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def plan(settings: Settings, model: str, to: str, why: str) -> Plan:
    """What `sluice rollback --to` would do. Raises UsageError where there is nothing to go back to,
    Quarantined.
    """
    with git.clone(settings.remote, settings.branch) as repo:
        now = _live(manifest_repo.read(settings, model, repo), model)
        bad = dict(now.champion or {})
        target = choose(manifest_repo.champions(settings, repo, model), now, to)
        made = Plan(model, bad, target, why, "")
        return replace(
            made, diff=_diff(repo, _change(settings, made, now, repo, quarantine.present()))
        )


def _live(now: Live, model: str) -> Live:
    if not now.champion:
        raise UsageError(
            f"nothing of {model} is live yet, so there is nothing to go back from",
            "See `sluice status`.",
        )
    if now.by_hand:
        raise SluiceError(
            promotion.held(now).sentence,
            "A rollback takes back what a release wrote, and nothing else.",
        )
    return now


def choose(champions: list[dict[str, Any]], now: Live, to: str) -> dict[str, Any]:
    """The release to go back to: the newest one before the live one that is not in quarantine, or
    the one named.
    """
    live = dict(now.champion or {})
    known = {
        str(one["digest"]): one for one in reversed(champions) if one["digest"] != live["digest"]
    }
    if to != "previous":
        return _named(known, live, now, to)
    before = sorted(
        (one for one in known.values() if one["release"] < live["release"]), key=_number
    )
    healthy = [one for one in before if not rules.barred(now.quarantine, one["digest"])]
    if not healthy:
        kept = f"; the {len(before)} before it are in quarantine" if before else ""
        what = (
            f"there is nothing to go back to: release {live['release']} is the first healthy"
            f" one{kept}"
        )
        raise UsageError(what, "Lift a quarantine, or name another release with --to.")
    return healthy[-1]


def _number(record: Record) -> int:
    return int(record["release"])


def _named(known: Mapping[str, dict[str, Any]], live: Record, now: Live, to: str) -> dict[str, Any]:
    if quarantine.names(to, live):
        raise UsageError(f"{to} is what is live", "Name another release with --to, or `previous`.")
    found = [one for one in known.values() if quarantine.names(to, one)]
    if len(found) != 1:
        there = (
            ", ".join(f"{one['tag']} (release {one['release']})" for one in known.values())
            or "none"
        )
        raise UsageError(
            f"{to!r} names {len(found)} earlier releases of {live['tag']}", f"There are: {there}."
        )
    quarantine.check(now, digest=found[0]["digest"])
    return found[0]


@boundary("rollback.write")
def write(settings: Settings, made: Plan) -> Written:
    """Commit the rollback, if the entry still names what is to be left. Raises Quarantined,
    SluiceError.

    Whoever has told the end of it calls `forget`: until then, running it again must not go one
    further back.
    """
    when = quarantine.present()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, made.model, repo)
        champion = now.champion or {}
        number = int(champion.get("release", 0))
        if champion.get("digest") != made.bad["digest"]:
            known = (
                "already there" if champion.get("digest") == made.target["digest"] else "superseded"
            )
            said = f"release {number} is live by now, not release {made.bad['release']}"
            return Written(known, said, now.tip, number)
        quarantine.check(_live(now, made.model), digest=made.target["digest"])
        return _change(settings, made, now, repo, when)

    _remember(settings, made)
    written = writer.write(settings, settings.branch, decide)
    done = written.outcome in ("committed", "proposed")
    return replace(written, release=int(made.target["release"])) if done else written


def _change(settings: Settings, made: Plan, now: Live, repo: git.Clone, when: str) -> Change:
    path, target, bad = manifest_repo.overlay(settings), made.target, made.bad
    entry = ImageEntry(now.entry.name, target["image"], target["tag"], target["digest"])
    said = {"who": settings.who, "when": when, "why": made.why}
    left = {**{name: bad[name] for name in ("digest", "tag", "release")}, **said}
    files = {
        path: set_image(manifest_repo.text(repo, path), entry, path),
        manifest_repo.state(settings, made.model, "champion"): manifest_repo.encoded(
            {**target, "restored": {"from": bad["tag"], **said}}
        ),
        manifest_repo.state(settings, made.model, "quarantine"): manifest_repo.encoded(
            rules.add(now.quarantine, left)
        ),
    }
    trailers = {
        "Model": made.model,
        "Release": str(target["release"]),
        "Image": f"{entry.new_name}:{entry.tag}",
        "Image-Digest": entry.digest,
        "Rollback-Of": str(bad["digest"]),
        "Quarantined": str(bad["digest"]),
        "Restores": str(target.get("promotion", "none")),
        "Rollback-Id": made.name,
        "By": settings.who,
        "Reason": made.why,
    }
    subject = f"Roll {made.model} back to release {target['release']}: {entry.tag}"
    body = f"{made.why.rstrip('.')}.\nRelease {bad['release']} ({bad['tag']}) goes into quarantine."
    proposed = manifest_repo.branch(settings, "rollback", made.model, entry.tag)
    return Change(files, commit_message(subject, body, trailers), proposed)


def _diff(repo: git.Clone, change: Change) -> str:
    lines: list[str] = []
    for path, (before, after) in writer.changed(repo, change).items():
        lines += difflib.unified_diff(
            before.splitlines(), after.splitlines(), path, path, lineterm=""
        )
    return "\n".join(lines)


@boundary("rollback.begin")
def _remember(settings: Settings, made: Plan) -> None:
    """Say that this rollback has begun: one that was killed must not go one further back when it is
    run again.
    """
    content = {"rollback": made.name, "from": made.bad["tag"], "to": made.target["tag"]}
    write_atomic(_note(settings, made.model), json.dumps(content).encode())


@boundary("rollback.end")
def forget(settings: Settings, model: str) -> None:
    """The rollback that was begun has ended, and whoever asked for it knows."""
    _note(settings, model).unlink(missing_ok=True)


def _note(settings: Settings, model: str) -> Path:
    return settings.home / "rollbacks" / manifest_repo.apart(settings) / f"{model}.json"


def unfinished(settings: Settings, model: str, to: str) -> Written | None:
    """How the rollback ended that was begun and never seen to end; None where it wrote nothing,
    what it wrote holds no longer, or another one is wanted.
    """
    try:
        begun = json.loads(_note(settings, model).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    now = manifest_repo.live(settings, model)
    champion = (now.champion if now else None) or {}
    left = (champion.get("restored") or {}).get("from")
    if now is None or (left, champion.get("tag")) != (begun.get("from"), begun.get("to")):
        return None
    if to != "previous" and not quarantine.names(to, champion):
        return None
    said = f"the rollback from {left} to {champion['tag']} that was interrupted had been committed"
    return Written("already there", said, now.tip, int(champion["release"]))
