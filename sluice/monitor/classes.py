"""The report of the monitor on a model of several classes: its mean recall, and that of each class.

The level of a year is shared out once over all that may say "act": the mean recall beside the
release and beside the anchor, each class, and the promises, which were measured on a holdout.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.model.classes.recall import mean_of
from sluice.monitor.acting import acting_findings, together
from sluice.monitor.class_falls import mean_fall_evidence, mean_surely_below
from sluice.monitor.data import LEVEL, data_findings, effects
from sluice.monitor.day import Day
from sluice.monitor.distance import share_p_value
from sluice.monitor.falls import DAYS, fall_evidence
from sluice.monitor.judge import (
    Standing,
    by_week,
    fresh,
    newest_answer,
    newest_label,
    notes,
    year_of,
)
from sluice.monitor.labels import Settled
from sluice.monitor.quality import Measured, enough_by_lot, least
from sluice.monitor.report import (
    ACT,
    WATCH,
    Finding,
    Live,
    LiveClass,
    Promised,
    Report,
    Week,
    in_order,
    sentence_of,
    verdict_of,
)
from sluice.percent import percent

# The shares of the level. Together they are 1.
MEAN, CLASSES, ANCHOR, PROMISES = 0.4, 0.4, 0.1, 0.1
_MOVED = 0.05  # points by which the share of a class moves
_LEAST_ROWS = 50
_WEEK = 7  # days
_RECENT = "Retrain on recent rows; the gate decides about the result."
_FEATURES = (
    "The columns look as they did, so what they mean has changed: revisit the features, and retrain"
    " on recent rows."
)


@dataclass(frozen=True)
class ClassPromise:
    """What a release was measured at: means over the classes, and by class its recall and the share
    of the rows that are of it and that are answered with it. `anchor` is the mean recall of the
    anchor where there is one.
    """

    recall: float
    precision: float
    brier: float
    classes: Mapping[str, Measured]
    of: Mapping[str, Measured]
    answered: Mapping[str, Measured]
    anchor: float | None = None


@dataclass(frozen=True)
class WatchedClasses(Standing):
    """What is live, and what it promised."""

    promise: ClassPromise


@dataclass(frozen=True)
class _Matured:
    """The labels of a year: rows of each class and how many of them were answered rightly, shape
    (days, classes); answers of these days, with a label or without.
    """

    start: datetime.date
    rows: np.ndarray
    found: np.ndarray
    answers: int


def judge_classes(
    watched: WatchedClasses, days: Sequence[Day], labels: Settled, today: datetime.date
) -> Report:
    """The report for `today`, from days in their order, as `judge` has it of one positive class."""
    monitor, promise = watched.policy.monitor, watched.promise
    start = year_of(watched.since, today)
    until = today - datetime.timedelta(days=monitor.maturity_days)
    names = tuple(promise.classes)
    everyone = _matured(days, names, start, until)
    acting = together([day for day in days if start.isoformat() <= day.day <= until.isoformat()])
    acted = acting_findings(acting, int(everyone.rows.sum()), monitor.control_share, several=True)
    # Who was acted upon has the outcome of the action: then the untouched alone are judged.
    untouched = bool(acted) and monitor.control_share > 0
    ripe = _matured(days, names, start, until, untouched=True) if untouched else everyone
    judged = not acted or untouched
    data = data_findings(days, watched.contract, watched.reference, watched.policy.drift)
    by_lot = monitor.labels_by_lot * (monitor.control_share if untouched else 1)
    findings = in_order(
        [
            *acted,
            *(_fallen(watched, ripe, drifted=bool(data)) if judged else ()),
            *enough_by_lot(ripe.answers, int(ripe.rows.sum()), by_lot),
            *fresh(watched, days, labels, today),
            *data,
            *_answers(days, promise),
            *(_outcomes(ripe, promise) if judged else ()),
        ]
    )
    verdict = verdict_of(findings)
    below = mean_surely_below(ripe.found, ripe.rows, monitor.level * MEAN)
    return Report(
        model=watched.model,
        release=watched.release,
        since=watched.since.isoformat(),
        day=today.isoformat(),
        verdict=verdict,
        sentence=sentence_of(verdict, findings),
        level=monitor.level,
        findings=findings,
        promised=Promised(
            recall=promise.recall,
            precision=promise.precision,
            brier=promise.brier,
            flagged=None,
            prevalence=None,
            anchor=promise.anchor,
        ),
        live=Live(
            labelled=int(ripe.rows.sum()),
            positives=0,
            recall=_mean(ripe.found.sum(axis=0), ripe.rows.sum(axis=0)),
            precision=None,
            brier=None,
            below=float(below[-1]) if len(below) else 1.0,
        ),
        weeks=_weeks(watched, days, ripe, below),
        rows=sum(day.rows for day in days),
        days=sum(1 for day in days if day.rows),
        notes=notes(watched, days, labels, start),
        newest_answer=newest_answer(days),
        newest_label=newest_label(labels),
        classes=_live(ripe, promise),
    )


def _matured(
    days: Sequence[Day],
    names: Sequence[str],
    start: datetime.date,
    until: datetime.date,
    *,
    untouched: bool = False,
) -> _Matured:
    """The labels of the days from `start` to `until`, of at most one year. Where `untouched`, only
    of the rows that were left so by lot.
    """
    length = max(min((until - start).days + 1, DAYS), 0)
    rows, found = np.zeros((length, len(names))), np.zeros((length, len(names)))
    answers = 0
    for day in days:
        at = (datetime.date.fromisoformat(day.day) - start).days
        if not 0 <= at < length:
            continue
        seen = day.untouched if untouched else day.outcomes
        answers += day.rows
        for place, name in enumerate(names):
            if name in seen.classes:
                rows[at, place] = seen.classes[name].rows
                found[at, place] = seen.classes[name].found
    return _Matured(start, rows, found, answers)


def _mean(found: np.ndarray, rows: np.ndarray) -> float | None:
    """The mean recall over the classes; None where one of them has no row."""
    return float((found / rows).mean()) if len(rows) and (rows > 0).all() else None


def _live(ripe: _Matured, promise: ClassPromise) -> tuple[LiveClass, ...]:
    """What is known of each class."""
    rows, found = ripe.rows.sum(axis=0), ripe.found.sum(axis=0)
    return tuple(
        LiveClass(
            name=name,
            rows=int(rows[place]),
            recall=float(found[place] / rows[place]) if rows[place] else None,
            promised=measured.share,
        )
        for place, (name, measured) in enumerate(promise.classes.items())
    )


def least_mean(classes: Mapping[str, Measured], promised: float, by: float, level: float) -> float:
    """What a mean recall has to be at least: what was promised less the tolerance `by`, or its
    lower limit on the holdout where that lies further below.
    """
    parts = []
    for one in classes.values():
        hits, low = round(one.share * one.of), 0.0
        if hits:
            low = float(scipy.stats.beta.ppf(level, hits, one.of - hits + 1))
        parts.append((one.share, low, 1.0))
    spread = sum(one.share for one in classes.values()) / len(classes) - mean_of(parts, level).low
    return max(promised - max(by, spread), 0.0)


def _fallen(watched: WatchedClasses, ripe: _Matured, *, drifted: bool) -> list[Finding]:
    """What has surely fallen below its promise. A fall while no column has changed is one of
    concept.
    """
    monitor, promise = watched.policy.monitor, watched.promise
    if not len(ripe.rows):
        return []
    # Every promise has its part of the level that it was measured too high.
    each = monitor.level * PROMISES / (2 + len(promise.classes))
    findings = []
    for promised, part, whose in (
        (promise.recall, MEAN, "the release"),
        (promise.anchor, ANCHOR, "the anchor"),
    ):
        if promised is None:
            continue
        limit = least_mean(promise.classes, promised, monitor.tolerance, each)
        if mean_fall_evidence(ripe.found, ripe.rows, limit).max() < 1 / (monitor.level * part):
            continue
        seen = _mean(ripe.found.sum(axis=0), ripe.rows.sum(axis=0))
        sentence = (
            f"Live mean recall is {seen:.3f} of {int(ripe.rows.sum()):,} rows; at least"
            f" {limit:.3f} is required, because {whose} had {promised:.3f}."
        )
        findings.append(_act(sentence, drifted))
    for place, (name, measured) in enumerate(promise.classes.items()):
        found, rows = ripe.found[:, place], ripe.rows[:, place]
        limit = least(measured, monitor.group_tolerance, each)
        evidence = fall_evidence(found, rows, limit).max()
        if evidence < len(promise.classes) / (monitor.level * CLASSES):
            continue
        sentence = (
            f'Live recall of "{name}" is {found.sum() / rows.sum():.3f} of {int(rows.sum()):,}'
            f" rows; at least {limit:.3f} is required, because the release had"
            f" {measured.share:.3f}."
        )
        findings.append(_act(sentence, drifted, name))
    return findings


def _act(sentence: str, drifted: bool, column: str = "") -> Finding:
    return Finding(
        kind="performance" if drifted else "concept",
        severity=ACT,
        sentence=sentence,
        response=_RECENT if drifted else _FEATURES,
        column=column,
    )


def _answers(days: Sequence[Day], promise: ClassPromise) -> list[Finding]:
    """Whether classes are answered more or less often than on the holdout."""
    week = [day for day in days if day.rows][-_WEEK:]
    rows = sum(day.rows for day in week)
    if rows < _LEAST_ROWS:
        return []
    counts = {name: sum(day.tiers.get(name, 0) for day in week) for name in promise.answered}
    moved = _moved(counts, rows, promise.answered)
    if not moved:
        return []
    sentence = f"Answered in the seven days up to {week[-1].day}, of {rows:,} rows: {moved}."
    response = "See which columns have changed; the work that follows the answers changes with it."
    return [Finding(kind="prediction", severity=WATCH, sentence=sentence, response=response)]


def _outcomes(ripe: _Matured, promise: ClassPromise) -> list[Finding]:
    """Whether classes are more or less frequent among the labels than on the holdout."""
    of_class = ripe.rows.sum(axis=0)
    rows = int(of_class.sum())
    counts = {name: int(count) for name, count in zip(promise.of, of_class, strict=True)}
    moved = _moved(counts, rows, promise.of) if rows else ""
    if not moved:
        return []
    sentence = f"Outcomes among {rows:,} labels: {moved}."
    response = "See whether all outcomes are reported; if so, reweight the classes."
    return [Finding(kind="label", severity=WATCH, sentence=sentence, response=response)]


def _moved(counts: Mapping[str, int], rows: int, promised: Mapping[str, Measured]) -> str:
    """The classes whose share has moved, in words; the level is shared among all classes."""
    told = []
    for name, before in promised.items():
        share = counts[name] / rows
        p_value = share_p_value(round(before.share * before.of), before.of, counts[name], rows)
        if abs(share - before.share) >= _MOVED and p_value <= LEVEL / len(promised):
            was = f"{percent(before.share, 1)} on the holdout"
            told.append(f'"{name}" {percent(share, 1)} ({was})')
    return ", ".join(told)


def _weeks(
    watched: WatchedClasses, days: Sequence[Day], ripe: _Matured, below: np.ndarray
) -> tuple[Week, ...]:
    """The weeks that have a row."""
    weeks = []
    for number, inside in by_week(days, ripe.start):
        part = slice(number * _WEEK, (number + 1) * _WEEK)
        rows, found = ripe.rows[part].sum(axis=0), ripe.found[part].sum(axis=0)
        weeks.append(
            Week(
                start=(ripe.start + datetime.timedelta(days=number * _WEEK)).isoformat(),
                rows=sum(day.rows for day in inside),
                flagged=None,
                positives=int(rows.sum()),
                recall=_mean(found, rows),
                below=float(below[part][-1]) if len(below[part]) else 1.0,
                drift=effects(inside, watched.contract, watched.reference),
            )
        )
    return tuple(weeks)
