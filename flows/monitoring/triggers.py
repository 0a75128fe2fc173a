"""The triggers of a model, beside the ledger: what waits, what was begun, and what the commits tell
of the candidates so far. Nothing of it is in the database of an engine.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from flows.adapters.git import git
from flows.gitops import canary_record, ledger, manifest_repo, writer
from flows.gitops.events import chronicle
from flows.gitops.ledger import LEDGER
from flows.gitops.writer import Change, Written
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.gitops import state
from sluice.gitops.history import Event
from sluice.monitor.report import Happened, Report
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
from sluice.policy import MonitorPolicy, Policy, TriggerPolicy, load_policy

_REFUSED = ("REJECT", "INSUFFICIENT")  # verdicts
_FRESH = 1  # days for which a release that has not ended is taken to run
_LEASE = datetime.timedelta(hours=12)  # after which a start of another place is taken over


@dataclass(frozen=True)
class Begun:
    """The decision, and the candidate that is to be run now; None where it has to wait.

    `again` says that it began before, and whoever ran it died.
    """

    decision: Decision
    start: Start | None
    again: bool = False


@dataclass(frozen=True)
class _Seen:
    """What is known when it is decided: the state in git with the reasons of the report noted, all
    candidates so far, and the situation.
    """

    held: Triggers
    runs: list[Run]
    situation: Situation


def path(model: str) -> str:
    """The file of a model on the branch of the ledger."""
    return f"triggers/{model}.json"


def look(settings: Settings, model: str, report: Report, today: datetime.date) -> Decision:
    """What would be done after this report; nothing is written."""
    policy = _policy(settings, model).triggers
    with git.clone(settings.remote, LEDGER) as repo:
        seen = _seen(settings, repo, model, report, policy, today)
    return decide(seen.held, seen.runs, seen.situation, policy, today)


def record(settings: Settings, model: str, report: Report) -> Written:
    """Note the reasons in a report, once: noting them again writes nothing."""
    policy = _policy(settings, model).triggers
    today = datetime.date.fromisoformat(report.day)

    def change(repo: git.Clone) -> Change | Written:
        after = _seen(settings, repo, model, report, policy, today).held
        if after == _held(repo, model):
            return Written("already there", "every reason is noted already", repo.tip)
        message = f"Note why a candidate of {model} is wanted\n\n{_lines(after.reasons)}\n"
        return Change({path(model): state.encode(after)}, message)

    return writer.write(settings, LEDGER, change)


def begin(
    settings: Settings, model: str, report: Report, now: datetime.datetime, place: str
) -> Begun:
    """Begin a candidate where one is due, by a commit that is there before it runs.

    Of several at the same moment one begins. Whoever calls is the only one at `place`: a start of
    this place that has not ended is that of a process that died, and is gone on with; so is one of
    another place when its lease is over.
    """
    policy = _policy(settings, model).triggers
    today = now.astimezone(datetime.UTC).date()
    at = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
    last: list[Begun] = []

    def change(repo: git.Clone) -> Change | Written:
        seen = _seen(settings, repo, model, report, policy, today)
        decision = decide(seen.held, seen.runs, seen.situation, policy, today)
        running = seen.held.open
        if running and (running.place == place or _is_over(running, now)):
            last.append(Begun(decision, replace(running, since=at, place=place), again=True))
            after = gone_on(seen.held, at, place)
            message = f"Go on with the candidate of {model} that began at {running.at}\n"
            return Change({path(model): state.encode(after)}, message)
        if running or not decision.due:
            last.append(Begun(decision, None))
            return Written("held", decision.sentence, repo.tip)
        start = Start(at, at, place, decision.reasons, _newest(repo, model))
        last.append(Begun(decision, start))
        kinds = ", ".join(reason.kind for reason in start.reasons)
        message = f"Begin a candidate of {model}: {kinds}\n\n{_lines(start.reasons)}\n"
        return Change({path(model): state.encode(begun(seen.held, start))}, message)

    writer.write(settings, LEDGER, change)
    return last[-1]


def end(settings: Settings, model: str, start: Start, outcome: str) -> Written:
    """Note how a candidate ended that a trigger began, once."""

    def change(repo: git.Clone) -> Change | Written:
        held = _held(repo, model)
        after = ended(held, start.at, outcome, _newest(repo, model))
        if after == held:
            return Written("already there", "it is noted already", repo.tip)
        message = f"End the candidate of {model} that began at {start.at}: {outcome}\n"
        return Change({path(model): state.encode(after)}, message)

    return writer.write(settings, LEDGER, change)


def close(settings: Settings, model: str, why: str, today: datetime.date) -> Written:
    """Close the breaker. Raises UsageError where it is not open."""
    judged = runs_of(chronicle(settings), model)
    policy = _policy(settings, model).triggers
    closing = Closing(settings.who, today.isoformat(), why)

    def change(repo: git.Clone) -> Change | Written:
        held = _held(repo, model)
        after = closed(held, closing, candidates(judged, held), policy)
        message = f"Close the breaker of {model}\n\n{why}\n\nBy {closing.who}.\n"
        return Change({path(model): state.encode(after)}, message)

    return writer.write(settings, LEDGER, change)


def story_of(settings: Settings, model: str) -> tuple[Happened, ...]:
    """What happened to a model, from the commits; empty where there is no manifest repo yet."""
    if not manifest_repo.there(settings):
        return ()
    ours = [event for event in chronicle(settings) if event.model == model]
    events = [event for event in ours if event.kind in ("release", "verdict")]
    others = [moved(event) for event in ours if event.kind in ("rollback", "canary")]
    with git.clone(settings.remote, LEDGER) as repo:
        held = _held(repo, model)
    ends = [event.outcome or "promoted" for event in events]
    return story(list(zip(runs_of(events, model), ends, strict=True)), held, others)


def moved(event: Event) -> Happened:
    """The end of a canary, or a rollback."""
    day, number = _day(event).isoformat(), event.release
    if event.kind == "rollback":
        why = f": {event.reason}" if event.reason else "."
        what = f"Rolled back to release {number}{why}"
        return Happened(day, what, "rollback", f"back to {number}")
    ends = {
        "healthy": f"The canary of release {number} passed.",
        "unproven": f"Release {number} became live without a canary.",
        "promoted": f"The canary of release {number} was promoted by hand.",
    }
    what = ends.get(event.outcome, f"The canary of release {number} ended: {event.outcome}.")
    return Happened(day, what, "canary", f"canary of {number}")


def breaker_is_open(settings: Settings, model: str) -> bool:
    """Whether only a person lets the next candidate begin."""
    with git.clone(settings.remote, LEDGER) as repo:
        held = _held(repo, model)
    runs = candidates(runs_of(chronicle(settings), model), held)
    return is_open(held, runs, _policy(settings, model).triggers)


def monitor_policy(settings: Settings, model: str) -> MonitorPolicy:
    """When the monitor of the model says "act"."""
    return _policy(settings, model).monitor


def runs_of(events: Sequence[Event], model: str) -> list[Run]:
    """The candidates that were judged, oldest first, whoever began them."""
    return [
        Run(
            _day(event),
            promoted=event.kind == "release" or event.verdict == "PROMOTE",
            refused=event.verdict in _REFUSED,
            release=event.release,
        )
        for event in events
        if event.model == model and event.kind in ("release", "verdict")
    ]


def is_running(events: Sequence[Event], model: str, today: datetime.date) -> bool:
    """Whether a release has taken a number lately and has not ended."""
    ours = [event for event in events if event.model == model]
    ended = {event.release for event in ours if event.kind in ("release", "verdict")}
    return any(
        event.kind == "reserved"
        and event.release not in ended
        and (today - _day(event)).days <= _FRESH
        for event in ours
    )


def _seen(
    settings: Settings,
    repo: git.Clone,
    model: str,
    report: Report,
    policy: TriggerPolicy,
    today: datetime.date,
) -> _Seen:
    events = chronicle(settings)
    held = _held(repo, model)
    runs = candidates(runs_of(events, model), held)
    live = [_day(event) for event in events if event.model == model and event.kind == "release"]
    situation = Situation(
        running=is_running(events, model, today),
        refused=refuses(report),
        committed=max(live).isoformat() if live and not _canary_ended(settings, model) else "",
    )
    return _Seen(noted(held, reasons_of(report, runs, policy), runs), runs, situation)


def _canary_ended(settings: Settings, model: str) -> bool:
    """Whether git says how the canary of what is live ended, as `sluice reconcile` writes it."""
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        return False
    return canary_record.is_recorded(live.champion)


def _is_over(start: Start, now: datetime.datetime) -> bool:
    return now - datetime.datetime.fromisoformat(start.since) > _LEASE


def _newest(repo: git.Clone, model: str) -> int:
    """The newest number that a release of the model has taken; 0 before the first."""
    releases = ledger.document(repo, model).releases
    return max((release.number for release in releases), default=0)


def _lines(reasons: Sequence[Reason]) -> str:
    lines = "\n".join(f"{reason.kind}: {reason.sentence}" for reason in reasons)
    return lines or "No reason is left."


def _held(repo: git.Clone, model: str) -> Triggers:
    name = path(model)
    text = manifest_repo.text(repo, name)
    return state.decode(text, Triggers, name) if text else NO_TRIGGERS


def _policy(settings: Settings, model: str) -> Policy:
    project = settings.project
    text = project_text(model_folder(model, project) / "policy.toml", project)
    return load_policy(text, f"models/{model}/policy.toml")


def _day(event: Event) -> datetime.date:
    moment = datetime.datetime.fromisoformat(event.date)
    return moment.astimezone(datetime.UTC).date() if moment.tzinfo else moment.date()
