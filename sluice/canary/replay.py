"""What a candidate says of rows that the running model answered, and what that foretells.

Counts only, added chunk by chunk, so memory does not grow with the rows. Both models see the same
rows: a change of a share rests on the rows on which they differ, and its margin on how many.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from sluice.canary.counts import BINS
from sluice.canary.verdict import AS_BEFORE, Change, Expectation
from sluice.model.artifact.reference import Numbers, Reference, Texts
from sluice.model.quality.statistics import wilson
from sluice.percent import percent
from sluice.policy import CanaryPolicy
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import Columns
from sluice.served.tiers import Tiers

SHARES = tuple(round(at / BINS, 2) for at in range(1, BINS))  # 0.05 to 0.95
_NORMAL = 2.5758  # half a width in standard errors: 99 in 100 replays have the truth inside
_LEVEL = 0.99  # of the intervals of shares
_GROUPS = 8  # of a column of numbers
_COLUMNS = 3  # that are listed
_VALUES = 3  # of each
_FEWEST = 20  # rows of a value that is listed
_MISSING = "missing"


class Share(Struct, frozen=True):
    """A share of the rows with its interval."""

    value: float
    low: float
    high: float


class Side(Struct, frozen=True):
    """What one model says: the share flagged, of each tier, and of the rows whose probability is at
    most 0.05, 0.10, ... 0.95.
    """

    flagged: Share
    tiers: dict[str, Share]
    at_most: tuple[Share, ...]


class Moved(Struct, frozen=True):
    """The rows with one value of a column: how many the candidate alone flags, how many the running
    model alone, and the mean change of their probabilities.
    """

    value: str
    rows: int
    flagged: int
    unflagged: int
    change: float


class ColumnChange(Struct, frozen=True):
    """A column whose values part the rows by how much they change.

    `apart` is the standard deviation of the mean changes of its values, each weighed by its rows.
    """

    column: str
    apart: float
    values: tuple[Moved, ...]


class OtherUnit(Struct, frozen=True):
    """A column of numbers that is served `factor` times what the candidate was trained on."""

    column: str
    factor: float
    example: str


class Latency(Struct, frozen=True):
    """Milliseconds of one model alone for a single row, half of them and 99 of 100 within; 0 where
    nothing was measured.
    """

    median: float = 0.0
    p99: float = 0.0


class Replayed(Struct, frozen=True, kw_only=True):
    """The outcome of a replay.

    `rows` were answered by both; the candidate alone refused `refused`; `unfit` are not of the
    running model's contract, and `repeated` are further rows of a request that is counted once.
    `others` are rows of the log that other models answered, `broken` its lines that cannot be read.
    `tiers` has rows by tier of the running model, then of the candidate. `change` is the mean
    distance of both probabilities.
    """

    model: str
    candidate: str
    running: str
    source: str
    rows: int
    refused: int
    unfit: int
    repeated: int
    others: int
    broken: int
    agreement: Share
    change: float
    tiers: dict[str, dict[str, int]]
    columns: tuple[ColumnChange, ...]
    units: tuple[OtherUnit, ...]
    said_running: Side
    said_candidate: Side
    latency_running: Latency
    latency_candidate: Latency
    expected: Expectation
    sentence: str
    within: bool


@dataclass(frozen=True)
class Opinion:
    """What a model says of rows: its probabilities, float64, shape (rows,), and by which threshold
    and tiers it answers.
    """

    scores: np.ndarray
    threshold: float
    tiers: Tiers


@dataclass
class _Column:
    """The rows of a column by the place of their value: names, and counts of shape (4, names)."""

    column: Column
    names: tuple[str, ...]
    edges: np.ndarray
    counts: np.ndarray  # rows, flagged by the candidate alone, by the running one alone, change


class Tally:
    """Counts what both models say of the same rows; memory does not grow with their number."""

    def __init__(
        self,
        contract: Contract,
        reference: Reference,
        running: Tiers,
        candidate: Tiers,
    ) -> None:
        """`contract` and `reference` are those of the running model."""
        self.flags = np.zeros((2, 2), dtype=np.int64)
        self.bins = np.zeros((BINS, BINS), dtype=np.int64)
        self.tiers = np.zeros((len(running.names), len(candidate.names)), dtype=np.int64)
        self.names = running.names, candidate.names
        self.change = 0.0
        self.refused = 0
        self.unfit = 0
        self.repeated = 0
        self._columns = [_column(column, reference.get(column.key)) for column in contract.features]

    @property
    def rows(self) -> int:
        """The rows that both models answered."""
        return int(self.flags.sum())

    def add(self, columns: Columns, running: Opinion, candidate: Opinion) -> None:
        """Count what both say of these rows."""
        before, after = _flags(running), _flags(candidate)
        np.add.at(self.flags, (before, after), 1)
        np.add.at(self.bins, (_bins(running.scores), _bins(candidate.scores)), 1)
        np.add.at(self.tiers, (_tiers(running), _tiers(candidate)), 1)
        change = candidate.scores - running.scores
        self.change += float(np.abs(change).sum())
        found = np.stack([np.ones(len(change)), after > before, before > after, change])
        for kept in self._columns:
            places = _places(kept, columns[kept.column.key])
            for at, weights in enumerate(found):
                kept.counts[at] += np.bincount(places, weights, len(kept.names))

    def agreement(self) -> Share:
        """The share of rows that both flag or neither."""
        return _share(int(np.trace(self.flags)), self.rows)

    def sides(self) -> tuple[Side, Side]:
        """What the running model and the candidate say."""
        return tuple(  # type: ignore[return-value]
            Side(
                _share(int(self.flags.sum(axis=other)[1]), self.rows),
                {
                    name: _share(int(count), self.rows)
                    for name, count in zip(names, self.tiers.sum(axis=other), strict=True)
                },
                tuple(
                    _share(int(count), self.rows)
                    for count in np.cumsum(self.bins.sum(axis=other))[:-1]
                ),
            )
            for other, names in zip((1, 0), self.names, strict=True)
        )

    def migration(self) -> dict[str, dict[str, int]]:
        """Rows by tier of the running model, then of the candidate."""
        before, after = self.names
        return {
            name: dict(zip(after, (int(count) for count in row), strict=True))
            for name, row in zip(before, self.tiers, strict=True)
        }

    def expected(self) -> Expectation:
        """What the judge is to expect of a canary of this candidate."""
        if not self.rows:
            return AS_BEFORE
        before, after = self.names
        tiers = {}
        for name in dict.fromkeys((*before, *after)):
            was = np.array([one == name for one in before])
            becomes = np.array([one == name for one in after])
            tiers[name] = _change(self.tiers, was, becomes)
        at_most = tuple(
            _change(self.bins, np.arange(BINS) <= at, np.arange(BINS) <= at)
            for at in range(BINS - 1)
        )
        flag = np.array([False, True])
        return Expectation(_change(self.flags, flag, flag), tiers, at_most)

    def largest(self) -> tuple[ColumnChange, ...]:
        """The columns whose values part the rows most, each with the values that changed most."""
        found = [_column_change(kept) for kept in self._columns]
        found = [one for one in found if one.apart > 0]
        return tuple(sorted(found, key=lambda one: -one.apart)[:_COLUMNS])


def judged(tally: Tally, policy: CanaryPolicy, units: Sequence[OtherUnit] = ()) -> tuple[bool, str]:
    """Whether the candidate is within the limit of the policy, and the sentence that says so."""
    rows, changed = tally.rows, tally.rows - int(np.trace(tally.flags))
    if not rows:
        sentence = "The candidate answers 0 rows that the running model takes; 1 is required."
        return False, f"{sentence} Look what its contract allows."
    refused, share = tally.refused / (rows + tally.refused), changed / rows
    if refused > policy.refusing:
        sentence = f"The share of rows that the candidate alone refuses is {percent(refused, 1)}"
        required = f"at most {percent(policy.refusing, 1)} is required"
        return False, f"{sentence}; {required}. Look what its contract allows."
    for unit in units:
        sentence = f"{unit.column} is served {unit.factor:.4g} times what the candidate learnt from"
        required = f"({unit.example}); the same unit is required"
        return False, f"{sentence} {required}. Train it on rows in the unit that is served."
    changes = f"{percent(share, 1)} ({changed:,} of {rows:,})"
    sentence = f"The share of rows whose flag changes is {changes}"
    required = f"at most {percent(policy.replay_changed, 1)} is required"
    if share > policy.replay_changed:
        return False, f"{sentence}; {required}. Look at the columns that are listed."
    return True, f"{sentence}; {required}."


def _flags(said: Opinion) -> np.ndarray:
    return (said.scores >= said.threshold).astype(np.intp)


def _bins(scores: np.ndarray) -> np.ndarray:
    """The twentieth of each probability, as the service counts it: its upper limit is its own."""
    return np.searchsorted(SHARES, scores, side="left")


def _tiers(said: Opinion) -> np.ndarray:
    return np.searchsorted(said.tiers.limits, said.scores, side="right")


def _share(count: int, rows: int) -> Share:
    return Share(count / rows if rows else 0.0, *wilson(count, rows, _LEVEL))


def _change(joint: np.ndarray, was: np.ndarray, becomes: np.ndarray) -> Change:
    """The change of a share, from rows by what both said, shape (running, candidate).

    Half a row is added to each of the four kinds of rows (Agresti and Min 2005), so that models
    which never differed on few rows may still differ a little.
    """
    gained = int(joint[~was][:, becomes].sum())
    lost = int(joint[was][:, ~becomes].sum())
    rows = int(joint.sum())
    change = (gained - lost) / rows
    apart, more = (gained + lost + 1.0) / (rows + 2.0), (gained - lost) / (rows + 2.0)
    reach = _NORMAL * np.sqrt(max(apart - more**2, 0.0) / (rows + 2.0))
    return Change(round(change, 6), round(float(reach + abs(change - more)), 6))


def _column(column: Column, cell: Numbers | Texts | None) -> _Column:
    """A column before any row; its numbers are parted where the training rows were."""
    edges: Sequence[float] = ()
    if column.numeric:
        known = cell.edges[1:-1] if isinstance(cell, Numbers) else ()
        inner = known or _even(column)
        edges = inner[:: max(1, -(-len(inner) // (_GROUPS - 1)))]
        names = _bands(column, edges)
    else:
        names = tuple(column.values)
    names = (*names, _MISSING)
    return _Column(column, names, np.array(edges, dtype=np.float64), np.zeros((4, len(names))))


def _even(column: Column) -> tuple[float, ...]:
    """Edges inside of what a column allows, equally far apart."""
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    return tuple(float(edge) for edge in np.linspace(low, high, _GROUPS + 1)[1:-1])


def _bands(column: Column, edges: Sequence[float]) -> tuple[str, ...]:
    """The names of the bands between these edges; whole numbers have whole limits."""
    if column.kind in ("integer", "date"):
        edges = [float(np.ceil(edge)) for edge in edges]
    shown = [f"{edge:,.6g}" for edge in edges]
    if column.kind == "date":
        shown = [written(edge) for edge in edges]
    inner = [f"{low} to under {high}" for low, high in itertools.pairwise(shown)]
    return (f"under {shown[0]}", *inner, f"{shown[-1]} and over")


def _places(kept: _Column, values: np.ndarray) -> np.ndarray:
    """The place of each value among the names of its column; the last is for those without one."""
    last = len(kept.names) - 1
    if kept.column.numeric:
        places = np.searchsorted(kept.edges, values, side="right")
        return np.where(np.isnan(values), last, places)
    known = {name: place for place, name in enumerate(kept.names[:-1])}
    return np.array([known.get(value, last) for value in values], dtype=np.intp)


def _column_change(kept: _Column) -> ColumnChange:
    """How far the values of a column part the rows by their change."""
    rows, flagged, unflagged, change = kept.counts
    held = rows > 0
    if not held.any():
        return ColumnChange(kept.column.name, 0.0, ())
    means = change[held] / rows[held]
    middle = change.sum() / rows.sum()
    apart = float(np.sqrt((rows[held] * (means - middle) ** 2).sum() / rows.sum()))
    moved = [
        Moved(
            name,
            int(rows[at]),
            int(flagged[at]),
            int(unflagged[at]),
            round(float(change[at] / rows[at]), 6),
        )
        for at, name in enumerate(kept.names)
        if rows[at] >= _FEWEST
    ]
    moved.sort(key=lambda one: -abs(one.change))
    return ColumnChange(kept.column.name, round(apart, 6), tuple(moved[:_VALUES]))
