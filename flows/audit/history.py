"""`sluice history`: releases, verdicts, rollbacks, quarantine and edits over time, as text, JSON
and a page.
"""

from collections.abc import Sequence
from typing import Any

from sluice.gitops.history import Event, live, measured, spells, unended


def history(events: Sequence[Event], model: str) -> dict[str, Any]:
    """What happened to a model, oldest first, what is live and since when, and how often what
    happened. JSON-able.
    """
    unfinished = {(event.model, event.release) for event in unended(events)}
    mine = [
        event
        for event in events
        if event.model in (model, "")
        and (event.kind != "reserved" or (event.model, event.release) in unfinished)
    ]
    known = {event.digest: event for event in events if event.kind == "release"}
    lives = spells(events, model)
    there = live(events, model)
    rows = [_row(event, known, there) for event in mine]
    return {
        "schema": 1,
        "model": model,
        "live": _row(known[there], known, there) if there in known else None,
        "digest": there,
        "since": lives[-1].began.date if lives else "",
        "counts": {
            kind: sum(row["kind"] == kind for row in rows)
            for kind in ("release", "rollback", "verdict")
        },
        "events": rows,
        "spells": [
            {
                "digest": spell.began.digest,
                "release": spell.began.release,
                "from": spell.began.date,
                "until": spell.ended.date if spell.ended else "",
            }
            for spell in lives
        ],
    }


def _row(event: Event, known: dict[str, Event], there: str) -> dict[str, Any]:
    before = known.get(event.before)
    return {
        "kind": event.kind,
        "date": event.date,
        "release": event.release,
        "tag": event.tag or (known[event.digest].tag if event.digest in known else ""),
        "digest": event.digest,
        "verdict": event.verdict,
        "outcome": event.outcome,
        "measured": measured(event.body),
        "sentence": _sentence(event),
        "who": event.who,
        "approved": event.approved,
        "reason": event.reason,
        "overlay": event.overlay,
        "before": {"release": before.release, "tag": before.tag} if before else None,
        "live": event.moves and event.digest == there,
        "moves": event.moves,
        "commit": event.commit,
        "files": list(event.files),
    }


def _sentence(event: Event) -> str:
    """Why, in a line: the reason that was given, or what the commit says under its numbers."""
    if event.kind == "reserved":
        return "Took its number and told no verdict."
    lines = [line for line in event.body.splitlines() if line and not measured(line)]
    said = event.subject if event.kind == "edit" else event.reason or " ".join(lines)
    return said[:1].upper() + said[1:]
