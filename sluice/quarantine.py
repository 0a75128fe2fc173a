"""What may not go live: digests in quarantine until a person lifts them, and parked ones until their time is over.

Documents in, documents out, as they lie in `state/<model>/`. Nothing is ever taken out of the quarantine: what was
lifted stays there, with who did it and why.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from sluice.errors import UsageError

Document = Mapping[str, Any]
_FIRST_PAUSE, _LONGEST_PAUSE = datetime.timedelta(minutes=15), datetime.timedelta(hours=24)


def entries(document: Document) -> list[dict[str, Any]]:
    """Everything that was ever in quarantine, the oldest first; what was lifted says so under `lifted`."""
    return [dict(entry) for entry in document.get("entries", [])]


def barred(document: Document, digest: str = "", tag: str = "") -> dict[str, Any] | None:
    """The entry that keeps this digest (or the image of this tag) from going live; None where there is none."""
    for entry in reversed(entries(document)):
        if not entry.get("lifted") and ((digest and entry["digest"] == digest) or (tag and entry["tag"] == tag)):
            return entry
    return None


def reason(entry: Document) -> str:
    """Since when and why, and how to end it."""
    lift = f'sluice quarantine lift {entry["digest"]} --reason "..."'
    return f"quarantined since {entry['when']} because {str(entry['why']).rstrip('.')}; lift it: {lift}"


def add(document: Document, entry: Document) -> dict[str, Any]:
    """With this entry (digest, tag, release, who, when, why); as it was where the digest is in quarantine already."""
    if barred(document, str(entry["digest"])):
        return {"schema": 1, "entries": entries(document)}
    return {"schema": 1, "entries": [*entries(document), {**entry, "lifted": None}]}


def lift(document: Document, digest: str, who: str, when: str, why: str) -> dict[str, Any]:
    """With the quarantine of this digest lifted. Raises UsageError where it is in none."""
    found = barred(document, digest)
    if not found:
        raise UsageError(f"{digest} is in no quarantine", "See `sluice quarantine`.")
    lifted = {"lifted": {"who": who, "when": when, "why": why}}
    return {"schema": 1, "entries": [entry | (lifted if entry == found else {}) for entry in entries(document)]}


def is_digest(text: str) -> bool:
    """Whether this is a whole digest."""
    return bool(re.fullmatch(r"sha256:[0-9a-f]{64}", text))


def is_tag(text: str) -> bool:
    """Whether an image may be tagged so."""
    return bool(re.fullmatch(r"\w[\w.-]{0,127}", text, re.ASCII))


def park(document: Document, digest: str, tag: str, now: datetime.datetime, why: str) -> dict[str, Any]:
    """With this digest parked once more: each time twice as long as before, up to a day."""
    before: Document = next((entry for entry in document.get("entries", []) if entry["digest"] == digest), {})
    attempts = int(before.get("attempts", 0)) + 1
    pause = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 10), _LONGEST_PAUSE)
    entry = {"digest": digest, "tag": tag, "since": before.get("since") or stamp(now), "why": why,
             "attempts": attempts, "next": stamp(now + pause)}  # fmt: skip
    others = [dict(other) for other in document.get("entries", []) if other["digest"] != digest]
    return {"schema": 1, "entries": [*others, entry]}


def waiting(document: Document, digest: str, now: datetime.datetime) -> dict[str, Any] | None:
    """The entry that keeps a parked digest waiting now; None where it may be tried."""
    for entry in document.get("entries", []):
        if entry["digest"] == digest and now < datetime.datetime.fromisoformat(entry["next"]):
            return dict(entry)
    return None


def pause(entry: Document) -> str:
    """Why a parked digest waits, and until when."""
    return f"parked since {entry['since']} because {str(entry['why']).rstrip('.')}; tried again from {entry['next']} on"


def stamp(moment: datetime.datetime) -> str:
    """A moment as state files have it: UTC, to the second, ISO 8601."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
