"""What a candidate says of rows that the running model answered, and what that foretells.

Counts only, added chunk by chunk, so memory does not grow with the rows. Both models see the same
rows: a change of a share rests on the rows on which they differ, and its margin on how many.

Of several classes the tier of a row is its class, as in the numbers of the service, and its
probability is that of the class that is answered. Of a number the tier says whether the answer is
inside of its plausible range.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from sluice.canary.counts import BINS, Kind
from sluice.canary.number_replay import NumberOpinion, apart, common_limits
from sluice.canary.verdict import AS_BEFORE, NO_CHANGE, Change, Expectation
from sluice.model.artifact.reference import Numbers, Reference, Texts
from sluice.model.quality.statistics import wilson
from sluice.percent import percent
from sluice.policy import CanaryPolicy
from sluice.served.classes import chosen
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import Columns
from sluice.served.quantity_cells import INSIDE, OUTSIDE
from sluice.served.tiers import Tiers

SHARES = tuple(round(at / BINS, 2) for at in range(1, BINS))  # 0.05 to 0.95
_NORMAL = 2.5758  # half a width in standard errors: 99 in 100 replays have the truth inside
_LEVEL = 0.99  # of the intervals of shares
_GROUPS = 8  # of a column of numbers
_COLUMNS = 3  # that are listed
_VALUES = 3  # of each
_FEWEST = 20  # rows of a value that is listed
_MISSING = "missing"
_FLAGS = ("0", "1")  # what is answered of one class


class Share(Struct, frozen=True):
    """A share of the rows with its interval."""

    value: float
    low: float
    high: float


class Side(Struct, frozen=True):
    """What one model says: the share flagged, of each tier, and of the rows whose probability is at
    most 0.05, 0.10, ... 0.95.

    Of several classes none is flagged, and `classes` has for each of them the shares of the rows
    whose probability of it is at most 0.05, 0.10, ... 0.95. Of a number none is flagged either, and
    `at_most` is of the limits that both models count by.
    """

    flagged: Share | None
    tiers: dict[str, Share]
    at_most: tuple[Share, ...]
    classes: dict[str, tuple[float, ...]] = {}


class Moved(Struct, frozen=True):
    """The rows with one value of a column: how many the candidate alone flags, how many the running
    model alone, and the mean change of their probabilities. Of several classes `answered` are the
    rows with another class, and a change is the distance of the probabilities. Of a number
    `flagged` moved up by two tenths of the usual answers or more, `unflagged` down, and a change is
    in its unit.
    """

    value: str
    rows: int
    flagged: int
    unflagged: int
    change: float
    answered: int = 0


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
    distance of both probabilities: half the sum over the classes, where there are several.

    Of a number `tiers` are the tenths of what the running model usually answers, from 1, `change`
    is in the `unit`, and `limits` are those of the histogram.
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
    kind: Kind = "flag"
    limits: tuple[float, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Opinion:
    """What a model says of rows: its probabilities, float64, shape (rows,), and by which threshold
    and tiers it answers.
    """

    scores: np.ndarray
    threshold: float
    tiers: Tiers

    @property
    def shown(self) -> np.ndarray:
        """The probability that is shown, shape (rows,)."""
        return self.scores

    @property
    def answers(self) -> np.ndarray:
        """Whether each row is flagged, 0 or 1, shape (rows,)."""
        return (self.scores >= self.threshold).astype(np.intp)

    @property
    def levels(self) -> np.ndarray:
        """The place of the tier of each row, shape (rows,)."""
        return np.searchsorted(self.tiers.limits, self.scores, side="right")


@dataclass(frozen=True)
class ClassOpinion:
    """The same of a model of several classes: its probabilities, float64, shape (rows, classes),
    and the weights by which it answers.
    """

    scores: np.ndarray
    weights: tuple[float, ...]

    @property
    def shown(self) -> np.ndarray:
        """The probability of the class that is answered, shape (rows,)."""
        return np.take_along_axis(self.scores, self.answers[:, None], axis=1)[:, 0]

    @property
    def answers(self) -> np.ndarray:
        """The place of the class of each row, shape (rows,)."""
        return chosen(self.scores, self.weights)

    @property
    def levels(self) -> np.ndarray:
        """The same: the tier of a row is its class."""
        return self.answers


AnyOpinion = Opinion | ClassOpinion | NumberOpinion


@dataclass
class _Column:
    """The rows of a column by the place of their value: names, and counts of shape (5, names)."""

    column: Column
    names: tuple[str, ...]
    edges: np.ndarray
    counts: np.ndarray  # rows, flagged by the candidate alone, by the running one alone, change,
    # rows with another class


class Tally:
    """Counts what both models say of the same rows; memory does not grow with their number."""

    def __init__(
        self,
        contract: Contract,
        reference: Reference,
        other: Contract,
        bins: tuple[float, ...] = (),
    ) -> None:
        """`contract`, `reference` and `bins` are those of the running model, `other` is the
        candidate's contract.
        """
        self.kind = _kind(contract)
        self.several = contract.target.several
        self.limits = _limits(contract, other)
        self.names = _names(contract), _names(other)
        outcomes = [_answers(one, bins) for one in (contract, other)]
        self._outcomes = outcomes[0], outcomes[1]
        self._moved = apart(bins)
        self.answers = np.zeros([len(one) for one in outcomes], dtype=np.int64)
        self.bins = np.zeros((len(self.limits) + 1,) * 2, dtype=np.int64)
        self.tiers = np.zeros([len(one) for one in self.names], dtype=np.int64)
        self.change = 0.0
        self.refused = 0
        self.unfit = 0
        self.repeated = 0
        self._columns = [_column(column, reference.get(column.key)) for column in contract.features]
        self._of_classes = [np.zeros((len(one), BINS), dtype=np.int64) for one in outcomes]

    @property
    def rows(self) -> int:
        """The rows that both models answered."""
        return int(self.answers.sum())

    @property
    def changed(self) -> int:
        """The rows whose answer changes; of a number those that move by two tenths or more."""
        if self.kind == "number":
            return int(self.answers[self._moved].sum())
        before, after = self._outcomes
        same = [(before.index(one), after.index(one)) for one in before if one in after]
        return self.rows - sum(int(self.answers[at]) for at in same)

    def add(self, columns: Columns, running: AnyOpinion, candidate: AnyOpinion) -> None:
        """Count what both say of these rows."""
        before, after = running.answers, candidate.answers
        np.add.at(self.answers, (before, after), 1)
        shown = (np.searchsorted(self.limits, one.shown, "left") for one in (running, candidate))
        np.add.at(self.bins, tuple(shown), 1)
        np.add.at(self.tiers, (running.levels, candidate.levels), 1)
        change = self._changes(running.scores, candidate.scores)
        self.change += float(np.abs(change).sum())
        nobody = np.zeros(len(change))
        moved = self._moved[before, after] if self.kind == "number" else True
        up, down = (after > before) & moved, (before > after) & moved
        found = [np.ones(len(change)), up, down, change, nobody]
        if self.several:
            found = [np.ones(len(change)), nobody, nobody, change, self._other(before, after)]
            self._add_classes(running.scores, candidate.scores)
        for kept in self._columns:
            places = _places(kept, columns[kept.column.key])
            for at, weights in enumerate(found):
                kept.counts[at] += np.bincount(places, weights, len(kept.names))

    def _changes(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """How far the probabilities or numbers of each row move; of several classes how far apart
        they are, a class that one model does not know having none.
        """
        if not self.several:
            return after - before
        names = list(dict.fromkeys(itertools.chain(*self._outcomes)))
        moved = np.zeros((len(before), len(names)))
        for sign, known, scores in zip((-1, 1), self._outcomes, (before, after), strict=True):
            moved[:, [names.index(one) for one in known]] += sign * scores
        return np.asarray(np.abs(moved).sum(axis=1) / 2)

    def _other(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Whether the class of each row is another one."""
        was, becomes = (np.array(known, dtype=object) for known in self._outcomes)
        return np.asarray(was[before] != becomes[after])

    def _add_classes(self, *scores: np.ndarray) -> None:
        """Count the probabilities of each class, of the running model and of the candidate."""
        for counts, of_model in zip(self._of_classes, scores, strict=True):
            for place in range(len(counts)):
                counts[place] += np.bincount(_bins(of_model[:, place]), minlength=BINS)

    def agreement(self) -> Share:
        """The share of rows with the same answer: that both flag or neither, or with one class; of
        a number those that do not move by two tenths.
        """
        return _share(self.rows - self.changed, self.rows)

    def sides(self) -> tuple[Side, Side]:
        """What the running model and the candidate say."""
        return self._side(0), self._side(1)

    def _side(self, at: int) -> Side:
        other = 1 - at
        flagged = None
        if self.kind == "flag":
            flagged = _share(int(self.answers.sum(axis=other)[1]), self.rows)
        counts = self.tiers.sum(axis=other)
        return Side(
            flagged,
            {
                name: _share(int(count), self.rows)
                for name, count in zip(self.names[at], counts, strict=True)
            },
            tuple(
                _share(int(count), self.rows) for count in np.cumsum(self.bins.sum(axis=other))[:-1]
            ),
            self._histograms(at) if self.several else {},
        )

    def _histograms(self, at: int) -> dict[str, tuple[float, ...]]:
        """By class the shares of rows whose probability of it is at most each limit."""
        upto = np.cumsum(self._of_classes[at], axis=1)[:, :-1] / max(self.rows, 1)
        shares = np.round(upto, 6).tolist()
        return {name: tuple(row) for name, row in zip(self._outcomes[at], shares, strict=True)}

    def migration(self) -> dict[str, dict[str, int]]:
        """Rows by tier of the running model, then of the candidate; of a number by tenth."""
        (before, after), counts = self.names, self.tiers
        if self.kind == "number":
            (before, after), counts = self._outcomes, self.answers
        return {
            name: dict(zip(after, (int(count) for count in row), strict=True))
            for name, row in zip(before, counts, strict=True)
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
        places = np.arange(len(self.limits) + 1)
        at_most = tuple(
            _change(self.bins, places <= at, places <= at) for at in range(len(self.limits))
        )
        return Expectation(self._flagged(), tiers, at_most)

    def _flagged(self) -> Change:
        """The change of the share flagged. The numbers of the service know no kind of target: what
        counts as flagged there is the answer "1", which may be the name of a class.
        """
        if self.kind == "number":
            return NO_CHANGE
        before, after = self._outcomes
        was = np.array([one == _FLAGS[1] for one in before])
        becomes = np.array([one == _FLAGS[1] for one in after])
        return _change(self.answers, was, becomes) if (was.any() or becomes.any()) else NO_CHANGE

    def largest(self) -> tuple[ColumnChange, ...]:
        """The columns whose values part the rows most, each with the values that changed most."""
        found = [_column_change(kept) for kept in self._columns]
        found = [one for one in found if one.apart > 0]
        return tuple(sorted(found, key=lambda one: -one.apart)[:_COLUMNS])


def judged(tally: Tally, policy: CanaryPolicy, units: Sequence[OtherUnit] = ()) -> tuple[bool, str]:
    """Whether the candidate is within the limit of the policy, and the sentence that says so."""
    rows, changed = tally.rows, tally.changed
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
    sentence = f"The share of rows whose {_CHANGES[tally.kind]} is {changes}"
    required = f"at most {percent(policy.replay_changed, 1)} is required"
    if share > policy.replay_changed:
        return False, f"{sentence}; {required}. Look at the columns that are listed."
    return True, f"{sentence}; {required}."


_CHANGES: dict[Kind, str] = {
    "flag": "flag changes",
    "class": "class changes",
    "number": "answer moves by two tenths of all answers or more",
}


def _kind(contract: Contract) -> Kind:
    if contract.target.quantity:
        return "number"
    return "class" if contract.target.several else "flag"


def _limits(contract: Contract, other: Contract) -> tuple[float, ...]:
    """The limits of the histogram of both models."""
    one, another = contract.target.quantity, other.target.quantity
    return common_limits(one, another) if one and another else SHARES


def _names(contract: Contract) -> tuple[str, ...]:
    """The tiers of a model; of several classes these, and of a number the sides of its range."""
    if contract.target.quantity:
        return INSIDE, OUTSIDE
    return contract.target.classes if contract.target.several else contract.tiers.names


def _answers(contract: Contract, bins: tuple[float, ...]) -> tuple[str, ...]:
    """What a model can answer; of a number the tenths of the running model."""
    if contract.target.quantity:
        return tuple(str(place) for place in range(1, len(bins) + 2))
    return contract.target.classes if contract.target.several else _FLAGS


def _bins(scores: np.ndarray) -> np.ndarray:
    """The twentieth of each probability, as the service counts it: its upper limit is its own."""
    return np.searchsorted(SHARES, scores, side="left")


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
    return _Column(column, names, np.array(edges, dtype=np.float64), np.zeros((5, len(names))))


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
    rows, flagged, unflagged, change, answered = kept.counts
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
            int(answered[at]),
        )
        for at, name in enumerate(kept.names)
        if rows[at] >= _FEWEST
    ]
    moved.sort(key=lambda one: -abs(one.change))
    return ColumnChange(kept.column.name, round(apart, 6), tuple(moved[:_VALUES]))
