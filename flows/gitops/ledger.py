"""The ledger branch: the number of each release, and how often a holdout decided, by
compare-and-swap.
"""

import json

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops import manifest_repo, writer
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate import ledger
from sluice.gate.ledger import Ledger, Reservation, Use
from sluice.gitops import state

LEDGER = "sluice-ledger"


@boundary("ledger.reserve")
def reserve(settings: Settings, model: str, use: Use, live: int = 0) -> tuple[int, int]:
    """The number of this release, and how often its holdout decided before; written before anything
    is scored.

    A candidate that holds the newest number keeps it, so a release that was killed neither counts
    nor spends twice. Raises SluiceError where the release that is `live` has a number that the
    ledger never gave.
    """
    reserved: list[Reservation] = []

    def decide(repo: git.Clone) -> Change | Written:
        before = document(repo, model)
        _require_whole(before, model, live)
        reservation = ledger.reserve(before, use)
        reserved.append(reservation)
        if reservation.ledger == before:
            sentence = "this candidate holds the newest number"
            return Written("already there", sentence, repo.tip, reservation.number)
        message = (
            f"Reserve release {reservation.number} of {model}\n\n"
            f"Candidate {use.candidate}, use {reservation.uses + 1} of its holdout.\n"
        )
        return Change({path(model): encoded(reservation.ledger)}, message)

    writer.write(settings, LEDGER, decide)
    return reserved[-1].number, reserved[-1].uses


def peek(settings: Settings, model: str, use: Use) -> int:
    """How often the holdout would have decided before this use; nothing is written, nothing is
    spent.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        return ledger.reserve(document(repo, model), use).uses


def known(settings: Settings, model: str, split: str, candidate: str) -> int | None:
    """How often the holdout decided before this candidate; None where only its rows can tell.

    Nothing is written, nothing is spent.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        return ledger.uses_before(document(repo, model), split, candidate)


def path(model: str) -> str:
    """The file of a model on the branch."""
    return f"{model}.json"


def document(repo: git.Clone, model: str) -> Ledger:
    """The ledger of a model in a clone of the branch; empty where it has none. Raises SluiceError
    where it is not what it should be.
    """
    text = manifest_repo.text(repo, path(model))
    if not text:
        return Ledger()
    return state.decode(text, Ledger, f"{path(model)} of branch {LEDGER}")


def encoded(document: Ledger) -> str:
    """The text of a ledger."""
    return state.encode(document, indent=1)


def _require_whole(document: Ledger, model: str, live: int) -> None:
    """A ledger that was lost would begin at one, and forget how often its holdouts decided."""
    if document.newest >= live:
        return
    what = (
        f"release {live} of {model} is live, and branch {LEDGER} ends with release"
        f" {document.newest}: it was lost or reset"
    )
    anew = json.dumps({"releases": [{"number": live, "candidate": "lost"}]})
    fix = (
        f"Push it again from a clone that has it. Where none has, commit {path(model)} to it, with"
        f" {anew}: how often the holdout decided is forgotten then."
    )
    raise SluiceError(what, fix)
