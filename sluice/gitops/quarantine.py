"""What may not go live: digests in quarantine until a person lifts them, and parked ones until
their time is over.

Documents in, documents out, as they lie in `state/<model>/`. Moments are in UTC, to the second, in
ISO 8601: these sort as texts. Nothing is ever taken out of the quarantine: what was lifted stays
there, with who did it and why.
"""

import re
from collections.abc import Mapping
from typing import Any

from sluice.errors import UsageError

Document = Mapping[str, Any]
_FIRST_PAUSE, _LONGEST_PAUSE = 15, 24 * 60  # minutes


def entries(document: Document) -> list[dict[str, Any]]:
    """Everything that was ever in quarantine, the oldest first; what was lifted says so under
    `lifted`.
    """
    return [{"lifted": None, **entry} for entry in document.get("entries", [])]


def barred(document: Document, digest: str = "", tag: str = "") -> dict[str, Any] | None:
    """The entry that keeps this digest (or the image of this tag) from going live; None where there
    is none.
    """
    for entry in reversed(entries(document)):
        if not entry.get("lifted") and (
            (digest and entry["digest"] == digest) or (tag and entry["tag"] == tag)
        ):
            return entry
    return None


def reason(entry: Document) -> str:
    """Since when and why, and how to end it."""
    lift = f'sluice quarantine lift {entry["digest"]} --reason "..."'
    return (
        f"quarantined since {entry['when']} because {str(entry['why']).rstrip('.')}; lift it:"
        f" {lift}"
    )


def add(document: Document, entry: Document) -> dict[str, Any]:
    """With this entry (digest, tag, release, who, when, why); as it was where the digest is in
    quarantine already.
    """
    if barred(document, str(entry["digest"])):
        return {"schema": 1, "entries": entries(document)}
    return {"schema": 1, "entries": [*entries(document), {**entry, "lifted": None}]}


def lift(document: Document, digest: str, who: str, when: str, why: str) -> dict[str, Any]:
    """With the quarantine of this digest lifted. Raises UsageError where it is in none."""
    found = barred(document, digest)
    if not found:
        raise UsageError(f"{digest} is in no quarantine", "See `sluice quarantine`.")
    lifted = {"lifted": {"who": who, "when": when, "why": why}}
    return {
        "schema": 1,
        "entries": [entry | (lifted if entry == found else {}) for entry in entries(document)],
    }


def is_digest(text: str) -> bool:
    """Whether this is a whole digest."""
    return bool(re.fullmatch(r"sha256:[0-9a-f]{64}", text))


def is_tag(text: str) -> bool:
    """Whether an image may be tagged so."""
    return bool(re.fullmatch(r"\w[\w.-]{0,127}", text, re.ASCII))


def pause(document: Document, digest: str) -> int:
    """For how many minutes a digest is parked next: each time twice as long as before, up to a
    day.
    """
    attempts = int(_parked(document, digest).get("attempts", 0))
    return min(_FIRST_PAUSE * 2 ** min(attempts, 10), _LONGEST_PAUSE)


def park(
    document: Document, digest: str, tag: str, why: str, now: str, until: str
) -> dict[str, Any]:
    """With this digest parked once more. Moments are as state files have them."""
    before = _parked(document, digest)
    entry = {
        "digest": digest,
        "tag": tag,
        "since": before.get("since") or now,
        "why": why,
        "attempts": int(before.get("attempts", 0)) + 1,
        "next": until,
    }
    others = [dict(other) for other in document.get("entries", []) if other["digest"] != digest]
    return {"schema": 1, "entries": [*others, entry]}


def waiting(document: Document, digest: str, now: str) -> dict[str, Any] | None:
    """The entry that keeps a parked digest waiting now; None where it may be tried."""
    entry = _parked(document, digest)
    return dict(entry) if entry and now < str(entry["next"]) else None


def _parked(document: Document, digest: str) -> Document:
    return next((entry for entry in document.get("entries", []) if entry["digest"] == digest), {})


def waits(entry: Document) -> str:
    """Why a parked digest waits, and until when."""
    return (
        f"parked since {entry['since']} because {str(entry['why']).rstrip('.')}; tried again from"
        f" {entry['next']} on"
    )
