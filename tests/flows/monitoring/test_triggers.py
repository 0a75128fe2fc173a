"""What the commits tell the triggers: candidates, and a release that runs."""

import datetime
from dataclasses import replace

import pytest

from flows.monitoring.triggers import is_running, moved, runs_of
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


@pytest.mark.parametrize(
    ("outcome", "what"),
    [
        ("healthy", "The canary of release 4 passed."),
        ("unproven", "Release 4 became live without a canary."),
        ("promoted", "The canary of release 4 was promoted by hand."),
        ("lost", "The canary of release 4 ended: lost."),
    ],
)
def test_the_end_of_a_canary_is_told_with_its_mark(outcome: str, what: str) -> None:
    told = moved(replace(event("canary", "2026-11-29T01:00:00+02:00", 4), outcome=outcome))
    assert (told.day, told.what) == ("2026-11-28", what)
    assert (told.kind, told.mark) == ("canary", "canary of 4")


def test_a_rollback_is_told_with_its_reason() -> None:
    back = event("rollback", "2026-11-29T10:00:00+00:00", 3)
    assert moved(back).what == "Rolled back to release 3."
    told = moved(replace(back, reason="answers are late"))
    assert told.what == "Rolled back to release 3: answers are late"
    assert (told.kind, told.mark) == ("rollback", "back to 3")
