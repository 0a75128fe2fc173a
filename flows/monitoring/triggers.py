"""The triggers of a model, beside the ledger: what waits there, and what the commits tell of the
candidates so far. Nothing of it is in the database of an engine.
"""

import datetime
from collections.abc import Sequence

from flows.adapters.git import git
from flows.gitops import manifest_repo, writer
from flows.gitops.events import chronicle
from flows.gitops.ledger import LEDGER
from flows.gitops.writer import Change, Written
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.gitops import state
from sluice.gitops.history import Event
from sluice.monitor.report import Report
from sluice.monitor.triggers import (
    NO_TRIGGERS,
    Closing,
    Decision,
    Run,
    Situation,
    Triggers,
    closed,
    decide,
    noted,
    reasons_of,
    refuses,
)
from sluice.policy import Policy, load_policy

_REFUSED = ("REJECT", "INSUFFICIENT")  # verdicts
_FRESH = 1  # days for which a release that has not ended is taken to run


def path(model: str) -> str:
    """The file of a model on the branch of the ledger."""
    return f"triggers/{model}.json"


def look(settings: Settings, model: str, report: Report, today: datetime.date) -> Decision:
    """What would be done after this report; nothing is written."""
    events = chronicle(settings)
    runs = runs_of(events, model)
    with git.clone(settings.remote, LEDGER) as repo:
        held = _held(repo, model)
    policy = _policy(settings, model).triggers
    after = noted(held, reasons_of(report, runs, policy), runs)
    situation = Situation(running=is_running(events, model, today), refused=refuses(report))
    return decide(after, runs, situation, policy, today)


def record(settings: Settings, model: str, report: Report) -> Written:
    """Note the reasons in a report, once: noting them again writes nothing."""
    runs = runs_of(chronicle(settings), model)
    reasons = reasons_of(report, runs, _policy(settings, model).triggers)

    def change(repo: git.Clone) -> Change | Written:
        held = _held(repo, model)
        after = noted(held, reasons, runs)
        if after == held:
            return Written("already there", "every reason is noted already", repo.tip)
        lines = "\n".join(f"{reason.kind}: {reason.sentence}" for reason in after.reasons)
        message = f"Note why a candidate of {model} is wanted\n\n{lines or 'No reason is left.'}\n"
        return Change({path(model): state.encode(after)}, message)

    return writer.write(settings, LEDGER, change)


def close(settings: Settings, model: str, why: str, today: datetime.date) -> Written:
    """Close the breaker. Raises UsageError where it is not open."""
    runs = runs_of(chronicle(settings), model)
    policy = _policy(settings, model).triggers
    closing = Closing(settings.who, today.isoformat(), why)

    def change(repo: git.Clone) -> Change | Written:
        after = closed(_held(repo, model), closing, runs, policy)
        message = f"Close the breaker of {model}\n\n{why}\n\nBy {closing.who}.\n"
        return Change({path(model): state.encode(after)}, message)

    return writer.write(settings, LEDGER, change)


def runs_of(events: Sequence[Event], model: str) -> list[Run]:
    """The candidates that were judged, oldest first, whoever began them."""
    return [
        Run(
            _day(event),
            promoted=event.kind == "release" or event.verdict == "PROMOTE",
            refused=event.verdict in _REFUSED,
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
