"""A candidate that a trigger begins: at most one at a time, and none lost where its process is
killed.
"""

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from flows.adapters.files import write_atomic
from flows.adapters.only_one import only_one
from flows.monitoring import triggers
from flows.project import homes
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.monitor.report import Report
from sluice.monitor.triggers import Decision, Start

Release = Callable[[], tuple[str, str]]


class Ran(Struct, frozen=True):
    """A candidate that ran: its start, whether it had been begun before, how it ended, in a word
    and a sentence.
    """

    start: Start
    again: bool
    outcome: str
    sentence: str


@dataclass(frozen=True)
class Tried:
    """What became of the reasons: the decision, and the candidate where one ran."""

    decision: Decision
    ran: Ran | None = None


def run_due(
    settings: Settings, model: str, report: Report, now: datetime.datetime, release: Release
) -> Tried:
    """Note the reasons of a report, and release a candidate where one is due.

    `release` gives the outcome and its sentence. The start is committed before it, with its
    reasons, and its end after it; who is killed between the two goes on with it the next time.
    Raises what the release raises, and then it is not ended.
    """
    triggers.record(settings, model, report)
    with only_one(settings.home / "monitor" / model / "candidate.lock") as alone:
        if not alone:
            return Tried(triggers.look(settings, model, report, now.date()))
        begun = triggers.begin(settings, model, report, now, _place(settings))
        if begun.start is None:
            return Tried(begun.decision)
        outcome, sentence = release()
        triggers.end(settings, model, begun.start, outcome)
        return Tried(begun.decision, Ran(begun.start, begun.again, outcome, sentence))


def require_own_rows(settings: Settings, model: str) -> None:
    """Raise UsageError where the data of the next candidate are not of what is live here."""
    if homes.load_for_data(model, None).home != settings.home:
        raise UsageError(
            f"the data of {model} are generated rows, and what is live was not made of these",
            f"Write data/{model}.toml: it names the rows of the next candidate.",
        )


def _place(settings: Settings) -> str:
    """The name of this state folder: by lot, so that no two have the same."""
    path = settings.home / "monitor" / "place"
    if not path.exists():
        write_atomic(path, secrets.token_hex(8).encode())
    return path.read_text(encoding="utf-8")
