"""What happened, from the manifest repo alone: its own commits, and the verdicts noted on the
ledger branch.
"""

import heapq
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from flows.adapters.failpoints import boundary
from flows.adapters.git import git, git_log
from flows.adapters.plain_text import say
from flows.gitops import ledger as numbers
from flows.gitops import manifest_repo, writer
from flows.gitops.ledger import LEDGER
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate import ledger
from sluice.gitops import trailers
from sluice.gitops.history import Commit, Event, read

_PATHS = ("overlays", "state")
_RESERVED = re.compile(r"Reserve release (\d+) of (\S+)")
_TOLD_ELSEWHERE = ("promoted", "nothing to do")


class Ended(Protocol):
    """How a release ended: what the ledger tells of its outcome."""

    @property
    def outcome(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def branch(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def summary(self) -> str: ...


def chronicle(settings: Settings) -> list[Event]:
    """Every event, oldest first. Raises what git raises; empty where the embedded repo does not
    exist yet.
    """
    if not manifest_repo.there(settings):
        return []
    log = git_log.read(settings.remote, settings.branch, _PATHS, (LEDGER,))
    events = read(reversed(log.commits), log.merges, settings.overlay)
    released = {(event.model, event.release) for event in events if event.kind == "release"}
    # What ended without a commit for want of a builder, and was committed later under its number,
    # is no end.
    noted = [
        event
        for event in _noted(reversed(log.others.get(LEDGER, [])), settings.overlay)
        if event.kind == "reserved" or (event.model, event.release) not in released
    ]
    # Each branch keeps its order: what came after what is told by it, and not by anybody's clock.
    return list(heapq.merge(events, noted, key=_moment))


def taken_on(settings: Settings, model: str, release: int) -> str:
    """The day on which a release took its number, in ISO 8601; empty where the ledger does not
    have it. Raises what git raises.
    """
    if not manifest_repo.there(settings):
        return ""
    log = git_log.read(settings.remote, settings.branch, _PATHS, (LEDGER,))
    noted = _noted(reversed(log.others.get(LEDGER, [])), settings.overlay)
    days = [
        event.date[:10]
        for event in noted
        if event.kind == "reserved" and (event.model, event.release) == (model, release)
    ]
    return days[0] if days else ""


def _moment(event: Event) -> datetime:
    return datetime.fromisoformat(event.date)


def _noted(commits: Iterator[Commit], overlay: str) -> Iterator[Event]:
    """What the commits of the ledger tell: numbers that were taken, and verdicts that releases
    ended with.
    """
    for commit in commits:
        subject = commit.message.strip().partition("\n")[0]
        reserved = _RESERVED.match(subject)
        if reserved:
            yield Event(
                "reserved",
                commit.sha,
                commit.date,
                "",
                subject,
                model=reserved[2],
                release=int(reserved[1]),
            )
            continue
        verdict = _verdict(commit, subject, overlay)
        if verdict:
            yield verdict


def _verdict(commit: Commit, subject: str, overlay: str) -> Event | None:
    """The verdict that a release ended with; None where the commit tells none."""
    parsed = trailers.parsed(commit.message)
    raw = parsed.trailers
    named = trailers.known(raw)
    if not named.outcome:
        return None
    return Event(
        "verdict",
        commit.sha,
        commit.date,
        "",
        subject,
        parsed.before.partition("\n")[2].strip(),
        model=named.model,
        release=named.release,
        tag=named.candidate,
        verdict=named.verdict,
        outcome=named.outcome,
        overlay="" if named.overlay == overlay else named.overlay,
        data=named.data_hash,
        trailers=raw,
    )


def note(settings: Settings, model: str, candidate: str, data: str, outcome: Ended) -> None:
    """Write the end of a release that leaves no commit to the ledger branch, once; a promotion's
    commit says it itself.

    `candidate` is the key under which the release reserved its number, `data` the SHA-256 of the
    file. A release does not fail for it: what could not be written is said.
    """
    if not outcome.verdict or outcome.outcome in _TOLD_ELSEWHERE:
        return
    try:
        _note(settings, model, candidate, data, outcome)
    except SluiceError as error:
        say(f"  not noted in {LEDGER}: {error.what}")


@boundary("ledger.note")
def _note(settings: Settings, model: str, candidate: str, data: str, outcome: Ended) -> None:
    ending = ledger.Ending(outcome.verdict, outcome.outcome, data)

    def decide(repo: git.Clone) -> Change | Written:
        if not numbers.document(repo, model).key:
            return Written("already there", "the ledger knows no release of today's schema")
        opened = numbers.opened(settings, model, repo)
        noted = ledger.end(opened.ledger, candidate, ending, opened.secret)
        if noted is None:
            return Written("already there", "the ledger tells it already")
        after, release = noted
        record = trailers.Ending(
            model=model,
            release=release.number,
            candidate=outcome.tag,
            verdict=outcome.verdict,
            outcome=outcome.outcome,
            data_hash=data,
            overlay=settings.overlay,
        )
        return Change({numbers.path(model): numbers.encoded(after)}, _message(record, outcome))

    writer.write(settings, LEDGER, decide)


def _message(record: trailers.Ending, outcome: Ended) -> str:
    # Whether it was proposed just now or before a kill is not for the ledger, which tells each end
    # once.
    sentence = outcome.sentence
    if outcome.branch:
        sentence = f"proposed on {outcome.branch}"
    return trailers.commit_message(
        f"Release {record.release} of {record.model}: {record.outcome}",
        f"{outcome.summary}.\n{sentence}.",
        trailers.pairs(record),
    )
