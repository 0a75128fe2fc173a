"""The limits of a first policy, from the rows that are not the holdout.

A quick model is cross-validated on training and validation rows; the holdout is neither scored nor
looked at, only counted.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sluice.draft.beyond import Beyond, Column, Ranked, beyond, draw
from sluice.draft.leaks import Look
from sluice.draft.sampling import Seen
from sluice.errors import Refused
from sluice.gate import power
from sluice.gate.first_release import rows_needed
from sluice.model.data.split import PARTS
from sluice.model.fit.coding import coding_of
from sluice.model.fit.training import Rows, fit_rows, folds_of
from sluice.model.fit.tuning_file import Parameters
from sluice.model.quality.clusters import numbered, of_share
from sluice.model.quality.floor_proposal import Proposal, propose
from sluice.model.quality.one_column import best
from sluice.model.quality.operating_curve import counted_at
from sluice.model.quality.operating_point import choose_threshold
from sluice.model.quality.statistics import (
    calibration_gap,
    roc_auc,
    roc_auc_variance,
    wilson_high,
    wilson_low,
)
from sluice.percent import percent
from sluice.served.contract import Contract
from sluice.served.encoding import Columns, encode, numeric_features

LEVEL = 0.05
TRAIN, VALIDATION, HOLDOUT = 0.6, 0.2, 0.2
FOLDS = 5
_LARGE, _FOLDS_OF_LARGE = 20_000, 3  # so many rows tell the same with fewer folds
_SEED = 20_260_101
_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the rows flagged, at the points that are shown
_POWER = 0.8
_ABOVE = 0.05  # how far above its floor a model is assumed, where labels are asked for
SMALL = 0.01  # a gain in recall that people would like to see
_FEW_REPEATS = 0.01  # of a table, which are no cause to look
_DRAWS = 200  # releases that are tried out
_MISSED = 0.05  # of them that fall below each of the two floors
_LEAST = 0.02  # no floor is lower: it would refuse no model
_LIFT = 1.05  # times the share of positives that a floor of precision has to be
QUICK: Parameters = {
    "learning_rate": 0.1,
    "iterations": 100,
    "leaves": 8,
    "smallest_leaf": 20,
    "l2": 1.0,
}


@dataclass(frozen=True)
class Shown:
    """A point of the curve: the share flagged, recall and precision with the limits, as (low,
    high), that a holdout of this size gives them.
    """

    flagged: float
    recall: float
    precision: float
    recall_limits: tuple[float, float]
    precision_limits: tuple[float, float]


@dataclass(frozen=True)
class Limits:
    """What a first policy says of this table, and what it rests on.

    `proposal` is None where this size allows no floors; `labels` are then the labelled rows that it
    takes. `holdout` and `positives` are counts of the holdout, estimated where `sampled`. `gain` is
    the smallest gain in recall that its first use sees four times in five; `wanted` are the
    positives that one of SMALL takes. They are None where there is no such gain. `beyond` is how
    surely a release knows more than its best column, None where there are no floors.
    """

    proposal: Proposal | None
    points: tuple[Shown, ...]
    roc_auc: float
    holdout: int
    positives: int
    labels: int
    one_column_ceiling: float
    duplicate_ceiling: float
    calibration_ceiling: float
    stability_ceiling: float
    minimum_rows: int
    least_positives: int
    gain: float | None
    wanted: int | None
    sampled: bool = False
    beyond: Beyond | None = None

    @property
    def repeats(self) -> bool:
        """Whether rows of the table repeat each other more than a few times."""
        return self.duplicate_ceiling > 2 * _FEW_REPEATS


@dataclass(frozen=True)
class Table:
    """Typed columns of a table by key, each of shape (rows,), and which rows are in which part.

    `groups` has a number for each row, None where the contract has no groups. The table that they
    were drawn from has `times` as many rows as the parts have.
    """

    contract: Contract
    columns: Columns
    labels: np.ndarray
    rows: Mapping[str, np.ndarray]
    groups: np.ndarray | None = None
    times: float = 1.0

    def count(self, part: str) -> int:
        """How many rows of the whole table are in a part."""
        return round(len(self.rows[part]) * self.times)


@dataclass(frozen=True)
class Judged:
    """Labels of the rows outside of the holdout and the scores that a quick model gives them, each
    of shape (rows,), and those of the best single column; and how many rows a validation and a
    holdout have. `clusters` are numbers, equal in rows that belong together.
    """

    labels: np.ndarray
    scores: np.ndarray
    column: Column
    validation: int
    holdout: int
    clusters: np.ndarray | None = None


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn from those that are there, with replacement: the labels, the scores, and
    which belong together.
    """

    labels: np.ndarray
    scores: np.ndarray
    clusters: np.ndarray | None


def judge(table: Table, seen: Seen) -> Judged:
    """Let a quick model score rows that it has not seen. Raises ValueError where a class has too
    few rows for the folds.
    """
    known = np.sort(np.concatenate([table.rows[PARTS[0]], table.rows[PARTS[1]]]))
    scores, column = _scores(table, known, seen)
    return Judged(
        labels=table.labels[known],
        scores=scores,
        column=column,
        validation=len(table.rows["validation"]),
        holdout=len(table.rows["holdout"]),
        clusters=numbered(None if table.groups is None else table.groups[known]),
    )


def floors_at(judged: Judged, share: float, seen: Seen) -> Proposal | None:
    """Floors where `share` of the rows is flagged; 0 stands for the point of the best F1, and then
    there may be none. They are those that a holdout of the rows that are here allows: a larger one
    clears them more easily. Raises Refused where a share that is given allows none.
    """
    proposal = _tried(judged, share, seen)
    if share and proposal is None:
        what = f"no floor is above chance where {percent(share)} of the rows are flagged"
        raise Refused(
            f"{what}; one is required", "Flag fewer by --point or --costs, or leave it out."
        )
    return proposal


def limits_of(
    table: Table, judged: Judged, looks: tuple[Look, ...], share: float, seen: Seen
) -> Limits:
    """The limits for a table of these columns, where `share` of the rows is to be flagged. Raises
    as `floors_at`.
    """
    proposal = floors_at(judged, share, seen)
    labels, scores = judged.labels, judged.scores
    holdout, known = table.count("holdout"), len(judged.labels)
    positives = round(int(table.labels[table.rows["holdout"]].sum()) * table.times)
    most = max((one.roc_auc for one in looks), default=0.5)
    gain, wanted = _seen(positives, holdout)
    every = sum(table.count(part) for part in PARTS)
    prevalence = float(np.concatenate([table.labels[rows] for rows in table.rows.values()]).mean())
    return Limits(
        proposal=proposal,
        points=tuple(_points(judged, _telling(holdout, known, table.times))),
        roc_auc=roc_auc(labels, scores),
        holdout=holdout,
        positives=positives,
        labels=_labels_needed(prevalence),
        one_column_ceiling=min(max(0.8, _up(most + 0.05)), 0.99),
        duplicate_ceiling=repeats(table),
        calibration_ceiling=_calibration(judged, seen),
        stability_ceiling=_stability(judged),
        minimum_rows=max(every // 2, 1),
        least_positives=max(positives // 2, 1),
        gain=gain,
        wanted=wanted,
        sampled=table.times > 1,
        beyond=beyond_at(judged, proposal),
    )


def beyond_at(judged: Judged, proposal: Proposal | None) -> Beyond | None:
    """How surely a release with these floors knows more than its best column."""
    if proposal is None:
        return None
    rows = Ranked(judged.labels, judged.scores, judged.column, judged.clusters)
    return beyond(rows, judged.holdout, proposal.point.flagged, LEVEL)


def _telling(holdout: int, known: int, times: float) -> float:
    """The rows whose chance alone equals that of a holdout, and of a sample that stands for a table
    many times as large.
    """
    return holdout if times <= 1 else holdout * known / (holdout + known)


def _seen(positives: int, holdout: int) -> tuple[float | None, int | None]:
    """The smallest gain in recall that the first use of such a holdout sees, and the positives that
    a small one takes; as `sluice power` says of the model later.
    """
    counts = {power.WHOLE: positives}
    share = positives / max(holdout, 1)
    report = power.report(counts, LEVEL, positive_share=share, wanted=[SMALL])
    wanted = report.wanted[0].at_use if report.wanted else None
    return report.groups[0].at_use, wanted


def _scores(table: Table, known: np.ndarray, seen: Seen) -> tuple[np.ndarray, Column]:
    """Scores of a quick model for the rows `known`, which it has not seen, shape (known rows,), and
    those of the best column.
    """
    scores, alone, names = np.empty(len(known)), np.empty(len(known)), Counter[str]()
    labels = table.labels[known]
    features = encode(table.contract, _rows(table.columns, known))
    numeric, coding = numeric_features(table.contract), coding_of(table.contract)
    groups = None if table.groups is None else table.groups[known]
    folds = FOLDS if len(known) < _LARGE else _FOLDS_OF_LARGE
    for done, (learnt, left_out) in enumerate(folds_of(labels, groups, folds, _SEED)):
        seen("a quick model", done / folds)
        rows = Rows(features[learnt], labels[learnt], numeric, coding)
        model = fit_rows("gradient_boosting", QUICK, rows)
        scores[left_out] = model.predict_proba(features[left_out])[:, 1]
        mine, theirs = (_rows(table.columns, known[part]) for part in (learnt, left_out))
        name, alone[left_out] = best(table.contract, mine, labels[learnt], theirs)
        names[name] += 1
    [(name, _)] = names.most_common(1)
    return scores, Column(name, alone)


def _tried(judged: Judged, share: float, seen: Seen) -> Proposal | None:
    """Floors that nine in ten releases of this model clear, tried out: rows drawn for a validation
    choose the threshold, rows drawn for a holdout judge it by its lower limits. None where they
    would refuse no model: one that flags by lots has the precision of the share of positives.
    """
    first = propose(
        judged.labels,
        judged.scores,
        judged.holdout,
        LEVEL,
        validation=judged.validation,
        flagged=share,
        clusters=judged.clusters,
    )
    if first is None:
        return None
    chance = np.random.default_rng(_SEED)
    aim = first.point.precision
    limits = []
    for turn in range(_DRAWS):
        seen("floors tried", turn / _DRAWS)
        validation = _drawn(chance, judged, judged.validation)
        holdout = _drawn(chance, judged, judged.holdout)
        try:
            threshold = choose_threshold(validation.labels, validation.scores, aim)
        except Refused:  # too few rows to place one: a release that ends so has cleared nothing
            limits.append((0.0, 0.0))
            continue
        limits.append(_lower(holdout, threshold))
    recall, precision = np.quantile(np.array(limits), _MISSED, axis=0)
    recall_floor, floor = min(_down(float(recall)), 0.95), min(_down(float(precision)), 0.95)
    prevalence = first.prevalence
    if recall_floor < _LEAST or floor <= _LIFT * prevalence:
        return None
    if first.lift_floor:
        lift = math.floor(10 * floor / prevalence) / 10
        share = min(max(aim / (lift * prevalence) - 1, 0.0), 0.99)
        return replace(first, recall_floor=recall_floor, lift_floor=lift, slack=_down(share))
    slack = _down(max(aim - floor, 0.0))
    return replace(first, recall_floor=recall_floor, precision_floor=floor, slack=slack)


def _drawn(chance: np.random.Generator, judged: Judged, count: int) -> Drawn:
    """About so many rows, drawn with replacement."""
    rows, clusters = draw(chance, len(judged.labels), count, judged.clusters)
    return Drawn(judged.labels[rows], judged.scores[rows], clusters)


def _lower(drawn: Drawn, threshold: float) -> tuple[float, float]:
    """The lower limits of recall and precision."""
    positive, flagged = drawn.labels == 1, drawn.scores >= threshold
    hits = int((positive & flagged).sum())
    of_recall = of_share(flagged, positive, drawn.clusters)
    of_precision = of_share(positive, flagged, drawn.clusters)
    recall = wilson_low(hits, int(positive.sum()), LEVEL, of_recall)
    return recall, wilson_low(hits, int(flagged.sum()), LEVEL, of_precision)


def _down(value: float) -> float:
    """The value with two digits behind the point, and not above it."""
    return math.floor(value * 100 + 1e-9) / 100


def _points(judged: Judged, holdout: float) -> list[Shown]:
    """What each of the usual shares flagged would find."""
    labels, scores, clusters = judged.labels, judged.scores, judged.clusters
    positives, positive = int(labels.sum()), labels == 1
    thresholds = tuple(float(np.quantile(scores, 1 - share)) for share in _SHARES)
    curve = counted_at(labels, scores, thresholds)
    points = []
    for threshold, flagged, found in zip(thresholds, curve.flagged, curve.found, strict=True):
        recall, precision = found / positives, found / max(flagged, 1)
        share, above = flagged / len(labels), scores >= threshold
        of_recall = holdout * positives / len(labels) / of_share(above, positive, clusters).factor
        of_precision = holdout * share / of_share(positive, above, clusters).factor
        points.append(
            Shown(
                flagged=share,
                recall=recall,
                precision=precision,
                recall_limits=_limits(recall, of_recall),
                precision_limits=_limits(precision, of_precision),
            )
        )
    return points


def _limits(value: float, rows: float) -> tuple[float, float]:
    count = max(round(rows), 1)
    hits = round(value * count)
    return wilson_low(hits, count, LEVEL), wilson_high(hits, count, LEVEL)


def _labels_needed(prevalence: float) -> int:
    """The labelled rows from whose holdout a model clears a floor of recall five points lower."""
    positives = rows_needed(0.5, _ABOVE, LEVEL, _POWER)
    return math.ceil(positives / max(prevalence, 1e-9) / HOLDOUT / 100) * 100


def repeats(table: Table) -> float:
    """A ceiling for the share of repeated rows: that of validation rows in training, and half of it
    again for chance. A small table of few values repeats itself honestly. With so many times the
    rows in training, at most so many times the share repeats.
    """
    contract, columns, rows = table.contract, table.columns, table.rows
    learnt = np.ascontiguousarray(encode(contract, _rows(columns, rows["train"])))
    judged = np.ascontiguousarray(encode(contract, _rows(columns, rows["validation"])))
    whole = np.dtype((np.void, learnt.dtype.itemsize * learnt.shape[1]))
    share = float(np.isin(judged.view(whole).ravel(), learnt.view(whole).ravel()).mean())
    return min(max(_FEW_REPEATS, _up(1.5 * share * table.times + 0.01)), 0.99)


def _rows(columns: Columns, numbers: np.ndarray) -> dict[str, np.ndarray]:
    return {key: values[numbers] for key, values in columns.items()}


def _stability(judged: Judged) -> float:
    """How far ROC-AUCs of two parts may lie apart: twice what chance makes of such parts."""
    variance = roc_auc_variance(judged.labels, judged.scores, judged.clusters)
    spread = math.sqrt(variance * len(judged.labels) / max(judged.validation, 1))
    return min(max(0.03, _up(2 * 1.96 * spread)), 0.3)


def _calibration(judged: Judged, seen: Seen) -> float:
    """How far probabilities may be off: what 19 in 20 holdouts of this size say of the quick model,
    and half of it again for a winner of the search that is less exact. Few rows teach no model
    exact probabilities. At least the 0.05 that many rows allow.
    """
    chance = np.random.default_rng(_SEED)
    gaps = []
    for turn in range(_DRAWS):
        seen("calibration tried", turn / _DRAWS)
        rows = _drawn(chance, judged, judged.holdout)
        gap = calibration_gap(rows.labels, rows.scores, LEVEL, clusters=rows.clusters)
        gaps.append(gap.value)
    return min(max(0.05, _up(1.5 * float(np.quantile(gaps, 1 - _MISSED)))), 0.15)


def _up(value: float) -> float:
    """The value with two digits behind the point, and not below it."""
    return math.ceil(value * 100 - 1e-9) / 100
