"""How often a holdout has decided: releases in order, and the uses of each holdout.

Every look at a holdout spends some of its worth: a candidate that is chosen because it did well
there is partly chosen for luck. A use is written before anything is scored, so that a crash can
neither spend twice nor hide one. Which rows a holdout has is remembered as a sketch of salted
hashes, the smallest ones, from which the overlap of two holdouts is estimated.
"""

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Struct, UnsetType

if TYPE_CHECKING:
    import numpy as np  # who reads the ledger without a table at hand need not wait for it

_SKETCH = 512  # hashes; the overlap of two holdouts is known to about two points in a hundred
_REFRESHED = 0.5  # the share of positives that may be old in a holdout that counts as new
_BEYOND = 2**64  # above every hash
_EXACT = 1e-9  # what rounding may add to a mean that is a whole number

Sketch = tuple[int, ...]


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release by its number (from 1) and its candidate's key.

    `use` is the number of its use of the holdout (from 1), None where it spent none. Verdict,
    outcome and data (SHA-256 of the file) are set where it ended without a commit that tells them.
    """

    number: int
    candidate: str
    use: int | UnsetType | None = UNSET
    verdict: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    data: str | UnsetType = UNSET


class UsedHoldout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a holdout decided.

    sketch       hashes of its positives, ascending
    since        for each of these, how many candidates had used the holdout before it came
    carried      uses of the holdout before it, which saw rows of this one too
    candidates   the keys of the candidates that used it, in order
    """

    sketch: tuple[int, ...]
    since: tuple[int, ...]
    carried: int
    candidates: tuple[str, ...]


class Ledger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every release of a model in order, and its holdouts by the hash of their split policy."""

    schema: int = 1
    releases: tuple[Release, ...] = ()
    holdouts: dict[str, UsedHoldout] = {}

    @property
    def newest(self) -> int:
        """The number of the newest release; 0 where there was none."""
        return max((release.number for release in self.releases), default=0)


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


@dataclass(frozen=True)
class Ending:
    """How a release ended that left no commit: verdict, outcome, and SHA-256 of its data."""

    verdict: str
    outcome: str
    data: str


@dataclass(frozen=True)
class Reservation:
    """The ledger with a release in it, its number, and how often its holdout had decided before."""

    ledger: Ledger
    number: int
    uses: int


def sketch(hashes: "np.ndarray") -> Sketch:
    """The smallest of the salted hashes of the positives, shape (rows,), uint64; ascending."""
    return tuple(heapq.nsmallest(_SKETCH, hashes.tolist()))


def uses_before(ledger: Ledger, split: str, candidate: str) -> int | None:
    """How often the holdout of a split had decided before a candidate, without its rows.

    The same as `reserve` says for it. None where only the rows can tell: the candidate spent no
    use of this holdout, and another release was reserved since.
    """
    holdout = ledger.holdouts.get(split)
    if holdout is None:
        return None
    if candidate in holdout.candidates:
        return holdout.carried + holdout.candidates.index(candidate)
    if ledger.releases and ledger.releases[-1].candidate == candidate:
        return holdout.carried + len(holdout.candidates)
    return None


def reserve(ledger: Ledger, use: Use) -> Reservation:
    """Reserve a number and a use of the holdout for a release.

    A candidate that is there already keeps its use; one that holds the newest number keeps that
    too, and the ledger stays as it is.
    """
    holdout = _used(ledger, use)
    spent = use.candidate in holdout.candidates
    before = holdout.carried + len(holdout.candidates)
    if spent:
        before = holdout.carried + holdout.candidates.index(use.candidate)
    releases = ledger.releases
    if not releases or releases[-1].candidate != use.candidate:
        number = releases[-1].number + 1 if releases else 1
        newest = Release(number=number, candidate=use.candidate, use=before + 1 if spent else None)
        releases = (*releases, newest)
    after = Ledger(releases=releases, holdouts={**ledger.holdouts, use.split: holdout})
    return Reservation(after, releases[-1].number, before)


def _used(ledger: Ledger, use: Use) -> UsedHoldout:
    """The holdout as it is after this use."""
    holdout = ledger.holdouts.get(use.split) or _anew(use.sketch, 0)
    if use.candidate in holdout.candidates:
        return holdout
    holdout = _looked_at(holdout, use.sketch)
    if not use.spends:
        return holdout
    return msgspec.structs.replace(holdout, candidates=(*holdout.candidates, use.candidate))


def _anew(rows: Sketch, carried: int) -> UsedHoldout:
    """A holdout as it begins: no use came before any of its rows."""
    return UsedHoldout(sketch=rows, since=(0,) * len(rows), carried=carried, candidates=())


def _looked_at(holdout: UsedHoldout, rows: Sketch) -> UsedHoldout:
    """The holdout with the rows of today.

    Where at least half of its positives came after it began, it begins anew. It then carries as
    many uses as have looked at its rows in the mean: a row that came late was seen by the later
    uses alone.
    """
    spent = len(holdout.candidates)
    since = dict(zip(holdout.sketch, holdout.since, strict=True))
    known = reach(holdout.sketch, rows)
    within = [since.get(row, spent) for row in rows if row <= known]
    old = within.count(0) / len(within) if within else 1.0
    if old <= _REFRESHED and spent:
        looks = sum(spent - came for came in within) / len(within)
        return _anew(rows, math.ceil(old * holdout.carried + looks - _EXACT))
    # A row beyond the reach of the older sketch may have been there all the time.
    came = tuple(since.get(row, spent) if row <= known else 0 for row in rows)
    return msgspec.structs.replace(holdout, sketch=rows, since=came)


def reach(first: Sketch, second: Sketch) -> int:
    """The largest hash up to which both sketches hold every row; a sketch that is not full holds
    all there are.
    """
    return min(_furthest(first), _furthest(second))


def _furthest(rows: Sketch) -> int:
    return rows[-1] if len(rows) == _SKETCH else _BEYOND


def end(ledger: Ledger, candidate: str, ending: Ending) -> tuple[Ledger, Release] | None:
    """The ledger that tells how the newest release of a candidate ended, and that release.

    None where there is no such release, or the ledger tells that end already.
    """
    releases = list(ledger.releases)
    for place in reversed(range(len(releases))):
        if releases[place].candidate == candidate:
            break
    else:
        return None
    ended = msgspec.structs.replace(
        releases[place], verdict=ending.verdict, outcome=ending.outcome, data=ending.data
    )
    if ended == releases[place]:
        return None
    releases[place] = ended
    return msgspec.structs.replace(ledger, releases=tuple(releases)), ended
