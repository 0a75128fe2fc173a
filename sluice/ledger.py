"""How often a holdout has decided: releases in order, and the uses of each holdout.

Every look at a holdout spends some of its worth: a candidate that is chosen because it did well there is partly chosen for
luck. A use is written before anything is scored, so that a crash can neither spend twice nor hide one. Which rows a holdout
has is remembered as a sketch of salted hashes, the smallest ones, from which the overlap of two holdouts is estimated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_SKETCH = 512  # hashes; the overlap of two holdouts is known to about two points in a hundred
_REFRESHED = 0.5  # the share of positives that may be old in a holdout that counts as new

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Use:
    """What a release reserves: its candidate's key, its split policy, and the sketch of the holdout's positives."""

    candidate: str
    split: str
    sketch: tuple[int, ...]


def sketch(hashes: np.ndarray) -> tuple[int, ...]:
    """The smallest of the salted hashes of the positives (uint64), ascending."""
    return tuple(int(value) for value in np.sort(hashes)[:_SKETCH])


def seen(now: tuple[int, ...], before: tuple[int, ...]) -> float:
    """The share of the rows behind `now` that are among the rows behind `before`, as far as both sketches reach."""
    reach = min(now[-1] if len(now) == _SKETCH else 2**64, before[-1] if len(before) == _SKETCH else 2**64)
    within = [value for value in now if value <= reach]
    return len(set(within) & set(before)) / len(within) if within else 0.0


def reserve(document: Document, use: Use) -> tuple[dict[str, Any], int, int]:
    """The ledger with this release in it, the release's number, and how often the holdout had decided before it.

    A candidate that is there already keeps its use; one that holds the newest number keeps that too, and the ledger
    stays as it is.
    """
    releases = list(document.get("releases", ()))
    holdouts = {split: dict(holdout) for split, holdout in document.get("holdouts", {}).items()}
    holdout = holdouts.get(use.split)
    if holdout is None:
        holdout = {"sketch": list(use.sketch), "carried": 0, "candidates": []}
    elif use.candidate not in holdout["candidates"]:
        holdout = _refreshed(holdout, use)
    candidates = list(holdout["candidates"])
    if use.candidate not in candidates:
        candidates.append(use.candidate)
    before = int(holdout["carried"]) + candidates.index(use.candidate)
    holdouts[use.split] = {**holdout, "candidates": candidates}
    if not releases or releases[-1]["candidate"] != use.candidate:
        releases.append({"number": len(releases) + 1, "candidate": use.candidate, "use": before + 1})
    return {"schema": 1, "releases": releases, "holdouts": holdouts}, int(releases[-1]["number"]), before


def _refreshed(holdout: dict[str, Any], use: Use) -> dict[str, Any]:
    """A holdout of which at least half of the positives are new starts anew, with the old uses by the share seen."""
    share = seen(use.sketch, tuple(holdout["sketch"]))
    if share > _REFRESHED:
        return holdout
    spent = int(holdout["carried"]) + len(holdout["candidates"])
    return {"sketch": list(use.sketch), "carried": int(np.ceil(share * spent)), "candidates": []}
