"""The ledger branch: the number of each release, and how often a holdout decided, by compare-and-swap."""

import json
from typing import Any

from flows import manifests, writing
from flows.adapters import git
from flows.settings import Settings
from flows.writing import Change, Written
from sluice import ledger
from sluice.errors import SluiceError
from sluice.ledger import Use

LEDGER = "sluice-ledger"


def reserve(settings: Settings, model: str, use: Use) -> tuple[int, int]:
    """The number of this release, and how often its holdout decided before; written before anything is scored.

    A candidate that holds the newest number keeps it, so a release that was killed neither counts nor spends twice.
    """
    found: list[tuple[int, int]] = []

    def decide(repo: git.Clone) -> Change | Written:
        before = _ledger(repo, model)
        after, number, uses = ledger.reserve(before, use)
        found[:] = [(number, uses)]
        if after == before:
            return Written("already there", "this candidate holds the newest number", repo.tip, number)
        said = f"Reserve release {number} of {model}\n\nCandidate {use.candidate}, use {uses + 1} of its holdout.\n"
        return Change({f"{model}.json": json.dumps(after, indent=1, sort_keys=True) + "\n"}, said)

    writing.write(settings, LEDGER, decide)
    return found[0]


def peek(settings: Settings, model: str, use: Use) -> int:
    """How often the holdout would have decided before this use; nothing is written, nothing is spent."""
    with git.clone(settings.remote, LEDGER) as repo:
        return ledger.reserve(_ledger(repo, model), use)[2]


def _ledger(repo: git.Clone, model: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(manifests.text(repo, f"{model}.json") or "{}")
    except ValueError as error:
        fix = f"Restore it from the history of branch {LEDGER}."
        raise SluiceError(f"{model}.json of branch {LEDGER} is not JSON: {error}", fix) from None
    return found
