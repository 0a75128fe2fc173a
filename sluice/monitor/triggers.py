"""When is a candidate due? Reasons in, and every brake that holds it back.

A trigger makes a candidate, which the gate judges like any other: it deploys nothing, moves no
anchor and changes no policy. Reasons that come close together are one run. After a candidate that
was not promoted there is a pause, which doubles with each further one; a month has a budget; and
after several that the gate refused a breaker opens, which only a person closes.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from sluice.errors import UsageError
from sluice.monitor.report import ACT, WATCH, Happened, Report
from sluice.policy import TriggerPolicy

DRIFT, PERFORMANCE, LABELS, SCHEDULE = "drift", "performance", "labels", "schedule"
_MONTH = 30  # days
_LONGEST = 6  # doublings of the pause


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a candidate is wanted, and since which day. There is one of each kind at most."""

    kind: str
    day: str
    sentence: str


class Closing(Struct, frozen=True, forbid_unknown_fields=True):
    """Who closed the breaker, on which day and why."""

    who: str
    day: str
    why: str


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate that a trigger began: when (UTC, to the second), at which place, for which
    reasons, and the newest number of a release before it. `since` is when that place began or went
    on with it.

    `outcome` is how it ended, empty until then, and `until` the newest number then. It is written
    before the release begins, so whoever is killed goes on with the same start.
    """

    at: str
    since: str
    place: str
    reasons: tuple[Reason, ...]
    after: int
    until: int = 0
    outcome: str = ""

    @property
    def day(self) -> str:
        """The day on which it began."""
        return self.at[:10]


class Triggers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept in git of a model: the reasons that wait, the candidates that were begun for
    others, and who closed the breaker: `triggers.json`.
    """

    schema: int = 1
    reasons: tuple[Reason, ...] = ()
    closings: tuple[Closing, ...] = ()
    starts: tuple[Start, ...] = ()

    @property
    def open(self) -> Start | None:
        """The candidate that was begun and has not ended."""
        return next((start for start in self.starts if not start.outcome), None)


NO_TRIGGERS = Triggers()


@dataclass(frozen=True)
class Run:
    """A candidate, on which day, and what became of it: promoted, refused by the gate, or neither,
    as one that is no better than what is live. `release` is its number, 0 where it took none.
    """

    day: datetime.date
    promoted: bool
    refused: bool = False
    release: int = 0


@dataclass(frozen=True)
class Situation:
    """What else is so on a day: a release that runs, data that are in doubt, and the day of the
    release that was committed last, empty where there is none or where it is known how its canary
    ended.
    """

    running: bool = False
    refused: bool = False
    committed: str = ""


@dataclass(frozen=True)
class Decision:
    """Whether a candidate is due, for which reasons, and what holds it back, a sentence each."""

    due: bool
    reasons: tuple[Reason, ...]
    brakes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The decision in one sentence."""
        if not self.reasons:
            return "No reason for a candidate."
        if self.due:
            return "A candidate is due."
        return "There is a reason for a candidate, and it has to wait."


def reasons_of(report: Report, runs: Sequence[Run], policy: TriggerPolicy) -> tuple[Reason, ...]:
    """The reasons in a report: what has surely fallen, columns that have drifted, and new labels
    that are enough. None where the data of the day are themselves in doubt.
    """
    if refuses(report):
        return ()
    reasons = []
    fallen = [found for found in report.findings if found.kind in ("performance", "concept")]
    if fallen:
        reasons.append(Reason(PERFORMANCE, report.day, fallen[0].sentence))
    drifted = [
        found for found in report.findings if found.kind == "data" and found.severity == WATCH
    ]
    if drifted:
        more = f" And {len(drifted) - 1} more." if len(drifted) > 1 else ""
        reasons.append(Reason(DRIFT, report.day, f"{drifted[0].sentence}{more}"))
    last = max((run.day.isoformat() for run in runs), default="")
    new = sum(week.positives for week in report.weeks if week.start >= last)
    if policy.new_positives and new >= policy.new_positives:
        sentence = (
            f"Positives with a label since the last candidate are {new:,}; {policy.new_positives:,}"
            " are enough for another."
        )
        reasons.append(Reason(LABELS, report.day, sentence))
    return tuple(reasons)


def story(
    judged: Sequence[tuple[Run, str]], held: Triggers, moved: Sequence[Happened] = ()
) -> tuple[Happened, ...]:
    """What happened: candidates with how they ended, why those of a trigger began, what a person
    let go on, and what else `moved` what is live; oldest first.
    """
    # A number says what came first, whatever the clocks say; a start lies behind the number before.
    told = [(run.release, _judged(run, how)) for run, how in judged]
    for start in held.starts:
        why = " ".join(f"{reason.kind}: {reason.sentence}" for reason in start.reasons)
        what = f"A candidate began by itself, for {why}"
        if start.outcome and start.until == start.after:
            what += f" It came to no verdict: {start.outcome}."
        told.append((start.after, Happened(start.day, what)))
    ordered = [happened for _, happened in sorted(told, key=lambda entry: entry[0])]
    closings = [
        Happened(closing.day, f"{closing.who} closed the breaker: {closing.why}")
        for closing in held.closings
    ]
    for other in (*moved, *closings):
        later = sum(happened.day <= other.day for happened in ordered)
        ordered.insert(later, other)
    return tuple(ordered)


def _judged(run: Run, how: str) -> Happened:
    """How a candidate ended; one that went live has a mark."""
    what = f"Release {run.release}: {how}."
    if how != "promoted":
        return Happened(run.day.isoformat(), what)
    return Happened(run.day.isoformat(), what, "release", f"release {run.release}")


def refuses(report: Report) -> bool:
    """Whether the data of the day are garbage: nothing is learnt from such rows."""
    return any(found.kind == "data" and found.severity == ACT for found in report.findings)


def begun(held: Triggers, start: Start) -> Triggers:
    """The state in which a candidate has begun: its reasons no longer wait."""
    kinds = {reason.kind for reason in start.reasons}
    waiting = tuple(reason for reason in held.reasons if reason.kind not in kinds)
    return replace(held, reasons=waiting, starts=(*held.starts, start))


def gone_on(held: Triggers, since: str, place: str) -> Triggers:
    """The state in which the candidate that has not ended is gone on with, at this place."""
    starts = tuple(
        start if start.outcome else replace(start, since=since, place=place)
        for start in held.starts
    )
    return replace(held, starts=starts)


def ended(held: Triggers, at: str, outcome: str, until: int) -> Triggers:
    """The state in which the candidate that began at this moment has ended. It is ended once."""
    starts = tuple(
        replace(start, outcome=outcome, until=until)
        if start.at == at and not start.outcome
        else start
        for start in held.starts
    )
    return replace(held, starts=starts)


def candidates(judged: Sequence[Run], held: Triggers) -> list[Run]:
    """All candidates, each once: those that were judged, and those that a trigger began and that
    came to no verdict, as where the data were refused or nothing was new.
    """
    in_vain = [
        Run(datetime.date.fromisoformat(start.day), promoted=False)
        for start in held.starts
        if start.outcome and not any(start.after < run.release <= start.until for run in judged)
    ]
    return sorted([*judged, *in_vain], key=lambda run: run.day)


def noted(held: Triggers, reasons: Sequence[Reason], runs: Sequence[Run]) -> Triggers:
    """The state with these reasons noted. The first day of a reason stays, so noting it again
    changes nothing; a run has answered the reasons that were there before its day, and one that a
    trigger began also those of the day for which it began.
    """
    last = max((run.day for run in runs), default=datetime.date.min)
    waiting = [reason for reason in held.reasons if _day(reason) >= last]
    known = {reason.kind for reason in waiting}
    answered = {(start.day, reason.kind) for start in held.starts for reason in start.reasons}
    new = [
        reason
        for reason in reasons
        if reason.kind not in known
        and _day(reason) >= last
        and (reason.day, reason.kind) not in answered
    ]
    ordered = sorted([*waiting, *new], key=lambda reason: (reason.day, reason.kind))
    return replace(held, reasons=tuple(ordered))


def closed(
    held: Triggers, closing: Closing, runs: Sequence[Run], policy: TriggerPolicy
) -> Triggers:
    """The state with the breaker closed by a person. Raises UsageError where it is not open."""
    if not is_open(held, runs, policy):
        raise UsageError("the breaker is closed already", "There is nothing to close.")
    return replace(held, closings=(*held.closings, closing))


def is_open(held: Triggers, runs: Sequence[Run], policy: TriggerPolicy) -> bool:
    """Whether so many candidates were refused since the last that was promoted, or since the
    breaker was closed last.
    """
    return _refused(_since_closing(held, runs)) >= policy.breaker


def decide(
    held: Triggers,
    runs: Sequence[Run],
    situation: Situation,
    policy: TriggerPolicy,
    today: datetime.date,
) -> Decision:
    """Whether a candidate is due today; every brake that holds is named."""
    reasons = noted(held, _scheduled(runs, policy, today), runs).reasons
    if not reasons:
        return Decision(False, (), ())
    brakes = tuple(_brakes(held, reasons, runs, situation, policy, today))
    return Decision(not brakes, reasons, brakes)


def _brakes(
    held: Triggers,
    reasons: Sequence[Reason],
    runs: Sequence[Run],
    situation: Situation,
    policy: TriggerPolicy,
    today: datetime.date,
) -> list[str]:
    brakes = []
    since = _since_closing(held, runs)
    refused = _refused(since)
    if refused >= policy.breaker:
        brakes.append(
            f"The breaker is open: candidates that the gate refused are {refused}; fewer than"
            f" {policy.breaker} are required. A person closes it, with a reason."
        )
    first = min(_day(reason) for reason in reasons)
    waited = (today - first).days
    if waited < policy.window_days:
        brakes.append(
            f"The first reason is {waited} days old; {policy.window_days} are required, so that"
            " others become part of the same run."
        )
    vain = len(_in_vain(since))
    pause = policy.pause_days * 2 ** min(max(vain - 1, 0), _LONGEST)
    if vain and (today - since[-1].day).days < pause:
        until = since[-1].day + datetime.timedelta(days=pause)
        brakes.append(f"The last candidate was not promoted: the pause lasts until {until}.")
    month = sum(1 for run in runs if 0 <= (today - run.day).days < _MONTH)
    if month >= policy.budget:
        brakes.append(
            f"Candidates in the last {_MONTH} days are {month}; fewer than {policy.budget} are"
            " required."
        )
    if held.open:
        brakes.append(f"A candidate that began at {held.open.at} has not ended.")
    if situation.running:
        brakes.append("A release of this model runs.")
    if situation.committed:
        age = (today - datetime.date.fromisoformat(situation.committed)).days
        if 0 <= age < policy.canary_days:
            brakes.append(
                f"The release that was committed last is {age} days old; {policy.canary_days} are"
                " required, because its canary may still run."
            )
    if situation.refused:
        brakes.append("The data of today are in doubt: nothing is learnt from such rows.")
    return brakes


def _scheduled(
    runs: Sequence[Run], policy: TriggerPolicy, today: datetime.date
) -> tuple[Reason, ...]:
    """A reason without a cause: so many days after the last candidate."""
    if not policy.schedule_days or not runs:
        return ()
    due = max(run.day for run in runs) + datetime.timedelta(days=policy.schedule_days)
    if today < due:
        return ()
    sentence = f"The last candidate is {policy.schedule_days} days old or older."
    return (Reason(SCHEDULE, due.isoformat(), sentence),)


def _since_closing(held: Triggers, runs: Sequence[Run]) -> list[Run]:
    """The candidates since a person closed the breaker last, in order."""
    ordered = sorted(runs, key=lambda run: run.day)
    if not held.closings:
        return ordered
    last = datetime.date.fromisoformat(held.closings[-1].day)
    return [run for run in ordered if run.day > last]


def _in_vain(runs: Sequence[Run]) -> list[Run]:
    """The newest candidates in a row that were not promoted."""
    promoted = [at for at, run in enumerate(runs) if run.promoted]
    return list(runs[promoted[-1] + 1 :] if promoted else runs)


def _refused(runs: Sequence[Run]) -> int:
    """How many of these the gate refused."""
    return sum(1 for run in _in_vain(runs) if run.refused)


def _day(reason: Reason) -> datetime.date:
    return datetime.date.fromisoformat(reason.day)
