"""Reasons become at most a candidate: one run for many, pauses that grow, a budget, a breaker that
a person closes.
"""

import datetime
from collections.abc import Callable

import msgspec
import pytest

from sluice.errors import UsageError
from sluice.monitor.report import ACT, WATCH, Finding, Happened, Live, Promised, Report, Week
from sluice.monitor.triggers import (
    NO_TRIGGERS,
    Closing,
    Decision,
    Reason,
    Run,
    Situation,
    Start,
    Triggers,
    begun,
    candidates,
    closed,
    decide,
    ended,
    gone_on,
    is_open,
    noted,
    reasons_of,
    refuses,
    story,
)
from sluice.policy import TriggerPolicy

POLICY = TriggerPolicy()
START = datetime.date(2026, 3, 1)
CALM = Situation()


def day(at: int) -> datetime.date:
    return START + datetime.timedelta(days=at)


def reason(at: int, kind: str = "drift") -> Reason:
    return Reason(kind, day(at).isoformat(), "Age has drifted.")


def waiting(*reasons: Reason) -> Triggers:
    return Triggers(reasons=reasons)


def finding(kind: str, severity: str) -> Finding:
    return Finding(kind=kind, severity=severity, sentence=f"{kind} {severity}.", response="")


def report(*findings: Finding) -> Report:
    return Report(
        model="m",
        release=1,
        since="2026-01-01",
        day="2026-03-01",
        verdict="",
        sentence="",
        level=0.05,
        findings=findings,
        promised=Promised(recall=0.7, precision=0.7, brier=0.2, flagged=0.4, prevalence=0.4),
        live=Live(labelled=0, positives=0, recall=None, precision=None, brier=None),
        weeks=(),
        rows=0,
        days=0,
    )


def walk(days: int, drifts: Callable[[int], bool], promoted: bool) -> list[tuple[int, Decision]]:
    """The days on which a candidate was due, where each day is noted and each due one is run."""
    held, runs, due = NO_TRIGGERS, [], []
    for at in range(days):
        held = noted(held, [reason(at)] if drifts(at) else [], runs)
        decision = decide(held, runs, CALM, POLICY, day(at))
        if decision.due:
            due.append((at, decision))
            runs.append(Run(day(at), promoted, refused=not promoted))
    return due


def test_without_a_reason_nothing_happens() -> None:
    assert walk(30, lambda at: False, promoted=False) == []
    assert decide(NO_TRIGGERS, [], CALM, POLICY, START).sentence == "No reason for a candidate."


def test_a_drift_that_goes_on_with_candidates_in_vain_ends_at_the_breaker() -> None:
    due = walk(60, lambda at: True, promoted=False)
    assert [at for at, _ in due] == [3, 10, 24, 52]
    runs = [Run(day(at), False, refused=True) for at, _ in due]
    late = decide(waiting(reason(400)), runs, CALM, POLICY, day(500))
    assert not late.due
    assert late.brakes == (
        "The breaker is open: candidates that the gate refused are 4; fewer than 4 are required. A"
        " person closes it, with a reason.",
    )


def test_reasons_within_the_window_are_one_run() -> None:
    held = noted(NO_TRIGGERS, [reason(0)], [])
    held = noted(held, [reason(2, "performance")], [])
    assert not decide(held, [], CALM, POLICY, day(2)).due
    decision = decide(held, [], CALM, POLICY, day(3))
    assert decision.due
    assert [found.kind for found in decision.reasons] == ["drift", "performance"]


def test_noting_again_changes_nothing_and_loses_nothing() -> None:
    """Whoever is killed notes the same again."""
    once = noted(NO_TRIGGERS, [reason(0)], [])
    assert noted(once, [reason(0)], []) == once
    assert noted(once, [reason(5)], []) == once
    assert noted(once, [], []) == once


def test_a_run_answers_what_was_there_before_it() -> None:
    held = waiting(reason(0), reason(4, "performance"))
    assert noted(held, [], [Run(day(4), True)]).reasons == (reason(4, "performance"),)
    assert noted(held, [], [Run(day(5), True)]).reasons == ()


def test_a_promotion_ends_the_pauses() -> None:
    runs = [Run(day(0), False), Run(day(10), False), Run(day(30), True)]
    assert decide(waiting(reason(32)), runs, CALM, POLICY, day(35)).due
    assert not is_open(
        NO_TRIGGERS, [*runs, *[Run(day(50 + at), False, True) for at in range(3)]], POLICY
    )


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        (Situation(running=True), "A release of this model runs."),
        (Situation(refused=True), "The data of today are in doubt"),
        (
            Situation(committed=day(9).isoformat()),
            "The release that was committed last is 0 days old; 1 are required, because its canary",
        ),
    ],
)
def test_what_else_is_so_holds_it_back(situation: Situation, said: str) -> None:
    decision = decide(waiting(reason(0)), [], situation, POLICY, day(9))
    assert not decision.due
    [brake] = decision.brakes
    assert brake.startswith(said)
    assert decision.sentence == "There is a reason for a candidate, and it has to wait."


def test_the_budget_of_a_month_holds_promoted_ones_too() -> None:
    runs = [Run(day(at), True) for at in (0, 8, 16, 24)]
    held = waiting(reason(25))
    assert decide(held, runs, CALM, POLICY, day(28)).brakes == (
        "Candidates in the last 30 days are 4; fewer than 4 are required.",
    )
    assert decide(held, runs, CALM, POLICY, day(30)).due


def test_only_a_person_closes_the_breaker() -> None:
    runs = [Run(day(at), False, refused=True) for at in (0, 40, 80, 120)]
    held = waiting(reason(130))
    closing = Closing("Anna", day(140).isoformat(), "the export is right again")
    after = closed(held, closing, runs, POLICY)
    assert after.closings == (closing,)
    assert decide(after, runs, CALM, POLICY, day(141)).due
    assert not is_open(after, [*runs, Run(day(142), False, refused=True)], POLICY)
    with pytest.raises(UsageError, match="the breaker is closed already"):
        closed(after, closing, runs, POLICY)


def test_the_calendar_is_a_reason_where_it_is_wanted() -> None:
    monthly = TriggerPolicy(schedule_days=28)
    runs = [Run(day(0), True)]
    assert not decide(NO_TRIGGERS, runs, CALM, monthly, day(27)).reasons
    decision = decide(NO_TRIGGERS, runs, CALM, monthly, day(31))
    assert decision.due
    assert decision.reasons[0].kind == "schedule"
    assert not decide(NO_TRIGGERS, runs, CALM, POLICY, day(310)).reasons


def test_a_report_gives_reasons_and_garbage_gives_none() -> None:
    fallen, drifted = finding("concept", ACT), finding("data", WATCH)
    both = reasons_of(report(fallen, drifted, drifted), [], POLICY)
    assert [(found.kind, found.sentence) for found in both] == [
        ("performance", "concept act."),
        ("drift", "data watch. And 1 more."),
    ]
    garbage = report(fallen, drifted, finding("data", ACT))
    assert refuses(garbage)
    assert reasons_of(garbage, [], POLICY) == ()
    assert (
        reasons_of(report(finding("label", WATCH), finding("prediction", WATCH)), [], POLICY) == ()
    )


def test_one_that_is_no_better_is_no_refusal() -> None:
    """In a quiet world nothing is better than what is live: the pauses grow, and that is all."""
    runs = [Run(day(at), False) for at in (0, 40, 80, 120, 160)]
    assert not is_open(NO_TRIGGERS, runs, POLICY)
    decision = decide(waiting(reason(170)), runs, CALM, POLICY, day(180))
    assert decision.brakes == (
        f"The last candidate was not promoted: the pause lasts until {day(160 + 7 * 16)}.",
    )


def test_new_labels_are_a_reason_where_they_are_wanted_and_enough() -> None:
    weeks = tuple(
        Week(
            start=day(7 * at).isoformat(),
            rows=700,
            flagged=0.5,
            positives=300,
            recall=0.7,
            below=1.0,
            drift={},
        )
        for at in range(4)
    )
    quiet = msgspec.structs.replace(report(), weeks=weeks)
    wanted = TriggerPolicy(new_positives=900)
    [found] = reasons_of(quiet, [], wanted)
    assert found.sentence == (
        "Positives with a label since the last candidate are 1,200; 900 are enough for another."
    )
    assert len(reasons_of(quiet, [Run(day(7), True)], wanted)) == 1
    assert reasons_of(quiet, [Run(day(14), True)], wanted) == ()
    assert reasons_of(quiet, [], POLICY) == ()


def started(at: int, *reasons: Reason, after: int = 1) -> Start:
    moment = f"{day(at)}T12:00:00+00:00"
    return Start(moment, moment, "here", reasons or (reason(at),), after)


def test_a_start_takes_its_reasons_along_and_nothing_begins_beside_it() -> None:
    held = waiting(reason(0), reason(1, "performance"))
    during = begun(held, started(3, *held.reasons))
    assert during.reasons == ()
    assert during.open == started(3, *held.reasons)
    again = noted(during, [reason(4)], [])
    decision = decide(again, [], CALM, POLICY, day(9))
    assert decision.brakes == (f"A candidate that began at {day(3)}T12:00:00+00:00 has not ended.",)


def test_what_a_start_answers_is_not_counted_again_on_its_day() -> None:
    """The monitor looks every hour, and the drift of a day is one reason."""
    during = begun(waiting(reason(0)), started(3, reason(3)))
    after = ended(during, during.starts[0].at, "refused", 2)
    assert noted(after, [reason(3)], []).reasons == ()
    assert noted(after, [reason(3, "performance")], []).reasons == (reason(3, "performance"),)
    assert noted(after, [reason(4)], []).reasons == (reason(4),)


def test_whoever_goes_on_goes_on_with_the_same_start() -> None:
    during = begun(waiting(reason(0)), started(3))
    later = gone_on(during, f"{day(4)}T00:00:00+00:00", "there")
    assert later.open is not None
    assert (later.open.at, later.open.place) == (during.starts[0].at, "there")
    assert later.open.since == f"{day(4)}T00:00:00+00:00"
    once = ended(later, later.open.at, "promoted", 2)
    assert ended(once, later.open.at, "refused", 3) == once


def test_every_candidate_is_counted_once() -> None:
    """One that was judged is in the commits, one that was not in its start alone."""
    held = ended(begun(NO_TRIGGERS, started(3)), started(3).at, "refused", 2)
    held = ended(begun(held, started(9, after=2)), started(9).at, "nothing to do", 2)
    judged = [Run(day(0), True, release=1), Run(day(3), False, refused=True, release=2)]
    runs = candidates(judged, held)
    assert runs == [*judged, Run(day(9), promoted=False)]
    assert candidates(judged, begun(held, started(12, after=2))) == runs


def test_a_trigger_whose_candidates_come_to_nothing_does_not_run_away() -> None:
    """The pointer still names the old rows: each candidate finds nothing to do."""
    held, days = NO_TRIGGERS, []
    for at in range(60):
        runs = candidates([Run(day(0), True, release=1)], held)
        held = noted(held, [reason(at)], runs)
        decision = decide(held, runs, CALM, POLICY, day(at))
        if decision.due:
            days.append(at)
            held = begun(held, started(at, *decision.reasons))
            held = ended(held, held.starts[-1].at, "nothing to do", 1)
    assert days == [3, 10, 24, 52]


def test_the_story_is_told_in_the_order_of_its_days() -> None:
    held = ended(begun(NO_TRIGGERS, started(3)), started(3).at, "refused", 2)
    held = ended(begun(held, started(9, after=2)), started(9).at, "nothing to do", 2)
    held = Triggers(starts=held.starts, closings=(Closing("Anna", day(20).isoformat(), "mended"),))
    judged = [
        (Run(day(0), True, release=1), "promoted"),
        (Run(day(3), False, refused=True, release=2), "refused"),
    ]
    assert [(told.day, told.what) for told in story(judged, held)] == [
        (day(0).isoformat(), "Release 1: promoted."),
        (day(3).isoformat(), "A candidate began by itself, for drift: Age has drifted."),
        (day(3).isoformat(), "Release 2: refused."),
        (
            day(9).isoformat(),
            "A candidate began by itself, for drift: Age has drifted. It came to no verdict:"
            " nothing to do.",
        ),
        (day(20).isoformat(), "Anna closed the breaker: mended"),
    ]


def test_what_moved_what_is_live_stands_behind_what_led_to_it() -> None:
    judged = [(Run(day(0), True, release=1), "promoted"), (Run(day(9), False, release=2), "held")]
    passed = Happened(day(0).isoformat(), "It passed.", "canary", "canary of 1")
    told = story(judged, NO_TRIGGERS, [passed])
    assert [one.what for one in told] == ["Release 1: promoted.", "It passed.", "Release 2: held."]
    assert [(one.kind, one.mark) for one in told] == [
        ("release", "release 1"),
        ("canary", "canary of 1"),
        ("", ""),
    ]
