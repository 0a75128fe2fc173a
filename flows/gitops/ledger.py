"""The ledger branch: the number of each release, and how often a holdout decided, by
compare-and-swap.
"""

import json
from collections.abc import Mapping
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops import manifest_repo, writer
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate import ledger
from sluice.gate.ledger import Use

LEDGER = "sluice-ledger"
_HOLDOUT = {"sketch": list, "since": list, "carried": int, "candidates": list}


@boundary("ledger.reserve")
def reserve(settings: Settings, model: str, use: Use, live: int = 0) -> tuple[int, int]:
    """The number of this release, and how often its holdout decided before; written before anything
    is scored.

    A candidate that holds the newest number keeps it, so a release that was killed neither counts
    nor spends twice. Raises SluiceError where the release that is `live` has a number that the
    ledger never gave.
    """
    found: list[tuple[int, int]] = []

    def decide(repo: git.Clone) -> Change | Written:
        before = document(repo, model)
        _require_whole(before, model, live)
        after, number, uses = ledger.reserve(before, use)
        found[:] = [(number, uses)]
        if after == before:
            return Written(
                "already there", "this candidate holds the newest number", repo.tip, number
            )
        said = (
            f"Reserve release {number} of {model}\n\nCandidate {use.candidate}, use {uses + 1} of"
            " its holdout.\n"
        )
        return Change({f"{model}.json": json.dumps(after, indent=1, sort_keys=True) + "\n"}, said)

    writer.write(settings, LEDGER, decide)
    return found[0]


def peek(settings: Settings, model: str, use: Use) -> int:
    """How often the holdout would have decided before this use; nothing is written, nothing is
    spent.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        return ledger.reserve(document(repo, model), use)[2]


def document(repo: git.Clone, model: str) -> dict[str, Any]:
    """The ledger of a model in a clone of the branch. Raises SluiceError where it is not what it
    should be.
    """
    path = f"{model}.json of branch {LEDGER}"
    found = manifest_repo.parsed(manifest_repo.text(repo, f"{model}.json") or "{}", path)
    manifest_repo.require(
        {"releases": [], "holdouts": {}, **found}, {"releases": list, "holdouts": dict}, path
    )
    for number, entry in enumerate(found.get("releases", []), 1):
        manifest_repo.require(
            entry, {"number": int, "candidate": str}, f"release {number} in {path}"
        )
    for name, holdout in found.get("holdouts", {}).items():
        manifest_repo.require(holdout, _HOLDOUT, f"holdout {name} in {path}")
    return found


def _require_whole(document: Mapping[str, Any], model: str, live: int) -> None:
    """A ledger that was lost would begin at one, and forget how often its holdouts decided."""
    newest = max((int(entry["number"]) for entry in document.get("releases", [])), default=0)
    if newest >= live:
        return
    what = (
        f"release {live} of {model} is live, and branch {LEDGER} ends with release {newest}: it was"
        " lost or reset"
    )
    anew = json.dumps({"releases": [{"number": live, "candidate": "lost"}]})
    fix = (
        f"Push it again from a clone that has it. Where none has, commit {model}.json to it, with"
        f" {anew}: how often the holdout decided is forgotten then."
    )
    raise SluiceError(what, fix)
