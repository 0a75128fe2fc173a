"""Digests that no release writes: put there and lifted by a person or by a rollback, in the
manifest repo itself.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops import quarantine as rules
from sluice.gitops.manifest import commit_message


class Quarantined(Refused):
    """The candidate is in quarantine."""


def check(live: Live | None, digest: str = "", tag: str = "") -> None:
    """Refuse what is in quarantine, as soon as its tag or digest is known. Raises Quarantined."""
    if live and (entry := rules.barred(live.quarantine, digest, tag)):
        raise Quarantined(
            rules.reason(entry), "Release another candidate, or lift the quarantine with a reason."
        )


def stamp(moment: datetime.datetime) -> str:
    """A moment as state files have it: UTC, to the second, ISO 8601."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")


def present() -> str:
    """Now, as state files have it."""
    return stamp(datetime.datetime.now(datetime.UTC))


def parked(
    document: Mapping[str, Any], digest: str, tag: str, why: str, now: datetime.datetime
) -> dict[str, Any]:
    """The parked digests with this one parked once more, for longer each time; for
    `state/<model>/parked.json`.
    """
    until = now + datetime.timedelta(minutes=rules.pause(document, digest))
    return rules.park(document, digest, tag, why, stamp(now), stamp(until))


@boundary("quarantine.add")
def add(settings: Settings, model: str, wanted: str, why: str) -> Written:
    """Put a digest (or the release that a tag, a digest or the beginning of one names) into
    quarantine.
    """
    when = present()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        found = named(settings, model, repo, wanted)
        if entry := rules.barred(now.quarantine, found["digest"]):
            return Written("already there", rules.reason(entry))
        entry = {**found, "who": settings.who, "when": when, "why": why}
        document = rules.add(now.quarantine, entry)
        return _change(
            settings, model, document, found, "Quarantine", {"Quarantined": found["digest"]}, why
        )

    return writer.write(settings, settings.branch, decide)


def lift(settings: Settings, model: str, wanted: str, why: str) -> Written:
    """Let releases write a digest again; that it was in quarantine, and who lifted it and why,
    stays there.
    """
    when = present()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        matching = [entry for entry in rules.entries(now.quarantine) if names(wanted, entry)]
        if not matching:
            raise UsageError(f"{wanted} is in no quarantine", "See `sluice quarantine`.")
        open_ = [entry for entry in matching if not entry["lifted"]]
        if not open_:
            lifted = matching[-1]["lifted"]
            return Written(
                "already there", f"lifted since {lifted['when']} because {lifted['why']}"
            )
        if len({entry["digest"] for entry in open_}) > 1:
            raise UsageError(
                f"{wanted} begins more than one digest in quarantine", "Write more of it."
            )
        [found, *_] = open_
        document = rules.lift(now.quarantine, found["digest"], settings.who, when, why)
        return _change(
            settings,
            model,
            document,
            found,
            "Lift the quarantine of",
            {"Lifted": found["digest"]},
            why,
        )

    return writer.write(settings, settings.branch, decide)


def _change(
    settings: Settings,
    model: str,
    document: Mapping[str, Any],
    found: Mapping[str, Any],
    verb: str,
    trailers: Mapping[str, str],
    why: str,
) -> Change:
    word = found["tag"] or found["digest"][7:19]
    named = {
        "Model": model,
        "Image-Digest": str(found["digest"]),
        **trailers,
        "By": settings.who,
        "Reason": why,
    }
    message = commit_message(f"{verb} {word} of {model}", f"{why.rstrip('.')}.", named)
    path = manifest_repo.state(settings, model, "quarantine")
    return Change({path: manifest_repo.encoded(document)}, message, f"quarantine/{model}/{word}")


def listed(settings: Settings, model: str) -> list[dict[str, Any]]:
    """Everything that was ever in quarantine, the oldest first."""
    now = manifest_repo.live(settings, model)
    return rules.entries(now.quarantine) if now else []


def named(settings: Settings, model: str, repo: git.Clone, wanted: str) -> dict[str, Any]:
    """Digest, tag and number of what a person names: a release of the history, a tag in the
    registry, a whole digest.

    Raises UsageError where it names nothing, or more than one thing.
    """
    history = reversed(manifest_repo.champions(settings, repo, model))
    found = {str(one["digest"]): one for one in history if names(wanted, one)}
    if len(found) > 1:
        raise UsageError(f"{wanted} names {len(found)} releases of {model}", "Write more of it.")
    for one in found.values():
        return {name: one[name] for name in ("digest", "tag", "release")}
    if rules.is_digest(wanted):
        return {"digest": wanted, "tag": "", "release": 0}
    place = registry.place(manifest_repo.image_name(settings, model), settings.home / "registry")
    digest = registry.digest(place, wanted) if rules.is_tag(wanted) else None
    if digest is None:
        fix = "Name a tag or a digest: see `sluice images`."
        raise UsageError(
            f"{wanted!r} is no release of {model}, and no image of it in the registry", fix
        )
    return {"digest": digest, "tag": wanted, "release": 0}


def names(wanted: str, record: Mapping[str, Any]) -> bool:
    """Whether a person means this record: by tag, by digest, or by at least seven characters of its
    beginning.
    """
    if wanted in (record["tag"], record["digest"]):
        return True
    start = wanted.removeprefix("sha256:")
    return len(start) >= 7 and (
        str(record["digest"]).startswith(f"sha256:{start}") or record["tag"].startswith(start)
    )
