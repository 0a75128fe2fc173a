"""What happened to the models of a manifest repo, read from its commits: releases, rollbacks,
quarantine, edits.

A commit says what it is by its trailers; where it has none, what it changed says it. So a rollback
that was typed by hand is told as well as one that was written for a person.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.gitops import trailers
from sluice.gitops.trailers import Trailers

KINDS = (
    "start",
    "release",
    "rollback",
    "quarantine",
    "lift",
    "anchor",
    "canary",
    "edit",
    "verdict",
    "reserved",
)
_VERDICTS = ("PROMOTE", "HOLD", "REJECT", "INSUFFICIENT")
_ENTRY_FIELDS = ("newName", "newTag", "digest")
_VALUE = re.compile(r"""^\s*(?:-\s+)?"?(\w+)"?:\s*["']?([^"',\s]+)["']?,?\s*$""")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MEASURED = re.compile(r"(recall|precision|skill) (\d\.\d+) \[(\d\.\d+), (\d\.\d+)\]")
_STATE = re.compile(r"state/([^/]+)/([^/]+)")
_OVERLAY = re.compile(r"overlays/([^/]+)/")

# The lines that a commit took out of a file, and those that it put in.
Change = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True)
class Commit:
    """A commit as git has it; `changes` maps a path to the lines that went and those that came. A
    merge has parents.
    """

    sha: str
    date: str
    author: str
    committer: str
    message: str
    changes: Mapping[str, Change] = field(default_factory=dict)
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """One thing that happened. Empty texts and 0 where a commit does not tell.

    kind       one of KINDS; `start` is the first commit, `verdict` a release that left none,
               `reserved` the number that it took
    digest     what is live from here on (release, rollback, edit), or what the quarantine is about
    before     the digest that was live until then
    approved   who merged it, where it was proposed on a branch; its date is that of the merge then
    overlay    the other overlay in which it moved the image; empty for the one that is looked at
    """

    kind: str
    commit: str
    date: str
    who: str
    subject: str
    body: str = ""
    model: str = ""
    release: int = 0
    tag: str = ""
    digest: str = ""
    before: str = ""
    verdict: str = ""
    outcome: str = ""
    reason: str = ""
    data: str = ""
    approved: str = ""
    overlay: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def fields(self) -> Trailers:
        """The trailers by their declared names."""
        return trailers.known(self.trailers)

    @property
    def moves(self) -> bool:
        """Whether another image is live from here on, in the overlay that is looked at."""
        return (
            self.kind in ("release", "rollback", "edit") and bool(self.digest) and not self.overlay
        )


def read(
    commits: Iterable[Commit], merges: Iterable[Commit] = (), overlay: str = "production"
) -> list[Event]:
    """The events of these commits (oldest first), oldest first; commits that touch no image and no
    state are none.

    What is live is told of one overlay; what moved another says so.

    A person's edit has no trailers: which model it is about is known from the digests that were
    seen before. A merge of what a release proposed is no event of its own: it is when that was
    approved, and by whom.
    """
    events: list[Event] = []
    seen: dict[str, Event] = {}
    merged = {merge.parents[1]: merge for merge in merges if len(merge.parents) > 1}
    proposals: set[str] = set()
    for commit in commits:
        if proposals.intersection(commit.parents[1:]):
            continue
        event = _event(commit, seen, overlay)
        if event is None:
            continue
        merge = merged.get(commit.sha)
        if merge is not None and event.kind != "edit":
            proposals.add(commit.sha)
            event = replace(event, approved=merge.author, date=merge.date)
        if event.kind == "edit" and not events:
            event = replace(event, kind="start")
        events.append(event)
        if event.kind == "release":
            seen[event.digest] = event
    return events


def _event(commit: Commit, seen: Mapping[str, Event], overlay: str) -> Event | None:
    subject, _, rest = commit.message.strip().partition("\n")
    parsed = trailers.parsed(commit.message)
    raw = parsed.trailers
    named = trailers.known(raw)
    elsewhere = _elsewhere(commit, overlay)
    before, after = _entry(commit, elsewhere or overlay)
    kind = _kind(commit, named, has_entry=bool(before or after))
    if kind == "edit" and not commit.changes:
        return None
    digest = named.image_digest or after.get("digest") or _quarantined(commit, named)
    left = named.rollback_of or before.get("digest", "")
    release = seen.get(digest)
    about = release or seen.get(left)
    return Event(
        kind,
        commit.sha,
        commit.date,
        named.by or commit.author,
        subject,
        parsed.before.partition("\n")[2].strip(),
        model=named.model or _model(commit) or (about.model if about else ""),
        release=named.release or (release.release if release else 0),
        tag=_tag(named, after) or (release.tag if release else ""),
        digest=digest,
        before=left if _DIGEST.fullmatch(left) else "",
        verdict=named.verdict or _body_verdict(rest),
        outcome=named.canary,
        reason=named.reason,
        overlay=elsewhere,
        data=named.data_hash,
        trailers=raw,
        files=tuple(commit.changes),
    )


def _tag(named: Trailers, entry: Mapping[str, str]) -> str:
    """The tag that a commit names in its trailers, or wrote into the entry."""
    tag = named.tag if named.image else entry.get("newTag", "")
    return tag or named.anchor


def _kind(commit: Commit, named: Trailers, *, has_entry: bool) -> str:
    """What a commit is: by its trailers, or by what it changed."""
    if named.kind.lower() in KINDS:
        return named.kind.lower()
    if named.rollback_of or named.rollback_to:
        return "rollback"
    if named.quarantine_lift or named.lifts or named.lifted:
        return "lift"
    if named.quarantine or named.quarantined:
        return "quarantine"
    if named.canary:
        return "canary"
    if named.anchor:
        return "anchor"
    if named.release and named.image_digest:
        return "release"
    quarantine = _quarantine_changes(commit)
    if quarantine and not has_entry:
        gone = sum(_digests(lines) for lines, _ in quarantine)
        came = sum(_digests(lines) for _, lines in quarantine)
        return "lift" if gone > came else "quarantine"
    return "edit"


def _quarantine_changes(commit: Commit) -> list[Change]:
    return [change for path, change in commit.changes.items() if "quarantine" in path]


def _digests(lines: Iterable[str]) -> int:
    """How many of these lines have a digest."""
    return sum(1 for line in lines if _DIGEST.search(line))


def _elsewhere(commit: Commit, overlay: str) -> str:
    """The overlay that a commit changed, where it changed others and not this one."""
    changed = [match[1] for match in map(_OVERLAY.match, commit.changes) if match]
    return changed[0] if changed and overlay not in changed else ""


def _entry(commit: Commit, overlay: str) -> tuple[dict[str, str], dict[str, str]]:
    """The values of the image entry of an overlay that a commit took out, and those it put in."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for path, (gone, came) in commit.changes.items():
        if path.startswith(f"overlays/{overlay}/"):
            before |= _values(gone)
            after |= _values(came)
    return before, after


def _values(lines: Iterable[str]) -> dict[str, str]:
    """What these lines of a kustomization say about an image."""
    matches = [match for match in map(_VALUE.match, lines) if match]
    return {match[1]: match[2] for match in matches if match[1] in _ENTRY_FIELDS}


def _quarantined(commit: Commit, named: Trailers) -> str:
    """The digest that a commit puts into quarantine or takes out of it; empty where it does
    neither.
    """
    texts = [
        named.rollback_of,
        named.rollback_to,
        named.quarantine_lift,
        named.lifts,
        named.lifted,
        named.quarantine,
        named.quarantined,
        named.anchor,
    ]
    for gone, came in _quarantine_changes(commit):
        texts += [*gone, *came]
    for text in texts:
        match = _DIGEST.search(text)
        if match:
            return match[0]
    return ""


def _model(commit: Commit) -> str:
    """The model whose state a commit changed; empty where that is none, or more than one."""
    models = {match[1] for match in map(_STATE.match, commit.changes) if match}
    return models.pop() if len(models) == 1 else ""


def measured(body: str) -> dict[str, tuple[float, float, float]]:
    """Recall and precision, or the skill of a number, with their limits, as the first line of a
    release's commit has them.
    """
    return {
        name: (float(value), float(low), float(high))
        for name, value, low, high in _MEASURED.findall(body)
    }


def _body_verdict(rest: str) -> str:
    """The verdict that begins the body of a release's commit."""
    word = rest.strip().partition(":")[0]
    return word if word in _VERDICTS else ""


@dataclass(frozen=True)
class Spell:
    """A time in which one image was live: the event that began it and the one that ended it, None
    while it lasts.
    """

    began: Event
    ended: Event | None


def spells(events: Sequence[Event], model: str) -> list[Spell]:
    """What of a model was live when, oldest first; an event that left the same image live begins
    nothing.
    """
    moves: list[Event] = []
    for event in events:
        if event.moves and event.model == model and (not moves or moves[-1].digest != event.digest):
            moves.append(event)
    return [Spell(began, ended) for began, ended in zip(moves, [*moves[1:], None], strict=False)]


def live(events: Sequence[Event], model: str) -> str:
    """The digest that is live now; empty where nothing is."""
    past = spells(events, model)
    return past[-1].began.digest if past else ""


def unended(events: Sequence[Event]) -> list[Event]:
    """Releases that took a number and left neither a commit nor a verdict."""
    ended = {
        (event.model, event.release) for event in events if event.kind in ("release", "verdict")
    }
    return [
        event
        for event in events
        if event.kind == "reserved" and (event.model, event.release) not in ended
    ]
