"""Digests that no release writes: put there and lifted by a person or by a rollback, in the
manifest repo itself.
"""

import datetime
from dataclasses import dataclass

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops import quarantine as rules
from sluice.gitops import state, trailers
from sluice.gitops.state import Barred, Champion, Lifted, Parked, Quarantine
from sluice.moment import when

_LEAST = 7  # characters of a tag or digest that a person has to write
_SHOWN = 12  # characters of a digest that stand for it in a subject


class Quarantined(Refused):
    """The candidate is in quarantine."""


@dataclass(frozen=True)
class Image:
    """An image by digest; `tag` is empty where it is not known, `release` 0 where it had none."""

    digest: str
    tag: str = ""
    release: int = 0

    @property
    def word(self) -> str:
        """What it is called in a subject and in the name of a branch."""
        return self.tag or self.digest.removeprefix("sha256:")[:_SHOWN]


def check(live: Live | None, digest: str = "", tag: str = "") -> None:
    """Refuse what is in quarantine, as soon as its tag or digest is known. Raises Quarantined."""
    if live is None:
        return
    entry = rules.barred(live.quarantine, digest, tag)
    if entry:
        raise Quarantined(
            rules.reason(entry), "Release another candidate, or lift the quarantine with a reason."
        )


def stamp(moment: datetime.datetime) -> str:
    """A moment as state files have it: UTC, to the second, ISO 8601."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")


def moment_now() -> datetime.datetime:
    """Now, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def present() -> str:
    """Now, as state files have it."""
    return stamp(moment_now())


def parked(before: Parked, image: Image, why: str, now: datetime.datetime) -> Parked:
    """The parked digests with this one parked once more, for longer each time; for
    `state/<model>/parked.json`.
    """
    until = now + datetime.timedelta(minutes=rules.pause(before, image.digest))
    failure = rules.Failure(image.digest, image.tag, why, stamp(now), stamp(until))
    return rules.park(before, failure)


@boundary("quarantine.add")
def add(settings: Settings, model: str, wanted: str, why: str) -> Written:
    """Put a digest (or the release that a tag, a digest or the beginning of one names) into
    quarantine. Raises UsageError where that names nothing, or more than one thing.
    """
    when = present()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        image = named(settings, model, repo, wanted)
        barred = rules.barred(now.quarantine, image.digest)
        if barred:
            return Written("already there", rules.reason(barred))
        entry = Barred(
            digest=image.digest,
            tag=image.tag,
            release=image.release,
            who=settings.who,
            when=when,
            why=why,
        )
        record = trailers.QuarantineChange(
            model=model,
            image_digest=image.digest,
            quarantined=image.digest,
            by=settings.who,
            reason=why,
        )
        subject = f"Quarantine {image.word} of {model}"
        return _change(settings, rules.add(now.quarantine, entry), record, subject, image)

    return writer.write(settings, settings.branch, decide)


def lift(settings: Settings, model: str, wanted: str, why: str) -> Written:
    """Let releases write a digest again; that it was in quarantine, and who lifted it and why,
    stays there. Raises UsageError where nothing or more than one thing of that name is barred.
    """
    lifted = Lifted(settings.who, present(), why)

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        entry = _newest_match(now.quarantine, wanted)
        if entry.lifted:
            before = entry.lifted
            return Written(
                "already there", f"lifted since {when(before.when)} because {before.why}"
            )
        image = Image(entry.digest, entry.tag, entry.release)
        record = trailers.QuarantineChange(
            model=model,
            image_digest=image.digest,
            lifted=image.digest,
            by=settings.who,
            reason=why,
        )
        subject = f"Lift the quarantine of {image.word} of {model}"
        after = rules.lift(now.quarantine, image.digest, lifted)
        return _change(settings, after, record, subject, image)

    return writer.write(settings, settings.branch, decide)


def _newest_match(quarantine: Quarantine, wanted: str) -> Barred:
    """The entry that a person means: one that is in force, else the newest that was lifted."""
    matching = [entry for entry in quarantine.entries if names(wanted, entry)]
    if not matching:
        raise UsageError(f"{wanted} is in no quarantine", "See `sluice quarantine`.")
    in_force = [entry for entry in matching if entry.lifted is None]
    if not in_force:
        return matching[-1]
    if len({entry.digest for entry in in_force}) > 1:
        raise UsageError(f"{wanted} begins more than one digest in quarantine", "Write more of it.")
    return in_force[0]


def _change(
    settings: Settings,
    quarantine: Quarantine,
    record: trailers.QuarantineChange,
    subject: str,
    image: Image,
) -> Change:
    body = f"{record.reason.rstrip('.')}."
    message = trailers.commit_message(subject, body, trailers.pairs(record))
    path = manifest_repo.state(settings, record.model, "quarantine")
    branch = f"quarantine/{record.model}/{image.word}"
    return Change({path: state.encode(quarantine)}, message, branch)


def listed(settings: Settings, model: str) -> tuple[Barred, ...]:
    """Everything that was ever in quarantine, the oldest first."""
    now = manifest_repo.live(settings, model)
    return now.quarantine.entries if now else ()


def named(settings: Settings, model: str, repo: git.Clone, wanted: str) -> Image:
    """What a person names: a release of the history, a tag in the registry, a whole digest.

    Raises UsageError where it names nothing, or more than one thing.
    """
    champions = manifest_repo.champions(settings, repo, model)
    releases = {one.digest: one for one in reversed(champions) if names(wanted, one)}
    if len(releases) > 1:
        raise UsageError(f"{wanted} names {len(releases)} releases of {model}", "Write more of it.")
    for release in releases.values():
        return Image(release.digest, release.tag, release.release)
    if rules.is_digest(wanted):
        return Image(wanted)
    place = manifest_repo.images(settings, model)
    digest = registry.digest(place, wanted) if rules.is_tag(wanted) else None
    if digest is None:
        raise UsageError(
            f"{wanted!r} is no release of {model}, and no image of it in the registry",
            f"Name a tag or a digest: see `sluice images {model}`.",
        )
    return Image(digest, wanted)


def names(wanted: str, record: Champion | Barred) -> bool:
    """Whether a person means this record: by tag, by digest, or by at least seven characters of its
    beginning.
    """
    if wanted in (record.tag, record.digest):
        return True
    start = wanted.removeprefix("sha256:")
    if len(start) < _LEAST:
        return False
    return record.digest.startswith(f"sha256:{start}") or record.tag.startswith(start)
