"""What happened, from the manifest repo alone: its own commits, and the verdicts noted on the
ledger branch.
"""

import heapq
import json
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.adapters.failpoints import boundary
from flows.adapters.git import git_log
from flows.gitops import ledger as numbers
from flows.gitops import manifest_repo, writer
from flows.gitops.ledger import LEDGER
from flows.gitops.writer import Change, Written
from sluice.errors import SluiceError
from sluice.gitops.history import Commit, Event, read
from sluice.gitops.manifest import commit_message, read_trailers

if TYPE_CHECKING:
    from flows.adapters.git import git
    from flows.engine.outcome import Outcome
    from flows.engine.run import Run
    from flows.engine.step import Done
    from flows.project.settings import Settings

_PATHS = ("overlays", "state")
_RESERVED = re.compile(r"Reserve release (\d+) of (\S+)")


def chronicle(settings: "Settings") -> list[Event]:
    """Every event, oldest first. Raises what git raises; empty where the embedded repo does not
    exist yet.
    """
    if not manifest_repo.there(settings):
        return []
    found = git_log.read(settings.remote, settings.branch, _PATHS, (LEDGER,))
    events = read(reversed(found.commits), found.merges, settings.overlay)
    released = {(event.model, event.release) for event in events if event.kind == "release"}
    ledger = reversed(found.others.get(LEDGER, []))
    noted = (event for commit in ledger if (event := _noted(commit, settings.overlay)))
    # What ended without a commit for want of a builder, and was committed later under its number,
    # is no end.
    ended = [
        event
        for event in noted
        if event.kind == "reserved" or (event.model, event.release) not in released
    ]
    # Each branch keeps its order: what came after what is told by it, and not by anybody's clock.
    return list(heapq.merge(events, ended, key=_when))


def _when(event: Event) -> datetime:
    return datetime.fromisoformat(event.date)


def _noted(commit: Commit, overlay: str) -> Event | None:
    """What a commit of the ledger tells: a number that was taken, or the verdict that a release
    ended with.
    """
    trailers = read_trailers(commit.message)
    subject, _, rest = commit.message.strip().partition("\n")
    if reserved := _RESERVED.match(subject):
        return Event(
            "reserved",
            commit.sha,
            commit.date,
            "",
            subject,
            model=reserved[2],
            release=int(reserved[1]),
        )
    if "Outcome" not in trailers:
        return None
    number = trailers.get("Release", "")
    return Event(
        "verdict",
        commit.sha,
        commit.date,
        "",
        subject,
        rest.strip().rpartition("\n\n")[0].strip(),
        model=trailers.get("Model", ""),
        release=int(number) if number.isdecimal() else 0,
        tag=trailers.get("Candidate", ""),
        verdict=trailers.get("Verdict", ""),
        outcome=trailers["Outcome"],
        overlay=other if (other := trailers.get("Overlay", overlay)) != overlay else "",
        data=trailers.get("Data-Hash", ""),
        trailers=trailers,
    )


def note(run: "Run", done: "Done", outcome: "Outcome") -> None:
    """Write the end of a release that leaves no commit to the ledger branch, once; a promotion's
    commit says it itself.

    A release does not fail for it: what could not be written is said.
    """
    if (
        "score" not in done
        or not outcome.verdict
        or outcome.outcome in ("promoted", "nothing to do")
    ):
        return
    try:
        _note(run, done["score"].key, outcome)
    except SluiceError as error:
        print(f"  not noted in {LEDGER}: {error.what}", file=sys.stderr, flush=True)


@boundary("ledger.note")
def _note(run: "Run", candidate: str, outcome: "Outcome") -> None:
    ended = {"verdict": outcome.verdict, "outcome": outcome.outcome, "data": run.data.sha256}

    def decide(repo: "git.Clone") -> Change | Written:
        path = f"{run.model}.json"
        document = numbers.document(repo, run.model)
        entry = _entry(document, candidate)
        if entry is None or entry.items() >= ended.items():
            return Written("already there", "the ledger tells it already")
        entry.update(ended)
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        return Change({path: text}, _message(run, int(entry["number"]), outcome))

    writer.write(run.settings, LEDGER, decide)


def _entry(document: Mapping[str, Any], candidate: str) -> dict[str, Any] | None:
    found = [entry for entry in document.get("releases", ()) if entry.get("candidate") == candidate]
    return found[-1] if found else None


def _message(run: "Run", number: int, outcome: "Outcome") -> str:
    trailers = {
        "Model": run.model,
        "Release": str(number),
        "Candidate": outcome.tag,
        "Verdict": outcome.verdict,
        "Outcome": outcome.outcome,
        "Data-Hash": run.data.sha256,
        "Overlay": run.settings.overlay,
    }
    # Whether it was proposed just now or before a kill is not for the ledger, which tells each end
    # once.
    said = f"proposed on {outcome.branch}" if outcome.branch else outcome.sentence
    return commit_message(
        f"Release {number} of {run.model}: {outcome.outcome}",
        f"{outcome.summary}.\n{said}.",
        trailers,
    )
