"""What happened to a model over time: releases, verdicts, rollbacks, quarantine and edits."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sluice.gitops.history import Event, Spell, live, measured, spells, unended


class Before(Struct, frozen=True):
    """The release that was live before an event."""

    release: int
    tag: str


class Row(Struct, frozen=True):
    """An event as it is told; empty where its commit does not say.

    measured  metric -> value, lower limit, upper limit
    sentence  why, in a line
    overlay   the other overlay in which it moved the image
    live      whether its image is live now, by this event or another one
    moves     whether it made another image live
    """

    kind: str
    date: str
    release: int
    tag: str
    digest: str
    verdict: str
    outcome: str
    measured: dict[str, tuple[float, float, float]]
    sentence: str
    who: str
    approved: str
    reason: str
    overlay: str
    before: Before | None
    live: bool
    moves: bool
    commit: str
    files: list[str]

    @property
    def recall(self) -> tuple[float, float, float] | None:
        """Recall with its limits, where it was measured; of a number the skill."""
        return self.measured.get("recall") or self.measured.get("skill")

    @property
    def measure(self) -> str:
        """What that is called."""
        return "skill" if "skill" in self.measured else "recall"


class Span(Struct, frozen=True):
    """A time in which an image was live; `until` is empty while it lasts."""

    digest: str
    release: int
    began: str = msgspec.field(name="from")
    until: str


class Counts(Struct, frozen=True):
    """How often what happened; a verdict is a candidate that was not released."""

    release: int
    rollback: int
    verdict: int


class History(Struct, frozen=True):
    """The history of a model, as `--json` prints it; events and spells are oldest first.

    live    the event that released what is live; None where nothing or no release is
    digest  what is live, and `since` when; empty where nothing is
    page    the HTML file that it was written to
    canary  how far the canary is of what is live, where a cluster was asked
    """

    schema: int
    model: str
    live: Row | None
    digest: str
    since: str
    counts: Counts
    events: list[Row]
    spells: list[Span]
    page: str | UnsetType = UNSET
    canary: str | UnsetType = UNSET


def history(events: Sequence[Event], model: str) -> History:
    """Gather what happened to a model from the events of the manifest repo, oldest first."""
    releases = {event.digest: event for event in events if event.kind == "release"}
    digest = live(events, model)
    lives = spells(events, model)
    rows = [_row(event, releases, digest) for event in _about(events, model)]
    kinds = [row.kind for row in rows]
    return History(
        schema=1,
        model=model,
        live=_row(releases[digest], releases, digest) if digest in releases else None,
        digest=digest,
        since=lives[-1].began.date if lives else "",
        counts=Counts(kinds.count("release"), kinds.count("rollback"), kinds.count("verdict")),
        events=rows,
        spells=[_span(spell) for spell in lives],
    )


def _about(events: Sequence[Event], model: str) -> list[Event]:
    """The events of a model, and those of no model; a number that was taken is told only where no
    verdict followed.
    """
    unfinished = {(event.model, event.release) for event in unended(events)}
    return [
        event
        for event in events
        if event.model in (model, "")
        and (event.kind != "reserved" or (event.model, event.release) in unfinished)
    ]


def _span(spell: Spell) -> Span:
    ended = spell.ended.date if spell.ended else ""
    return Span(spell.began.digest, spell.began.release, spell.began.date, ended)


def _row(event: Event, releases: Mapping[str, Event], digest: str) -> Row:
    """The row of an event; `digest` is what is live now."""
    before = releases.get(event.before)
    released = releases.get(event.digest)
    return Row(
        kind=event.kind,
        date=event.date,
        release=event.release,
        tag=event.tag or (released.tag if released else ""),
        digest=event.digest,
        verdict=event.verdict,
        outcome=event.outcome,
        measured=measured(event.body),
        sentence=_sentence(event),
        who=event.who,
        approved=event.approved,
        reason=event.reason,
        overlay=event.overlay,
        before=Before(before.release, before.tag) if before else None,
        live=event.moves and event.digest == digest,
        moves=event.moves,
        commit=event.commit,
        files=list(event.files),
    )


def _sentence(event: Event) -> str:
    """Why, in a line: the reason that was given, or what the commit says below its numbers."""
    if event.kind == "reserved":
        return "Took its number and left no verdict."
    sentence = event.subject if event.kind == "edit" else event.reason or _words(event.body)
    return sentence[:1].upper() + sentence[1:]


def _words(body: str) -> str:
    """The body of a commit without its lines of numbers, in one line."""
    return " ".join(line for line in body.splitlines() if line and not measured(line))
