"""What the commits tell the triggers: candidates, and a release that runs."""

import datetime

from flows.monitoring.triggers import is_running, runs_of
from sluice.gitops.history import Event

TODAY = datetime.date(2026, 11, 29)


def event(kind: str, date: str, release: int, verdict: str = "", model: str = "m") -> Event:
    return Event(kind, "", date, "", "", model=model, release=release, verdict=verdict)


def test_every_candidate_that_was_judged_is_a_run() -> None:
    events = [
        event("reserved", "2026-11-01T10:00:00+00:00", 1),
        event("release", "2026-11-01T10:05:00+00:00", 1, "PROMOTE"),
        event("verdict", "2026-11-02T01:30:00+02:00", 2, "REJECT"),
        event("verdict", "2026-11-03T10:00:00+00:00", 3, "HOLD"),
        event("verdict", "2026-11-04T10:00:00+00:00", 4, "INSUFFICIENT"),
        event("verdict", "2026-11-05T10:00:00+00:00", 5, "PROMOTE"),
        event("rollback", "2026-11-06T10:00:00+00:00", 1),
        event("verdict", "2026-11-06T10:00:00+00:00", 9, "REJECT", model="other"),
    ]
    runs = runs_of(events, "m")
    assert [(run.day.day, run.promoted, run.refused) for run in runs] == [
        (1, True, False),
        (1, False, True),  # half past one in the night, two hours east
        (3, False, False),
        (4, False, True),
        (5, True, False),
    ]


def test_a_release_that_took_a_number_lately_and_has_not_ended_runs() -> None:
    taken = event("reserved", "2026-11-29T08:00:00+00:00", 4)
    assert is_running([taken], "m", TODAY)
    assert not is_running([taken], "other", TODAY)
    assert not is_running([taken, event("verdict", "2026-11-29T09:00:00+00:00", 4)], "m", TODAY)
    killed = event("reserved", "2026-11-27T08:00:00+00:00", 4)
    assert not is_running([killed], "m", TODAY)
