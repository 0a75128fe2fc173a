"""How good the model is by the labels that came in, against the promises of release and anchor.

The level of a year is shared out once over everything that may say "act": recall, precision, Brier
score, the groups, the anchor, and the promises, which were measured on a holdout and are not known
exactly. Each is judged by evidence that holds at every look (`sluice.monitor.falls`), so that all
looks of a year together raise a false alarm with at most the level.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.monitor import powered
from sluice.monitor.day import SCORE_BINS, Day
from sluice.monitor.falls import DAYS, fall_evidence, loss_evidence, surely_below
from sluice.monitor.powered import Scored
from sluice.monitor.report import ACT, WATCH, Finding, Live
from sluice.percent import percent

# The shares of the level. Together they are 1.
RECALL, PRECISION, BRIER, GROUPS, ANCHOR, PROMISES = 0.4, 0.15, 0.1, 0.15, 0.1, 0.1
_MIDDLES = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
_OF_LOT, _COMPLETE = 4, 0.9  # spreads of a lot, and the least share of it that has come in
_RECENT = "Retrain on recent rows; the gate decides about the result."
_FEATURES = (
    "The columns look as they did, so what they mean has changed: revisit the features, and retrain"
    " on recent rows."
)


@dataclass(frozen=True)
class Measured:
    """A share that was measured on a holdout, and of how many rows."""

    share: float
    of: int


@dataclass(frozen=True)
class Promise:
    """What a release was measured at; `groups` has the recall of each group by segment and name,
    `anchor` the recall of the anchor where there is one, of as many positives.
    """

    recall: Measured
    precision: Measured
    brier: Measured
    groups: dict[tuple[str, str], Measured] = field(default_factory=dict)
    anchor: Measured | None = None


@dataclass(frozen=True)
class Matured:
    """The labels of a year by day, as arrays of shape (days,); `losses` counts the squared errors
    of each value, shape (days, values); `everyone` are the scores of all rows, with a label or
    without, shape (days, bins).
    """

    start: datetime.date
    found: np.ndarray
    positives: np.ndarray
    right: np.ndarray
    flagged: np.ndarray
    losses: np.ndarray
    groups: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]
    everyone: np.ndarray

    def scored(self, threshold: float) -> Scored:
        """The same as where labels are drawn by lot."""
        positive, negative = self.losses[:, :SCORE_BINS], self.losses[:, SCORE_BINS:]
        missed = self.positives - self.found
        return Scored(self.found, missed, positive, positive + negative, self.everyone, threshold)


LOSSES = np.concatenate([(1 - _MIDDLES) ** 2, _MIDDLES**2])


def least(promised: Measured, tolerance: float, level: float) -> float:
    """What a share has to be at least: what was measured less the tolerance, or its lower limit of
    Clopper and Pearson where that lies further below.
    """
    hits = promised.share * promised.of
    low = 0.0
    if 0 < hits <= promised.of:
        low = float(scipy.stats.beta.ppf(level, hits, promised.of - hits + 1))
    return max(min(promised.share - tolerance, low), 0.0)


def most(promised: Measured, tolerance: float, level: float) -> float:
    """What a mean loss may be at most; the spread of a loss between 0 and 1 is at most that of a
    share.
    """
    spread = np.sqrt(promised.share * (1 - promised.share) / max(promised.of, 1))
    return promised.share + max(tolerance, float(scipy.stats.norm.isf(level) * spread))


def matured(
    days: Sequence[Day], start: datetime.date, until: datetime.date, *, untouched: bool = False
) -> Matured:
    """The labels of the days from `start` to `until`, of at most one year; a day without a log has
    none. Where `untouched`, only of the rows that were left so by lot.
    """
    length = max(min((until - start).days + 1, DAYS), 0)
    shape = (length,)
    found, positives, right, flagged = (np.zeros(shape) for _ in range(4))
    losses = np.zeros((length, 2 * SCORE_BINS))
    everyone = np.zeros((length, SCORE_BINS))
    groups: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    for day in days:
        at = (datetime.date.fromisoformat(day.day) - start).days
        if not 0 <= at < length:
            continue
        seen = day.untouched if untouched else day.outcomes
        found[at], positives[at] = seen.true_positive, seen.positives
        right[at], flagged[at] = seen.true_positive, seen.flagged
        losses[at] = [*seen.positive_scores, *seen.negative_scores]
        everyone[at] = day.scores
        for way, counted in ((0, seen.found), (1, seen.missed)):
            for segment, names in counted.items():
                for name, count in names.items():
                    pair = groups.setdefault((segment, name), (np.zeros(shape), np.zeros(shape)))
                    pair[0][at] += count if way == 0 else 0
                    pair[1][at] += count
    return Matured(start, found, positives, right, flagged, losses, groups, everyone)


def live_quality(
    labels: Matured, level: float, threshold: float | None = None
) -> tuple[Live, np.ndarray]:
    """What the labels say of the whole year, and, by day, what recall is surely below. `threshold`
    is given where they are those of rows drawn by lot.
    """
    positives, flagged = int(labels.positives.sum()), int(labels.flagged.sum())
    rows = int(labels.losses.sum())
    if threshold is None:
        below = surely_below(labels.found, labels.positives, level * RECALL)
    else:
        below = powered.surely_below(labels.scored(threshold), level * RECALL)
    live = Live(
        labelled=rows,
        positives=positives,
        recall=float(labels.found.sum() / positives) if positives else None,
        precision=float(labels.right.sum() / flagged) if flagged else None,
        brier=float((labels.losses @ LOSSES).sum() / rows) if rows else None,
        below=float(below[-1]) if len(below) else 1.0,
    )
    return live, below


def performance(
    labels: Matured,
    promise: Promise,
    level: float,
    tolerance: float,
    brier_tolerance: float,
    group_tolerance: float,
    *,
    drifted: bool,
    threshold: float | None = None,
) -> list[Finding]:
    """What has surely fallen below its promise. `drifted` says whether columns have changed too: a
    fall without that is one of concept. `threshold` is given where the labels are those of rows
    drawn by lot: recall is then judged with the scores of all rows.
    """
    groups = [key for key in sorted(labels.groups) if key in promise.groups]
    # Every promise has its part of the level that it was measured too high.
    each = level * PROMISES / (4 + len(groups))
    findings = []
    shares = (
        ("recall", promise.recall, labels.found, labels.positives, RECALL, "the release"),
        ("precision", promise.precision, labels.right, labels.flagged, PRECISION, "the release"),
        ("recall", promise.anchor, labels.found, labels.positives, ANCHOR, "the anchor"),
    )
    for name, promised, hits, trials, part, whose in shares:
        if promised is None or not len(hits):
            continue
        limit = least(promised, tolerance, each)
        if threshold is not None and name == "recall":
            evidence = powered.powered_evidence(labels.scored(threshold), limit)
        else:
            evidence = fall_evidence(hits, trials, limit)
        if evidence.max() >= 1 / (level * part):
            findings.append(_fallen(name, promised.share, hits, trials, limit, whose, drifted))
    if len(labels.losses):
        findings += _brier(labels, promise.brier, level, brier_tolerance, each)
    for key in groups:
        hits, trials = labels.groups[key]
        limit = least(promise.groups[key], group_tolerance, each)
        if fall_evidence(hits, trials, limit).max() >= len(groups) / (level * GROUPS):
            group = f"{key[0]} = {key[1]}"
            fallen = _fallen(
                "recall", promise.groups[key].share, hits, trials, limit, group, drifted
            )
            findings.append(fallen)
    return findings


def prevalence(
    labels: Matured, promised: Measured, floor: float, p_value_level: float
) -> list[Finding]:
    """Whether the share of positives among the labels has moved by more than `floor`."""
    from sluice.monitor.distance import share_p_value

    positives, rows = int(labels.positives.sum()), int(labels.losses.sum())
    if not rows:
        return []
    share = positives / rows
    first = round(promised.share * promised.of)
    p_value = share_p_value(first, promised.of, positives, rows)
    if abs(share - promised.share) < floor or p_value > p_value_level:
        return []
    sentence = (
        f"The share of positives among {rows:,} labels is {percent(share, 1)}; it was"
        f" {percent(promised.share, 1)}"
        " when the model was judged."
    )
    response = "See whether all outcomes are reported; if so, reweight the classes."
    return [Finding(kind="label", severity=WATCH, sentence=sentence, response=response)]


def by_lot(labels: Matured, share: float) -> list[Finding]:
    """As `enough_by_lot`, of these labels."""
    return enough_by_lot(int(labels.everyone.sum()), int(labels.losses.sum()), share)


def enough_by_lot(everyone: int, labelled: int, share: float) -> list[Finding]:
    """Whether as many rows have a label as were to be drawn by lot: of fewer, some outcomes did not
    come, and those that did may be others.
    """
    if not share or not everyone:
        return []
    chance = _OF_LOT * np.sqrt(share * (1 - share) / everyone)
    if labelled / everyone >= share * _COMPLETE - chance:
        return []
    sentence = (
        f"Rows that have an outcome are {percent(labelled / everyone, 1)} of {everyone:,};"
        f" {percent(share, 1)} were to be drawn by lot."
    )
    response = "Look up those that are missing: outcomes that come by themselves are no lot."
    return [Finding(kind="label", severity=WATCH, sentence=sentence, response=response)]


def _brier(
    labels: Matured, promised: Measured, level: float, tolerance: float, each: float
) -> list[Finding]:
    limit = most(promised, tolerance, each)
    if limit >= 1 or loss_evidence(LOSSES, labels.losses, limit).max() < 1 / (level * BRIER):
        return []
    seen = float((labels.losses @ LOSSES).sum() / labels.losses.sum())
    sentence = (
        f"The Brier score since {labels.start} is {seen:.4f}; at most {limit:.4f} is required"
        f" (the release had {promised.share:.4f})."
    )
    response = "The probabilities no longer fit: retrain on recent rows, or calibrate anew."
    return [Finding(kind="performance", severity=ACT, sentence=sentence, response=response)]


def _fallen(
    name: str,
    promised: float,
    hits: np.ndarray,
    trials: np.ndarray,
    limit: float,
    whose: str,
    drifted: bool,
) -> Finding:
    seen = hits.sum() / trials.sum()
    # The weeks before the fall hide it: the last four are told beside the whole.
    late = trials[-28:].sum()
    recent = f", {hits[-28:].sum() / late:.3f} in the last four weeks" if late else ""
    of = {"recall": "positives", "precision": "flagged rows"}[name]
    group = whose if " = " in whose else ""
    who = f" of {group}" if group else ""
    promiser = "the release" if group else whose
    sentence = (
        f"Live {name}{who} is {seen:.3f} of {int(trials.sum()):,} {of}{recent}; at least"
        f" {limit:.3f} is required, because {promiser} had {promised:.3f}."
    )
    return Finding(
        kind="performance" if drifted else "concept",
        severity=ACT,
        sentence=sentence,
        response=_RECENT if drifted else _FEATURES,
        column=group,
    )
