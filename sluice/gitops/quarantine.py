"""What may not go live: digests in quarantine until a person lifts them, and parked ones until
their time is over.

Records in, records out, as they lie in `state/<model>/`. Moments are in UTC, to the second, in
ISO 8601: these sort as texts. Nothing is ever taken out of the quarantine: what was lifted stays
there, with who did it and why.
"""

import re
from dataclasses import dataclass

import msgspec

from sluice.errors import UsageError
from sluice.gitops.state import Barred, Delayed, Lifted, Parked, Quarantine
from sluice.moment import when

_FIRST_PAUSE, _LONGEST_PAUSE = 15, 24 * 60  # minutes
_SHORT = 19  # characters of a digest that a person reads: `sha256:` and twelve more
_MOST_DOUBLINGS = 10  # after which the pause is the longest in any case


@dataclass(frozen=True)
class Failure:
    """Why an image could not go live: `now` is when it was tried, `until` when it is again."""

    digest: str
    tag: str
    why: str
    now: str
    until: str


def barred(quarantine: Quarantine, digest: str = "", tag: str = "") -> Barred | None:
    """The newest entry that keeps this digest (or the image of this tag) from going live; None
    where there is none.
    """
    for entry in reversed(quarantine.entries):
        same_digest = bool(digest) and entry.digest == digest
        same_tag = bool(tag) and entry.tag == tag
        if entry.lifted is None and (same_digest or same_tag):
            return entry
    return None


def reason(entry: Barred) -> str:
    """Since when and why, and how to end it."""
    lift = f'sluice quarantine lift {entry.digest[:_SHORT]} --reason "WHY"'
    return f"quarantined since {when(entry.when)} because {entry.why.rstrip('.')}; lift it: {lift}"


def add(quarantine: Quarantine, entry: Barred) -> Quarantine:
    """With this entry; as it was where the digest is in quarantine already."""
    if barred(quarantine, entry.digest):
        return quarantine
    return Quarantine(entries=(*quarantine.entries, entry))


def lift(quarantine: Quarantine, digest: str, lifted: Lifted) -> Quarantine:
    """With the quarantine of this digest lifted. Raises UsageError where it is in none."""
    ended = barred(quarantine, digest)
    if ended is None:
        raise UsageError(f"{digest} is in no quarantine", "See `sluice quarantine`.")
    entries = []
    for entry in quarantine.entries:
        if entry == ended:
            entry = msgspec.structs.replace(entry, lifted=lifted)
        entries.append(entry)
    return Quarantine(entries=tuple(entries))


def is_digest(text: str) -> bool:
    """Whether this is a whole digest."""
    return bool(re.fullmatch(r"sha256:[0-9a-f]{64}", text))


def is_tag(text: str) -> bool:
    """Whether an image may be tagged so."""
    return bool(re.fullmatch(r"\w[\w.-]{0,127}", text, re.ASCII))


def pause(parked: Parked, digest: str) -> int:
    """For how many minutes a digest is parked next: each time twice as long as before, up to a
    day.
    """
    entry = _parked(parked, digest)
    attempts = entry.attempts if entry else 0
    return min(_FIRST_PAUSE * 2 ** min(attempts, _MOST_DOUBLINGS), _LONGEST_PAUSE)


def park(parked: Parked, failure: Failure) -> Parked:
    """With this digest parked once more, behind the others."""
    before = _parked(parked, failure.digest)
    entry = Delayed(
        digest=failure.digest,
        tag=failure.tag,
        since=before.since if before else failure.now,
        why=failure.why,
        attempts=before.attempts + 1 if before else 1,
        next=failure.until,
    )
    others = [other for other in parked.entries if other.digest != failure.digest]
    return Parked(entries=(*others, entry))


def waiting(parked: Parked, digest: str, now: str) -> Delayed | None:
    """The entry that keeps a parked digest waiting now; None where it may be tried."""
    entry = _parked(parked, digest)
    if entry is None or now >= entry.next:
        return None
    return entry


def waits(entry: Delayed) -> str:
    """Why a parked digest waits, and until when."""
    return (
        f"parked since {entry.since} because {entry.why.rstrip('.')};"
        f" tried again from {entry.next} on"
    )


def _parked(parked: Parked, digest: str) -> Delayed | None:
    for entry in parked.entries:
        if entry.digest == digest:
            return entry
    return None
