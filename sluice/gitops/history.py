"""What happened to the models of a manifest repo, read from its commits: releases, rollbacks,
quarantine, edits.

A commit says what it is by its trailers; where it has none, what it changed says it. So a rollback
that was typed by hand is told as well as one that was written for a person.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.gitops.manifest import read_trailers

KINDS = (
    "start",
    "release",
    "rollback",
    "quarantine",
    "lift",
    "anchor",
    "edit",
    "verdict",
    "reserved",
)
_VALUE = re.compile(r"""^\s*(?:-\s+)?"?(\w+)"?:\s*["']?([^"',\s]+)["']?,?\s*$""")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KIND_OF = {
    "Rollback-Of": "rollback",
    "Rollback-To": "rollback",
    "Quarantine-Lift": "lift",
    "Lifts": "lift",
    "Lifted": "lift",
    "Quarantine": "quarantine",
    "Quarantined": "quarantine",
    "Anchor": "anchor",
}
_MEASURED = re.compile(r"(recall|precision) (\d\.\d+) \[(\d\.\d+), (\d\.\d+)\]")
_STATE = re.compile(r"state/([^/]+)/([^/]+)")
_OVERLAY = re.compile(r"overlays/([^/]+)/")


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
    changes: Mapping[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)
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
        event = (
            None if proposals.intersection(commit.parents[1:]) else _event(commit, seen, overlay)
        )
        if event is None:
            continue
        if event.kind != "edit" and (merge := merged.get(commit.sha)):
            proposals.add(commit.sha)
            event = replace(event, approved=merge.author, date=merge.date)
        events.append(event if events or event.kind != "edit" else replace(event, kind="start"))
        if event.kind == "release":
            seen[event.digest] = event
    return events


def _event(commit: Commit, seen: Mapping[str, Event], overlay: str) -> Event | None:
    subject, _, rest = commit.message.strip().partition("\n")
    trailers = read_trailers(commit.message)
    elsewhere = _elsewhere(commit, overlay)
    entry = _entry(commit, elsewhere or overlay)
    kind = _kind(commit, trailers, entry)
    if kind == "edit" and not commit.changes:
        return None
    digest = (
        trailers.get("Image-Digest") or entry.get("digest", "") or _quarantined(commit, trailers)
    )
    before = trailers.get("Rollback-Of") or entry.get("digest before", "")
    known = seen.get(digest) or seen.get(before)
    tag = (
        trailers.get("Image", "").rpartition(":")[2]
        if "Image" in trailers
        else entry.get("newTag", "")
    )
    return Event(
        kind,
        commit.sha,
        commit.date,
        trailers.get("By") or commit.author,
        subject,
        _body(rest, trailers),
        model=trailers.get("Model") or _model(commit) or (known.model if known else ""),
        release=_number(trailers.get("Release", ""))
        or (known.release if known and digest == known.digest else 0),
        tag=tag
        or trailers.get("Anchor", "")
        or (known.tag if known and digest == known.digest else ""),
        digest=digest,
        before=before if _DIGEST.fullmatch(before) else "",
        verdict=trailers.get("Verdict", "") or _said_verdict(rest),
        reason=trailers.get("Reason", ""),
        overlay=elsewhere,
        data=trailers.get("Data-Hash", ""),
        trailers=trailers,
        files=tuple(commit.changes),
    )


def _kind(commit: Commit, trailers: Mapping[str, str], entry: Mapping[str, str]) -> str:
    named = trailers.get("Kind", "").lower()
    if named in KINDS:
        return named
    for trailer, kind in _KIND_OF.items():
        if trailer in trailers:
            return kind
    if "Release" in trailers and "Image-Digest" in trailers:
        return "release"
    quarantine = [lines for path, lines in commit.changes.items() if "quarantine" in path]
    if quarantine and not entry:
        gone, came = (
            sum(bool(_DIGEST.search(line)) for lines in quarantine for line in lines[side])
            for side in (0, 1)
        )
        return "lift" if gone > came else "quarantine"
    return "edit"


def _elsewhere(commit: Commit, overlay: str) -> str:
    """The overlay that a commit changed, where it changed others and not this one."""
    found = [match[1] for path in commit.changes if (match := _OVERLAY.match(path))]
    return found[0] if found and overlay not in found else ""


def _entry(commit: Commit, overlay: str) -> dict[str, str]:
    """The image entry of an overlay before and after, where a commit changed it."""
    found: dict[str, str] = {}
    for path, (gone, came) in commit.changes.items():
        if not path.startswith(f"overlays/{overlay}/"):
            continue
        for lines, suffix in ((gone, " before"), (came, "")):
            pairs = (match.groups() for line in lines if (match := _VALUE.match(line)))
            found |= {
                f"{name}{suffix}": value
                for name, value in pairs
                if name in ("newName", "newTag", "digest")
            }
    return found


def _quarantined(commit: Commit, trailers: Mapping[str, str]) -> str:
    """The digest that a commit puts into quarantine or takes out of it."""
    for name in _KIND_OF:
        if match := _DIGEST.search(trailers.get(name, "")):
            return match[0]
    lines = [
        line
        for path, sides in commit.changes.items()
        if "quarantine" in path
        for side in sides
        for line in side
    ]
    return next((match[0] for line in lines if (match := _DIGEST.search(line))), "")


def _model(commit: Commit) -> str:
    found = {match[1] for path in commit.changes if (match := _STATE.match(path))}
    return found.pop() if len(found) == 1 else ""


def measured(body: str) -> dict[str, tuple[float, float, float]]:
    """Recall and precision with their limits, as the first line of a release's commit has them."""
    return {
        name: (float(value), float(low), float(high))
        for name, value, low, high in _MEASURED.findall(body)
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _body(rest: str, trailers: Mapping[str, str]) -> str:
    parts = rest.strip().split("\n\n")
    return "\n\n".join(parts[:-1] if trailers else parts).strip()


def _said_verdict(rest: str) -> str:
    """The verdict that begins the body of a release's commit."""
    word = rest.strip().partition(":")[0]
    return word if word in ("PROMOTE", "HOLD", "REJECT", "INSUFFICIENT") else ""


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
    found = spells(events, model)
    return found[-1].began.digest if found else ""


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
