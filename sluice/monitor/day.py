"""One day of the prediction log in counts: what is kept of it when its rows are gone.

Counts only, as in reference.json, but of small days too: the file stays on the machine that ran.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import Struct, field

from sluice.model.artifact.model_artifact import segment_groups
from sluice.model.artifact.reference import OTHER, Numbers, Reference
from sluice.model.quality.metrics_file import Confusion
from sluice.monitor.labels import UNCLEAR
from sluice.monitor.number_day import Measure, NumberOutcomes, NumberTally
from sluice.monitor.units import Unit, changed_unit
from sluice.served.contract import Contract

SCORE_BINS = 100
_KEPT_VALUES = 4_000  # of a column and a day, for a look at its unit
_OF_BLOCK = 1_000  # of them from one block of lines, so that they are not all of the first hour


class NumberCounts(Struct, frozen=True, tag_field="kind", tag="number"):
    """A column of numbers in the bins of the reference; `below` and `above` are outside of it."""

    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    missing: int = 0


class TextCounts(Struct, frozen=True, tag_field="kind", tag="text"):
    """A column of texts: how often each was seen; `new` counts those that the reference lacks."""

    counts: dict[str, int]
    new: dict[str, int]
    missing: int = 0


class OfClass(Struct, frozen=True):
    """A class in the labelled rows of a day: how many are of it, and how many of these rightly
    answered.
    """

    rows: int
    found: int


class Outcomes(Confusion, frozen=True, kw_only=True):
    """The rows of a day that have a label.

    `positive_scores` and `negative_scores` count their probabilities in SCORE_BINS equal bins.
    `found` and `missed` are the positives of each group that were flagged and that were not, by
    segment and group. `early` labels were known before the answer and say nothing about it;
    `unclear` ones contradict each other: neither is in the other counts. Of several classes
    `classes` has all that is counted of the others, and of a number `number`.
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0
    positive_scores: tuple[int, ...] = (0,) * SCORE_BINS
    negative_scores: tuple[int, ...] = (0,) * SCORE_BINS
    found: dict[str, dict[str, int]] = field(default_factory=dict)
    missed: dict[str, dict[str, int]] = field(default_factory=dict)
    early: int = 0
    unclear: int = 0
    classes: dict[str, OfClass] = field(default_factory=dict)
    number: NumberOutcomes = NumberOutcomes()


class Acting(Struct, frozen=True, kw_only=True):
    """The flagged rows of a day that have an outcome, by the lot that says who is left untouched:
    `assigned` and `control`, with the positives of each. `acted` rows were acted upon, whether
    flagged or not, `spoiled` ones although they were to be left untouched.
    """

    assigned: int = 0
    assigned_positives: int = 0
    control: int = 0
    control_positives: int = 0
    acted: int = 0
    spoiled: int = 0


class Day(Struct, frozen=True, kw_only=True):
    """A day of one model. `read` is a hash of what it was counted from; `units` names columns whose
    numbers come in another unit. `outcomes` are of all rows, `untouched` of those that the lot
    leaves untouched and that nobody acted upon. `others` are rows that other models answered,
    `broken` lines that cannot be read. `refused` requests were refused for their fields, which
    `refused_fields` counts by name. `first` and `last` are seconds since 1970, 0 without rows.
    """

    schema: int = 1
    day: str
    read: str = ""
    rows: int = 0
    flagged: int = 0
    tiers: dict[str, int] = {}
    scores: tuple[int, ...] = (0,) * SCORE_BINS
    columns: dict[str, NumberCounts | TextCounts] = {}
    units: dict[str, Unit] = {}
    outcomes: Outcomes = Outcomes()
    untouched: Outcomes = Outcomes()
    acting: Acting = Acting()
    others: int = 0
    broken: int = 0
    refused: int = 0
    refused_fields: dict[str, int] = {}
    first: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Block:
    """Some lines of the log as columns, all equally long.

    `columns` holds the features by key: float64 with NaN where missing, texts as a list with None
    where missing. `outcomes` are 1, 0, NONE without a label and UNCLEAR where labels contradict
    each other; `known` are the seconds since 1970 from which they were known, `times` those of the
    answers. `acted` says which rows somebody acted upon, `control` which the lot leaves untouched.

    Of several classes outcomes are places of these, no row is flagged, its tier is the class that
    was answered, and its probability that of it. Of a number outcomes and `answers` are in its
    unit, no row is flagged, its tier is the bin of the model, and its probability the place of the
    answer in the plausible range, from 0 to 1.
    """

    times: np.ndarray
    probabilities: np.ndarray
    flagged: np.ndarray
    tiers: Sequence[str]
    columns: Mapping[str, np.ndarray | list[str | None]]
    outcomes: np.ndarray
    known: np.ndarray
    acted: np.ndarray
    control: np.ndarray
    answers: np.ndarray | None = None


NONE = -np.inf  # the outcome of a row without a label; UNCLEAR is no outcome either


class _Judged:
    """Counts the outcomes of rows."""

    def __init__(self, contract: Contract, measure: Measure | None) -> None:
        self._contract = contract
        self._number = NumberTally(measure) if measure else None
        self._labelled = np.zeros((2, SCORE_BINS), dtype=np.int64)
        self._confusion: Counter[tuple[int, bool]] = Counter()
        self._groups: dict[bool, dict[str, Counter[str]]] = {True: {}, False: {}}
        self._counted: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._right: Counter[str] = Counter()

    def add(self, block: Block, bins: np.ndarray, rows: np.ndarray) -> None:
        """Count those of these rows, shape (rows,), that have an outcome."""
        early = rows & (block.outcomes != NONE) & (block.known < block.times)
        unclear = rows & (block.outcomes == UNCLEAR) & ~early
        self._counted["early"] += int(early.sum())
        self._counted["unclear"] += int(unclear.sum())
        judged = rows & judged_rows(block)
        if self._contract.target.several:
            self._add_classes(block, np.flatnonzero(judged))
            return
        if self._number:
            self._add_numbers(self._number, block, np.flatnonzero(judged))
            return
        for outcome in (0, 1):
            chosen = judged & (block.outcomes == outcome)
            self._labelled[outcome] += np.bincount(bins[chosen], minlength=SCORE_BINS)
            for flagged in (False, True):
                self._confusion[outcome, flagged] += int(
                    (chosen & (block.flagged == flagged)).sum()
                )
        positive = np.flatnonzero(judged & (block.outcomes == 1))
        if len(positive):
            self._add_groups(block, positive)

    def _add_classes(self, block: Block, judged: np.ndarray) -> None:
        classes = self._contract.target.classes
        for row in judged:
            name = classes[int(block.outcomes[row])]
            self._rows[name] += 1
            self._right[name] += block.tiers[row] == name

    def _add_numbers(self, number: NumberTally, block: Block, judged: np.ndarray) -> None:
        if block.answers is None:
            raise ValueError("the answers of a number are no part of the block")
        if len(judged):
            groups = self._groups_of(block, judged)
            number.add(block.answers[judged], block.outcomes[judged], groups)

    def _groups_of(self, block: Block, rows: np.ndarray) -> dict[str, np.ndarray]:
        """By segment, the name of the group of each of these rows."""
        columns = {}
        for segment in self._contract.segments:
            values = block.columns[segment.column]
            if isinstance(values, list):
                columns[segment.column] = np.array([values[at] for at in rows], dtype=object)
            else:
                columns[segment.column] = values[rows]
        return segment_groups(self._contract, columns)

    def _add_groups(self, block: Block, positive: np.ndarray) -> None:
        groups = self._groups_of(block, positive)
        flagged = block.flagged[positive]
        for name, of_rows in groups.items():
            for found in (True, False):
                self._groups[found].setdefault(name, Counter()).update(
                    of_rows[flagged == found].tolist()
                )

    def done(self) -> Outcomes:
        """What was counted."""
        negative, positive = (tuple(line.tolist()) for line in self._labelled)
        found, missed = (
            {name: dict(sorted(groups.items())) for name, groups in self._groups[way].items()}
            for way in (True, False)
        )
        return Outcomes(
            true_positive=self._confusion[1, True],
            false_positive=self._confusion[0, True],
            false_negative=self._confusion[1, False],
            true_negative=self._confusion[0, False],
            positive_scores=positive,
            negative_scores=negative,
            found=found,
            missed=missed,
            early=self._counted["early"],
            unclear=self._counted["unclear"],
            classes={
                name: OfClass(self._rows[name], self._right[name])
                for name in self._contract.target.classes
                if self._rows[name]
            },
            number=self._number.done() if self._number else NumberOutcomes(),
        )


def judged_rows(block: Block) -> np.ndarray:
    """The rows of a block that have an outcome which says something about them, shape (rows,)."""
    return np.asarray(np.isfinite(block.outcomes) & (block.known >= block.times))


class Tally:
    """Counts the blocks of one day; memory does not grow with their number."""

    def __init__(
        self, contract: Contract, reference: Reference, measure: Measure | None = None
    ) -> None:
        """`contract` and `reference` are those of the model that answered, and `measure` is by what
        it was measured where it answers with a number.
        """
        logged = {column.key for column in contract.features}
        segments = tuple(part for part in contract.segments if part.column in logged)
        self._contract = replace(contract, segments=segments)
        self._reference = reference
        self._numbers: dict[str, np.ndarray] = {}
        self._texts: dict[str, Counter[str]] = {}
        self._missing: Counter[str] = Counter()
        self._values: dict[str, list[np.ndarray]] = {}
        self._scores = np.zeros(SCORE_BINS, dtype=np.int64)
        self._judged = _Judged(self._contract, measure)
        self._untouched = _Judged(self._contract, measure)
        self._acting: Counter[str] = Counter()
        self._tiers: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._span = (np.inf, -np.inf)

    def add(self, block: Block) -> None:
        """Count a block of rows."""
        rows = len(block.times)
        if not rows:
            return
        bins = np.clip((block.probabilities * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
        self._counted["rows"] += rows
        self._counted["flagged"] += int(block.flagged.sum())
        self._scores += np.bincount(bins, minlength=SCORE_BINS)
        self._tiers.update(block.tiers)
        first, last = self._span
        self._span = (min(first, float(block.times.min())), max(last, float(block.times.max())))
        for key, values in block.columns.items():
            self._add_column(key, values)
        self._add_outcomes(block, bins)

    def done(self, day: str, read: str, others: int, broken: int) -> Day:
        """The day, after its last block."""
        rows = self._counted["rows"]
        return Day(
            day=day,
            read=read,
            rows=rows,
            flagged=self._counted["flagged"],
            tiers=dict(sorted(self._tiers.items())),
            scores=tuple(self._scores.tolist()),
            columns={key: self._column(key) for key in sorted(self._reference)} if rows else {},
            units=self._units(),
            outcomes=self._judged.done(),
            untouched=self._untouched.done(),
            acting=Acting(**self._acting),
            others=others,
            broken=broken,
            first=self._span[0] if rows else 0.0,
            last=self._span[1] if rows else 0.0,
        )

    def _add_column(self, key: str, values: np.ndarray | list[str | None]) -> None:
        cell = self._reference.get(key)
        if cell is None:
            return
        if isinstance(values, list):
            counts = Counter(values)
            self._missing[key] += counts.pop(None, 0)
            self._texts.setdefault(key, Counter()).update(
                {value: count for value, count in counts.items() if value is not None}
            )
        elif isinstance(cell, Numbers) and cell.counted:
            present = values[~np.isnan(values)]
            self._missing[key] += len(values) - len(present)
            edges = np.asarray(cell.edges)
            places = np.searchsorted(edges, present, side="right")
            places[present == edges[-1]] = len(edges) - 1
            held = self._numbers.setdefault(key, np.zeros(len(edges) + 1, dtype=np.int64))
            held += np.bincount(places, minlength=len(edges) + 1)
            kept = self._values.setdefault(key, [])
            if sum(map(len, kept)) < _KEPT_VALUES:
                kept.append(present[:_OF_BLOCK].copy())

    def _add_outcomes(self, block: Block, bins: np.ndarray) -> None:
        self._judged.add(block, bins, np.ones(len(bins), dtype=bool))
        self._untouched.add(block, bins, block.control & ~block.acted)
        judged = judged_rows(block)
        flagged = judged & block.flagged
        for name, rows in (
            ("assigned", flagged & ~block.control),
            ("control", flagged & block.control),
        ):
            self._acting[name] += int(rows.sum())
            self._acting[f"{name}_positives"] += int(block.outcomes[rows].sum())
        self._acting["acted"] += int((judged & block.acted).sum())
        self._acting["spoiled"] += int((judged & block.acted & block.control).sum())

    def _column(self, key: str) -> NumberCounts | TextCounts:
        cell = self._reference[key]
        missing = self._missing[key]
        if isinstance(cell, Numbers):
            held = self._numbers.get(key)
            if held is None:
                return NumberCounts((), missing=missing)
            inside = tuple(held[1:-1].tolist())
            return NumberCounts(inside, int(held[0]), int(held[-1]), missing)
        counts, new = {}, {}
        for value, count in sorted(self._texts.get(key, Counter()).items()):
            if value in cell.values:
                counts[value] = count
            elif OTHER in cell.values:
                counts[OTHER] = counts.get(OTHER, 0) + count
            else:
                new[value] = count
        return TextCounts(counts, new, missing)

    def _units(self) -> dict[str, Unit]:
        units = {}
        for key, kept in sorted(self._values.items()):
            column, cell = self._contract.find(key), self._reference[key]
            if column and isinstance(cell, Numbers):
                unit = changed_unit(column, cell, np.concatenate(kept)[:_KEPT_VALUES])
                if unit:
                    units[key] = unit
        return units
