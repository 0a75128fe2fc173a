"""The report of the monitor: from days in counts, a promise and a policy to one verdict."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from sluice.model.artifact.reference import Reference
from sluice.monitor.acting import acting_findings, together
from sluice.monitor.data import answer_findings, data_findings, effects
from sluice.monitor.day import Day
from sluice.monitor.estimate import estimate
from sluice.monitor.falls import DAYS
from sluice.monitor.labels import Settled
from sluice.monitor.powered import explained
from sluice.monitor.quality import (
    Matured,
    Measured,
    Promise,
    by_lot,
    live_quality,
    matured,
    performance,
    prevalence,
)
from sluice.monitor.report import (
    ACT,
    WATCH,
    Finding,
    Live,
    Promised,
    Report,
    Week,
    in_order,
    sentence_of,
    verdict_of,
)
from sluice.percent import percent
from sluice.policy import Policy
from sluice.served.contract import Contract

_PREVALENCE = 0.05  # points by which the share of positives moves
_PREVALENCE_LEVEL = 0.0001
_WEEK, _MONTH = 7, 30  # days
_FEW = 100  # positives with a label, below which recall is estimated besides


@dataclass(frozen=True)
class Standing:
    """What is live, whatever its answers are: model and number of its release, since when, and what
    it was trained on.
    """

    model: str
    release: int
    since: datetime.date
    contract: Contract
    reference: Reference
    policy: Policy


@dataclass(frozen=True)
class Watched(Standing):
    """What is live, and what it promised. `flagged` and `prevalence` are shares of the holdout,
    `calibration` is its error there.
    """

    promise: Promise
    flagged: Measured
    prevalence: Measured
    threshold: float
    calibration: float


def judge(watched: Watched, days: Sequence[Day], labels: Settled, today: datetime.date) -> Report:
    """The report for `today`, from days in their order; of the labels only their state is told,
    because each day has the outcomes of its own rows.
    """
    monitor = watched.policy.monitor
    start = year_of(watched.since, today)
    until = today - datetime.timedelta(days=monitor.maturity_days)
    everyone = matured(days, start, until)
    acting = together([day for day in days if start.isoformat() <= day.day <= until.isoformat()])
    acted = acting_findings(acting, int(everyone.losses.sum()), monitor.control_share)
    # Who was acted upon has the outcome of the action: then the untouched alone are judged.
    untouched = bool(acted) and monitor.control_share > 0
    ripe = matured(days, start, until, untouched=untouched)
    by_lot_of = monitor.labels_by_lot * (monitor.control_share if untouched else 1)
    threshold = watched.threshold if monitor.labels_by_lot or untouched else None
    live, below = live_quality(ripe, monitor.level, threshold)
    data = data_findings(days, watched.contract, watched.reference, watched.policy.drift)
    judged = not acted or untouched
    found = [
        *acted,
        *performance(
            ripe if judged else matured([], start, until),
            watched.promise,
            monitor.level,
            monitor.tolerance,
            watched.policy.gate.brier_margin,
            monitor.group_tolerance,
            drifted=bool(data),
            threshold=threshold,
        ),
        *by_lot(ripe, by_lot_of),
        *fresh(watched, days, labels, today),
        *data,
        *answer_findings(days, watched.flagged.share, watched.flagged.of),
        *prevalence(
            ripe if judged else matured([], start, until),
            watched.prevalence,
            _PREVALENCE,
            _PREVALENCE_LEVEL,
        ),
    ]
    guessed: tuple[str, ...] = ()
    if threshold is not None:
        guessed = (_helped(ripe, threshold, watched.promise.recall.share),)
    if acted:
        naive, _ = live_quality(everyone, monitor.level)
        guessed = (*guessed, *_naive(naive))
    if live.positives < _FEW:
        told = estimate(days[-_MONTH:], watched.threshold, watched.calibration, drifted=bool(data))
        live = replace(live, estimate=told.recall)
        guessed = (*guessed, told.sentence)
    findings = in_order(found)
    verdict = verdict_of(findings)
    promise = watched.promise
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
            recall=promise.recall.share,
            precision=promise.precision.share,
            brier=promise.brier.share,
            flagged=watched.flagged.share,
            prevalence=watched.prevalence.share,
            anchor=promise.anchor.share if promise.anchor else None,
        ),
        live=live,
        weeks=_weeks(watched, days, ripe, below),
        rows=sum(day.rows for day in days),
        days=sum(1 for day in days if day.rows),
        notes=(*notes(watched, days, labels, start), *guessed),
        newest_answer=newest_answer(days),
        newest_label=newest_label(labels),
    )


def _naive(naive: Live) -> tuple[str, ...]:
    """What all rows would say, those that were acted upon among them."""
    if naive.recall is None or naive.precision is None:
        return ()
    return (
        f"With the rows that were acted upon, recall would be {naive.recall:.3f} and precision"
        f" {naive.precision:.3f}: who was helped counts as an error of the model there.",
    )


def _helped(ripe: Matured, threshold: float, recall: float) -> str:
    """What the scores of the rows without a label add."""
    share = explained(ripe.scored(threshold), recall)
    return (
        "Outcomes are those of rows drawn by lot. The scores explain"
        f" {percent(share)} of their spread; the rest is what limits the evidence, and more labels"
        " make it less."
    )


def year_of(since: datetime.date, today: datetime.date) -> datetime.date:
    """The first day of the year of the release that today lies in; a year has 52 weeks."""
    years = max((today - since).days, 0) // DAYS
    return since + datetime.timedelta(days=years * DAYS)


def newest_answer(days: Sequence[Day]) -> str:
    """The day of the newest answer, empty for none."""
    return max((day.day for day in days if day.rows), default="")


def newest_label(labels: Settled) -> str:
    """The day from which the newest label was known, empty for none."""
    return _day_of(labels.newest).isoformat() if labels.newest else ""


def fresh(
    watched: Standing, days: Sequence[Day], labels: Settled, today: datetime.date
) -> list[Finding]:
    """Whether answers and labels still come in."""
    monitor = watched.policy.monitor
    answered = [day for day in days if day.rows]
    newest = datetime.date.fromisoformat(answered[-1].day) if answered else watched.since
    findings = []
    silent = (today - newest).days
    if silent > monitor.silent_days:
        sentence = (
            f"The newest answer in the log is {silent} days old; at most {monitor.silent_days} are"
            " required."
        )
        response = "See whether the service runs and where it keeps its log."
        findings.append(Finding(kind="data", severity=ACT, sentence=sentence, response=response))
    if not labels.newest or not answered:
        return findings
    late = (today - _day_of(labels.newest)).days
    if late > monitor.label_days:
        sentence = f"The newest label is {late} days old; at most {monitor.label_days} is required."
        response = "Add the outcomes that are known by now: `sluice labels add FILE`."
        findings.append(Finding(kind="label", severity=WATCH, sentence=sentence, response=response))
    return findings


def _day_of(second: int) -> datetime.date:
    """The day in UTC of a second since 1970."""
    return datetime.date(1970, 1, 1) + datetime.timedelta(seconds=second)


def notes(
    watched: Standing, days: Sequence[Day], labels: Settled, start: datetime.date
) -> tuple[str, ...]:
    """What a reader has to know beside the findings."""
    monitor = watched.policy.monitor
    told = [
        (
            f'If the model keeps its promise, the year from {start} on ever says "act" with a'
            f" chance of at most {percent(monitor.level)}, however often it is looked at."
        ),
        f"An outcome counts {monitor.maturity_days} days after the answer.",
    ]
    if labels.conflicting:
        told.append(f"{labels.conflicting} ids have labels that contradict each other: left out.")
    early = sum(day.outcomes.early for day in days)
    if early:
        told.append(f"{early} labels were known before the answer and say nothing about it.")
    broken = sum(day.broken for day in days)
    if broken:
        told.append(f"{broken} lines of the log cannot be read.")
    logged = {column.key for column in watched.contract.features}
    hidden = [part.name for part in watched.contract.segments if part.column not in logged]
    if hidden:
        told.append(f"Not in the log, and so not judged by group: {', '.join(hidden)}.")
    return tuple(told)


def by_week(days: Sequence[Day], start: datetime.date) -> list[tuple[int, list[Day]]]:
    """The days that have rows by the number of their week, counted from the first day of the
    year.
    """
    found: dict[int, list[Day]] = {}
    for day in days:
        at = (datetime.date.fromisoformat(day.day) - start).days
        if at >= 0 and day.rows:
            found.setdefault(at // _WEEK, []).append(day)
    return sorted(found.items())


def _weeks(
    watched: Watched, days: Sequence[Day], ripe: Matured, below: np.ndarray
) -> tuple[Week, ...]:
    """The weeks that have a row."""
    weeks = []
    for number, inside in by_week(days, ripe.start):
        part = slice(number * _WEEK, (number + 1) * _WEEK)
        positives = int(ripe.positives[part].sum())
        rows = sum(day.rows for day in inside)
        weeks.append(
            Week(
                start=(ripe.start + datetime.timedelta(days=number * _WEEK)).isoformat(),
                rows=rows,
                flagged=sum(day.flagged for day in inside) / rows,
                positives=positives,
                recall=float(ripe.found[part].sum()) / positives if positives else None,
                below=float(below[part][-1]) if len(below[part]) else 1.0,
                drift=effects(inside, watched.contract, watched.reference),
            )
        )
    return tuple(weeks)
