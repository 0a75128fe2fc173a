"""Times as people read them: one form, one zone."""

import datetime

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def when(date: str) -> str:
    """A time, given in ISO 8601, as people read it everywhere: `2026-11-20 13:24 UTC`.

    A time without a zone is UTC, a day stays a day; what is neither is left as it is.
    """
    try:
        moment = datetime.datetime.fromisoformat(date)
    except ValueError:
        return date
    if len(date) == len("2026-11-20"):
        return date
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def age(date: str, now: datetime.datetime) -> str:
    """How long ago a time was, in its largest unit: `9 days ago`; empty for what is no time."""
    try:
        moment = datetime.datetime.fromisoformat(date)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    seconds = (now - moment).total_seconds()
    for unit, length in _UNITS:
        number = int(seconds // length)
        if number >= 1:
            return f"{number} {unit if number == 1 else unit + 's'} ago"
    # A clock that is behind makes the future of what has just been.
    return "just now"
