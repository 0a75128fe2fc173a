"""How often a holdout has decided: releases in order, and the uses of each holdout.

Every look at a holdout spends some of its worth: a candidate that is chosen because it did well
there is partly chosen for luck. A use is written before anything is scored, so that a crash can
neither spend twice nor hide one. Which rows a holdout has is remembered as a sketch of salted
hashes, the smallest ones, from which the overlap of two holdouts is estimated.
"""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np  # who reads the ledger without a table at hand need not wait for it

_SKETCH = 512  # hashes; the overlap of two holdouts is known to about two points in a hundred
_REFRESHED = 0.5  # the share of positives that may be old in a holdout that counts as new

Document = Mapping[str, Any]
Sketch = tuple[int, ...]


@dataclass(frozen=True)
class Use:
    """What a release reserves: its candidate's key, its split policy, and the sketch of the
    holdout's positives.

    The champion itself, looked at again, is no candidate that could be chosen for luck: it `spends`
    nothing.
    """

    candidate: str
    split: str
    sketch: Sketch
    spends: bool = True


def sketch(hashes: "np.ndarray") -> Sketch:
    """The smallest of the salted hashes of the positives (uint64), ascending."""
    return tuple(heapq.nsmallest(_SKETCH, hashes.tolist()))


def reserve(document: Document, use: Use) -> tuple[dict[str, Any], int, int]:
    """The ledger with this release in it, the release's number, and how often the holdout had
    decided before it.

    A candidate that is there already keeps its use; one that holds the newest number keeps that
    too, and the ledger stays as it is.
    """
    releases = list(document.get("releases", ()))
    holdouts = dict(document.get("holdouts", {}))
    holdout = holdouts.get(use.split) or _anew(use.sketch, 0)
    if use.candidate not in holdout["candidates"]:
        holdout = _looked_at(holdout, use.sketch)
        holdout = {**holdout, "candidates": [*holdout["candidates"], *[use.candidate] * use.spends]}
    looked = holdout["candidates"]
    before = int(holdout["carried"]) + (
        looked.index(use.candidate) if use.candidate in looked else len(looked)
    )
    if not releases or releases[-1]["candidate"] != use.candidate:
        spent = before + 1 if use.candidate in looked else None
        number = int(releases[-1]["number"]) + 1 if releases else 1
        releases.append({"number": number, "candidate": use.candidate, "use": spent})
    written = {"schema": 1, "releases": releases, "holdouts": {**holdouts, use.split: holdout}}
    return written, int(releases[-1]["number"]), before


def _anew(rows: Sketch, carried: int) -> dict[str, Any]:
    """A holdout as it begins: each row with the number of uses that came before it, here none."""
    return {"sketch": list(rows), "since": [0] * len(rows), "carried": carried, "candidates": []}


def _looked_at(holdout: Mapping[str, Any], rows: Sketch) -> dict[str, Any]:
    """The holdout with the rows of today.

    Where at least half of its positives came after it began, it begins anew. It then carries as
    many uses as have looked at its rows in the mean: a row that came late was seen by the later
    uses alone.
    """
    spent, since = (
        len(holdout["candidates"]),
        dict(zip(holdout["sketch"], holdout["since"], strict=True)),
    )
    known = reach(tuple(holdout["sketch"]), rows)
    within = [since.get(row, spent) for row in rows if row <= known]
    old = sum(came == 0 for came in within) / len(within) if within else 1.0
    if old <= _REFRESHED and spent:
        looks = sum(spent - came for came in within) / len(within)
        return _anew(rows, math.ceil(old * holdout["carried"] + looks - 1e-9))
    # A row beyond the reach of the older sketch may have been there all the time.
    came = [since.get(row, spent) if row <= known else 0 for row in rows]
    return {**holdout, "sketch": list(rows), "since": came}


def reach(first: Sketch, second: Sketch) -> int:
    """The largest hash up to which both sketches hold every row; a sketch that is not full holds
    all there are.
    """
    return min(sketch[-1] if len(sketch) == _SKETCH else 2**64 for sketch in (first, second))
