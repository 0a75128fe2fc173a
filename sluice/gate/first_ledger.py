"""The ledger as versions up to 0.1 wrote it: schema 1, read once and never written again.

It knew a holdout by the name of its split, and its positives by hashes with the public salt of that
split. These hashes are compared with the rows of today, and then left out.
"""

import math

from msgspec import UNSET, Struct, UnsetType

SKETCH = 512  # hashes that a sketch held
_REFRESHED = 0.5
_BEYOND = 2**64
_EXACT = 1e-9

Sketch = tuple[int, ...]


class FirstRelease(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release by number and candidate; `use` is None where it spent none, unset in older ones."""

    number: int
    candidate: str
    use: int | UnsetType | None = UNSET
    verdict: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    data: str | UnsetType = UNSET


class UsedHoldout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a holdout decided.

    `sketch` holds hashes of its positives, ascending, `since` for each how many candidates had used
    the holdout before it came; `carried` counts uses of the holdout before it that saw these rows.
    """

    sketch: Sketch
    since: tuple[int, ...]
    carried: int
    candidates: tuple[str, ...]


class FirstLedger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every release of a model in order, and its holdouts by the hash of their split policy."""

    schema: int = 1
    releases: tuple[FirstRelease, ...] = ()
    holdouts: dict[str, UsedHoldout] = {}


def use_of(ledger: FirstLedger, candidate: str) -> int | None:
    """The number of a candidate's use (from 1), None where it spent none."""
    for holdout in ledger.holdouts.values():
        if candidate in holdout.candidates:
            return holdout.carried + holdout.candidates.index(candidate) + 1
    return None


def uses_of(ledger: FirstLedger, split: str, rows: Sketch) -> int:
    """How often rows had decided: `rows` are the smallest hashes of the positives with the salt of
    their `split`, ascending.

    The most of what any holdout tells, so a split of another name that has the same rows is found.
    """
    told = [_uses(holdout, rows, same=name == split) for name, holdout in ledger.holdouts.items()]
    return max(told, default=0)


def _uses(holdout: UsedHoldout, rows: Sketch, *, same: bool) -> int:
    spent = len(holdout.candidates)
    since = dict(zip(holdout.sketch, holdout.since, strict=True))
    known = min(_furthest(holdout.sketch), _furthest(rows))
    within = [row for row in rows if row <= known]
    if not within:
        return holdout.carried + spent if same else 0
    old = [spent - since[row] for row in within if row in since]
    share = len(old) / len(within)
    if share > _REFRESHED and same:
        return holdout.carried + spent
    looks = sum(old) / len(within)
    return math.ceil(share * holdout.carried + looks - _EXACT)


def _furthest(rows: Sketch) -> int:
    """The largest hash up to which a sketch holds every row."""
    return rows[-1] if len(rows) == SKETCH else _BEYOND
