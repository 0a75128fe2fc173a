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

from sluice.errors import UsageError
from sluice.monitor.report import ACT, WATCH, Report
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


class Triggers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept in git of a model: the reasons that wait, and who closed the breaker:
    `triggers.json`.
    """

    schema: int = 1
    reasons: tuple[Reason, ...] = ()
    closings: tuple[Closing, ...] = ()


NO_TRIGGERS = Triggers()


@dataclass(frozen=True)
class Run:
    """A candidate that was judged, on which day, and what became of it: promoted, refused by the
    gate, or neither, as one that is no better than what is live.
    """

    day: datetime.date
    promoted: bool
    refused: bool = False


@dataclass(frozen=True)
class Situation:
    """What else is so on a day: a release that runs, and data that are in doubt."""

    running: bool = False
    refused: bool = False


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


def refuses(report: Report) -> bool:
    """Whether the data of the day are garbage: nothing is learnt from such rows."""
    return any(found.kind == "data" and found.severity == ACT for found in report.findings)


def noted(held: Triggers, reasons: Sequence[Reason], runs: Sequence[Run]) -> Triggers:
    """The state with these reasons noted. The first day of a reason stays, so noting it again
    changes nothing; a run has answered the reasons that were there before its day.
    """
    last = max((run.day for run in runs), default=datetime.date.min)
    waiting = [reason for reason in held.reasons if _day(reason) >= last]
    known = {reason.kind for reason in waiting}
    new = [reason for reason in reasons if reason.kind not in known and _day(reason) >= last]
    ordered = sorted([*waiting, *new], key=lambda reason: (reason.day, reason.kind))
    return Triggers(reasons=tuple(ordered), closings=held.closings)


def closed(
    held: Triggers, closing: Closing, runs: Sequence[Run], policy: TriggerPolicy
) -> Triggers:
    """The state with the breaker closed by a person. Raises UsageError where it is not open."""
    if not is_open(held, runs, policy):
        raise UsageError("the breaker is closed already", "There is nothing to close.")
    return Triggers(reasons=held.reasons, closings=(*held.closings, closing))


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
    if situation.running:
        brakes.append("A release of this model runs.")
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
