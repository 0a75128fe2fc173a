"""Going back: the last healthy release becomes live again, and the one that was live goes into
quarantine.

Needs the manifest repo and a registry that can be read; Prefect, MLflow and a registry that can be
written to are not asked. Never a `git revert`: the writer sets the entry, and only where it still
names what is to be left.
"""

import datetime
import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import UnsetType

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.adapters.git import git
from flows.gitops import manifest_repo, promotion, quarantine, smoke_released, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops import quarantine as rules
from sluice.gitops import state, trailers, way_back
from sluice.gitops.manifest import ImageEntry, set_image
from sluice.gitops.state import Barred, Champion, Restored

PREVIOUS = "previous"


@dataclass(frozen=True)
class Request:
    """What is asked for: `to` is `previous`, or the tag or digest of a release. A dry run writes
    nothing.
    """

    model: str
    to: str
    why: str
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """A rollback before it is written: what is left, what is gone back to, why, and what would
    change, as a unified diff.

    `canary` says how the canary ended that is taken back, and is empty where a person goes back.
    What is left goes into quarantine, or is parked where that is no fault of the model (`parks`).
    """

    model: str
    bad: Champion
    target: Champion
    why: str
    diff: str
    canary: str = ""
    parks: bool = False

    @property
    def proof(self) -> str:
        """What is known of how the release ran that is gone back to, in a sentence."""
        return way_back.proof(self.target)

    @property
    def name(self) -> str:
        """Names this rollback: the same step from the same release to the same has the same."""
        words = (
            self.model,
            self.bad.digest,
            self.target.digest,
            self.bad.promotion,
            self.why,
        )
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Report:
    """Who is told: of the plan before anything is done, and of the end, with the plan if there was
    one.
    """

    planned: Callable[[Plan], None]
    ended: Callable[[Written, Plan | None], None]


class _Begun(msgspec.Struct, frozen=True):
    """A rollback that was begun on this machine: its name, and the tags."""

    rollback: str
    left: str = msgspec.field(name="from")
    to: str


# Starts the image of a release and compares its answers; raises SluiceError where they differ.
Start = Callable[[Settings, Champion], object]


def roll_back(settings: Settings, request: Request, start: Start | None, report: Report) -> Written:
    """Go back, and say how it ended; `start` is None where the image is not to be started.

    Raises UsageError where there is nothing to go back to, Quarantined, and SluiceError where the
    image is not there or does not answer as it did.
    """
    begun = unfinished(settings, request.model, request.to)
    if begun:
        return _end(settings, request, begun, None, report)
    made = plan(settings, request)
    report.planned(made)
    smoke_released.find(settings, made.target)
    if request.dry_run:
        written = _dry_run(made)
        report.ended(written, made)
        return written
    if start is not None:
        start(settings, made.target)
    return _end(settings, request, write(settings, made), made, report)


def _dry_run(made: Plan) -> Written:
    target = made.target
    sentence = f"release {target.release} ({target.tag}) would be live; nothing was written"
    return Written("dry run", sentence, release=target.release)


def _end(
    settings: Settings, request: Request, written: Written, made: Plan | None, report: Report
) -> Written:
    """Tell it first: somebody who was told nothing runs it again, and must not go one further back
    by that.
    """
    report.ended(written, made)
    forget(settings, request.model)
    return written


def plan(settings: Settings, request: Request) -> Plan:
    """What a rollback would do. Raises UsageError where there is nothing to go back to,
    Quarantined.
    """
    model = request.model
    manifest_repo.require(settings)
    with git.clone(settings.remote, settings.branch) as repo:
        now = manifest_repo.read(settings, model, repo)
        bad = _require_live(now, model)
        target = choose(manifest_repo.champions(settings, repo, model), now, request.to)
        made = Plan(model, bad, target, request.why, "")
        return replace(made, diff=diff(settings, made, now, repo))


def diff(settings: Settings, made: Plan, now: Live, repo: git.Clone) -> str:
    """What a plan would change in a clone, as a unified diff."""
    return _diff(repo, _change(settings, made, now, repo, quarantine.moment_now()))


def _require_live(now: Live, model: str) -> Champion:
    """The champion, if it is what the entry names."""
    if now.champion is None:
        raise UsageError(
            f"nothing of {model} is live yet, so there is nothing to go back from",
            f"See `sluice status {model}`.",
        )
    if now.by_hand:
        raise SluiceError(
            promotion.held(now).sentence,
            "A rollback takes back what a release wrote, and nothing else.",
        )
    return now.champion


def choose(champions: Sequence[Champion], now: Live, to: str) -> Champion:
    """The release to go back to: of those before the live one that are not in quarantine the newest
    that ran everywhere, as far as git says so of any, else the newest; or the one named.
    `champions` are the newest first.
    """
    live = now.champion
    assert live is not None
    known = way_back.others(champions, live)
    if to != PREVIOUS:
        return _named(known, live, now, to)
    before = way_back.before(known.values(), live)
    target = way_back.best(way_back.free(before, now.quarantine), now.parked)
    if target is None:
        barred = f"; the {len(before)} before it are in quarantine or parked" if before else ""
        raise UsageError(
            f"there is nothing to go back to: release {live.release} is the first healthy"
            f" one{barred}",
            "Lift a quarantine, or name another release with --to.",
        )
    return target


def _named(known: Mapping[str, Champion], live: Champion, now: Live, to: str) -> Champion:
    """The earlier release that a person names; `known` are the releases by digest."""
    if quarantine.names(to, live):
        raise UsageError(
            f"{to} is what is live", f"Name another release with --to, or `{PREVIOUS}`."
        )
    matching = [one for one in known.values() if quarantine.names(to, one)]
    if len(matching) != 1:
        listed = ", ".join(f"{one.tag} (release {one.release})" for one in known.values())
        raise UsageError(
            f"{to!r} names {len(matching)} earlier releases of {live.tag}",
            f"There are: {listed or 'none'}.",
        )
    [release] = matching
    quarantine.check(now, digest=release.digest)
    return release


@boundary("rollback.write")
def write(settings: Settings, made: Plan) -> Written:
    """Commit the rollback, if the entry still names what is to be left. Raises Quarantined,
    SluiceError.

    Whoever has told the end of it calls `forget`: until then, running it again must not go one
    further back.
    """
    _remember(settings, made)
    return restore(settings, made)


def restore(settings: Settings, made: Plan) -> Written:
    """The same for what may be written again and again, because it names what is to be left."""
    now_is = quarantine.moment_now()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, made.model, repo)
        overtaken = _overtaken(made, now)
        if overtaken:
            return overtaken
        _require_live(now, made.model)
        quarantine.check(now, digest=made.target.digest)
        return _change(settings, made, now, repo, now_is)

    written = writer.write(settings, settings.branch, decide)
    if written.outcome in ("committed", "proposed"):
        return replace(written, release=made.target.release)
    return written


def _overtaken(made: Plan, now: Live) -> Written | None:
    """The end where another release than the one that is to be left is live by now."""
    digest = now.champion.digest if now.champion else ""
    if digest == made.bad.digest:
        return None
    outcome = "already there" if digest == made.target.digest else "superseded"
    sentence = f"release {now.release} is live by now, not release {made.bad.release}"
    return Written(outcome, sentence, now.tip, now.release)


def _change(
    settings: Settings, made: Plan, now: Live, repo: git.Clone, moment: datetime.datetime
) -> Change:
    """The entry, the champion, and the quarantine or what is parked in one commit."""
    model, target = made.model, made.target
    when = quarantine.stamp(moment)
    path = manifest_repo.overlay(settings, repo, model)
    entry = ImageEntry(now.entry.name, target.image, target.tag, target.digest)
    restored = Restored(left=made.bad.tag, who=settings.who, when=when, why=made.why)
    champion = msgspec.structs.replace(target, restored=restored)
    files = {
        path: set_image(manifest_repo.text(repo, path), entry, path),
        manifest_repo.state(settings, model, "champion"): state.encode(champion),
    }
    if made.parks:
        left = quarantine.Image(made.bad.digest, made.bad.tag, made.bad.release)
        parked = quarantine.parked(now.parked, left, made.why, moment)
        files[manifest_repo.state(settings, model, "parked")] = state.encode(parked)
    else:
        barred = rules.add(now.quarantine, _barred(settings, made, when))
        files[manifest_repo.state(settings, model, "quarantine")] = state.encode(barred)
    branch = manifest_repo.branch(settings, "rollback", model, entry.tag)
    return Change(files, _message(settings, made, entry), branch)


def _barred(settings: Settings, made: Plan, when: str) -> Barred:
    """The quarantine of the release that is left."""
    return Barred(
        digest=made.bad.digest,
        tag=made.bad.tag,
        release=made.bad.release,
        who=settings.who,
        when=when,
        why=made.why,
    )


def _message(settings: Settings, made: Plan, entry: ImageEntry) -> str:
    bad, target = made.bad, made.target
    record = trailers.Rollback(
        model=made.model,
        release=target.release,
        image=f"{entry.new_name}:{entry.tag}",
        image_digest=entry.digest,
        rollback_of=bad.digest,
        quarantined="" if made.parks else bad.digest,
        parked=bad.digest if made.parks else "",
        restores=target.promotion or "none",
        rollback_id=made.name,
        canary=made.canary,
        by=settings.who,
        reason=made.why,
    )
    subject = f"Roll {made.model} back to release {target.release}: {entry.tag}"
    goes = "is parked, and tried again later" if made.parks else "goes into quarantine"
    body = f"{made.why.rstrip('.')}.\nRelease {bad.release} ({bad.tag}) {goes}."
    return trailers.commit_message(subject, body, trailers.pairs(record))


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
    begun = _Begun(rollback=made.name, left=made.bad.tag, to=made.target.tag)
    write_atomic(_note(settings, made.model), msgspec.json.encode(begun))


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
    begun = _begun(settings, model)
    if begun is None:
        return None
    now = manifest_repo.live(settings, model)
    if now is None or now.champion is None or isinstance(now.champion.restored, UnsetType):
        return None
    champion, left = now.champion, now.champion.restored.left
    if (left, champion.tag) != (begun.left, begun.to):
        return None
    if to != PREVIOUS and not quarantine.names(to, champion):
        return None
    sentence = f"the rollback from {left} to {champion.tag} that was interrupted had been committed"
    return Written("already there", sentence, now.tip, champion.release)


def _begun(settings: Settings, model: str) -> _Begun | None:
    """What `_remember` wrote; None where it wrote nothing, or not all of it."""
    try:
        return msgspec.json.decode(_note(settings, model).read_bytes(), type=_Begun)
    except (FileNotFoundError, ValueError, RecursionError):
        return None
