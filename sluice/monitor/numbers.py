"""The report of the monitor on a model that answers with a number: its skill, and how many answers
are near enough.

The level of a year is shared out once over all that may say "act": the skill beside the release and
beside the anchor, the share within the band, the error in each group, and the promises, which were
measured on a holdout.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy  # its parts are loaded at their first use

from sluice.monitor.acting import acting_findings, together
from sluice.monitor.data import LEVEL, data_findings, effects
from sluice.monitor.day import Day
from sluice.monitor.distance import NO_DISTANCE, distance, share_p_value
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
from sluice.monitor.number_day import Measure, NumberOutcomes
from sluice.monitor.number_falls import (
    Off,
    error_evidence,
    skill_evidence,
    skill_surely_below,
)
from sluice.monitor.quality import Measured, enough_by_lot, least
from sluice.monitor.report import (
    ACT,
    WATCH,
    Figures,
    Finding,
    Live,
    LiveNumber,
    Report,
    Week,
    in_order,
    sentence_of,
    verdict_of,
)
from sluice.percent import four_digits, percent

# The shares of the level. Together they are 1.
SKILL, NEAR, GROUPS, ANCHOR, PROMISES = 0.35, 0.25, 0.2, 0.1, 0.1
_TENTHS = 10  # of the validation answers, where all limits of the bins are different
_MOVED = 0.05  # points by which the share of outcomes above the training median moves
_TIED = 0.05  # of the outcomes at that median, from which its sides need not be halves
_BEYOND = 0.02  # of the outcomes outside of the plausible range, from which it is worth a word
_LEAST_ROWS = 50
_WEEK, _MONTH = 7, 28  # days
_RECENT = "Retrain on recent rows; the gate decides about the result."
_FEATURES = (
    "The columns look as they did, so what they mean has changed: revisit the features, and retrain"
    " on recent rows."
)


@dataclass(frozen=True)
class Bounded:
    """A figure that was measured on a holdout, and its limit on the worse side, one-sided at
    `level`.
    """

    value: float
    limit: float
    level: float

    def away(self, level: float) -> float:
        """How far the limit at another level lies from the figure, as of a normal estimate."""
        ratio = scipy.stats.norm.isf(level) / scipy.stats.norm.isf(self.level)
        return float(abs(self.value - self.limit) * ratio)


@dataclass(frozen=True)
class NumberPromise:
    """What a release was measured at: all figures, what the median of the training rows was off by,
    the rows, and how many rows its bins were made of. `groups` has the mean absolute error of each
    group, `anchor` the anchor's skill where there is one.
    """

    figures: Figures
    nothing: float
    skill: Bounded
    rows: int
    validation: int
    groups: dict[tuple[str, str], Bounded] = field(default_factory=dict)
    anchor: float | None = None


@dataclass(frozen=True)
class WatchedNumber(Standing):
    """What is live, by what it was measured, what it promised, and how many bins it has."""

    measure: Measure
    promise: NumberPromise
    bins: int


@dataclass(frozen=True)
class _Matured:
    """The labels of a year: outcomes by day, answers of these days with a label or without."""

    start: datetime.date
    outcomes: tuple[NumberOutcomes, ...]
    answers: int

    @property
    def rows(self) -> int:
        """How many rows have a label."""
        return sum(day.rows for day in self.outcomes)

    def off(self) -> Off:
        """Sums by day."""
        return Off(
            *(
                np.array([getattr(day, name) for day in self.outcomes], dtype=np.float64)
                for name in (
                    "rows",
                    "off",
                    "squares",
                    "nothing",
                    "nothing_squares",
                    "product",
                )
            )
        )

    def of_group(self, segment: str, name: str) -> Off:
        """The same of a group, of which the median is not told."""
        found = [day.groups.get(segment, {}).get(name) for day in self.outcomes]
        rows, off, squares = (
            np.array([getattr(one, key) if one else 0.0 for one in found], dtype=np.float64)
            for key in ("rows", "off", "squares")
        )
        nothing = np.zeros(len(found))
        return Off(rows, off, squares, nothing, nothing, nothing)


def judge_number(
    watched: WatchedNumber, days: Sequence[Day], labels: Settled, today: datetime.date
) -> Report:
    """The report for `today`, from days in their order, as `judge` has it of one positive class."""
    monitor, promise = watched.policy.monitor, watched.promise
    start = year_of(watched.since, today)
    until = today - datetime.timedelta(days=monitor.maturity_days)
    everyone = _matured(days, start, until)
    acting = together([day for day in days if start.isoformat() <= day.day <= until.isoformat()])
    acted = acting_findings(acting, everyone.rows, monitor.control_share, several=True)
    # Who was acted upon has the outcome of the action: then the untouched alone are judged.
    untouched = bool(acted) and monitor.control_share > 0
    ripe = _matured(days, start, until, untouched=True) if untouched else everyone
    judged = not acted or untouched
    data = data_findings(days, watched.contract, watched.reference, watched.policy.drift)
    by_lot = monitor.labels_by_lot * (monitor.control_share if untouched else 1)
    findings = in_order(
        [
            *acted,
            *(_fallen(watched, ripe, drifted=bool(data)) if judged else ()),
            *enough_by_lot(ripe.answers, ripe.rows, by_lot),
            *fresh(watched, days, labels, today),
            *data,
            *_answers(watched, days),
            *(_outcomes(watched, ripe) if judged else ()),
        ]
    )
    verdict = verdict_of(findings)
    below = skill_surely_below(ripe.off(), watched.measure.reach, monitor.level * SKILL)
    return Report(
        model=watched.model,
        release=watched.release,
        since=watched.since.isoformat(),
        day=today.isoformat(),
        verdict=verdict,
        sentence=sentence_of(verdict, findings),
        level=monitor.level,
        findings=findings,
        promised=None,
        live=Live(labelled=ripe.rows, positives=0, recall=None, precision=None, brier=None),
        weeks=_weeks(watched, days, ripe, below),
        rows=sum(day.rows for day in days),
        days=sum(1 for day in days if day.rows),
        notes=notes(watched, days, labels, start),
        newest_answer=newest_answer(days),
        newest_label=newest_label(labels),
        number=LiveNumber(
            unit=watched.measure.quantity.unit or "",
            band=watched.measure.band,
            promised=promise.figures,
            now=_figures(ripe.outcomes),
            anchor=promise.anchor,
            below=float(below[-1]) if len(below) else 1.0,
        ),
    )


def _matured(
    days: Sequence[Day], start: datetime.date, until: datetime.date, *, untouched: bool = False
) -> _Matured:
    """The labels of the days from `start` to `until`, of at most one year. Where `untouched`, only
    of the rows that were left so by lot.
    """
    length = max(min((until - start).days + 1, DAYS), 0)
    outcomes, answers = [NumberOutcomes()] * length, 0
    for day in days:
        at = (datetime.date.fromisoformat(day.day) - start).days
        if 0 <= at < length:
            outcomes[at] = (day.untouched if untouched else day.outcomes).number
            answers += day.rows
    return _Matured(start, tuple(outcomes), answers)


def _figures(outcomes: Sequence[NumberOutcomes]) -> Figures | None:
    """The figures of these days together; None without a labelled row."""
    rows = sum(day.rows for day in outcomes)
    if not rows:
        return None
    off, nothing = sum(day.off for day in outcomes), sum(day.nothing for day in outcomes)
    return Figures(
        mae=off / rows,
        bias=sum(day.bias for day in outcomes) / rows,
        skill=1 - off / nothing if nothing else 0.0,
        within=sum(day.near for day in outcomes) / rows,
    )


def _fallen(watched: WatchedNumber, ripe: _Matured, *, drifted: bool) -> list[Finding]:
    """What has surely fallen below its promise. A fall while no column has changed is one of
    concept.
    """
    monitor, promise = watched.policy.monitor, watched.promise
    now = _figures(ripe.outcomes)
    if now is None:
        return []
    groups = _groups(ripe, promise)
    # Every promise has its part of the level that it was measured too high.
    each = monitor.level * PROMISES / (3 + len(groups))
    findings, off = [], ripe.off()
    recent = _recent(ripe)
    spread = max(monitor.tolerance, promise.skill.away(each))
    for promised, part, whose in (
        (promise.skill.value, SKILL, "the release"),
        (promise.anchor, ANCHOR, "the anchor"),
    ):
        if promised is None:
            continue
        limit = max(promised - spread, 0.0)
        evidence = skill_evidence(off, limit, watched.measure.reach)
        if evidence.max() < 1 / (monitor.level * part):
            continue
        late = f", {recent.skill:.3f} in the last four weeks" if recent else ""
        sentence = (
            f"Live skill is {now.skill:.3f} of {ripe.rows:,} rows{late}; at least {limit:.3f} is"
            f" required, because {whose} had {promised:.3f}. Answers are"
            f" {_shown(watched, now.mae)} off on average."
        )
        findings.append(_act(sentence, drifted))
    near = Measured(promise.figures.within, promise.rows)
    limit = least(near, monitor.tolerance, each)
    hits = np.array([day.near for day in ripe.outcomes], dtype=np.float64)
    if fall_evidence(hits, off.rows, limit).max() >= 1 / (monitor.level * NEAR):
        late = f", {percent(recent.within, 1)} in the last four weeks" if recent else ""
        sentence = (
            f"Answers no more than {_shown(watched, watched.measure.band)} off are"
            f" {percent(now.within, 1)} of {ripe.rows:,}{late}; at least {percent(limit, 1)} is"
            f" required, because the release had {percent(near.share, 1)}."
        )
        findings.append(_act(sentence, drifted))
    return findings + _groups_fallen(watched, ripe, groups, each, drifted=drifted)


def _groups(ripe: _Matured, promise: NumberPromise) -> list[tuple[str, str]]:
    """The groups that have a label and a promise."""
    known = {
        (segment, name)
        for day in ripe.outcomes
        for segment, names in day.groups.items()
        for name in names
    }
    return sorted(known & set(promise.groups))


def _groups_fallen(
    watched: WatchedNumber,
    ripe: _Matured,
    groups: Sequence[tuple[str, str]],
    each: float,
    *,
    drifted: bool,
) -> list[Finding]:
    """Groups in which answers are surely further off than was promised; the tolerance is a share of
    what the median is off.
    """
    monitor, promise = watched.policy.monitor, watched.promise
    findings = []
    for segment, name in groups:
        promised, off = promise.groups[segment, name], ripe.of_group(segment, name)
        room = max(monitor.group_tolerance * promise.nothing, promised.away(each))
        limit = promised.value + room
        if error_evidence(off, limit).max() < len(groups) / (monitor.level * GROUPS):
            continue
        rows = int(off.rows.sum())
        sentence = (
            f"The live mean absolute error of {segment} = {name} is"
            f" {_shown(watched, float(off.off.sum()) / rows)} of {rows:,} rows; at most"
            f" {_shown(watched, limit)} is allowed, because the release had"
            f" {_shown(watched, promised.value)}."
        )
        findings.append(_act(sentence, drifted, f"{segment} = {name}"))
    return findings


def _recent(ripe: _Matured) -> Figures | None:
    """The figures of the last four weeks: the weeks before a fall hide it."""
    return _figures(ripe.outcomes[-_MONTH:])


def _act(sentence: str, drifted: bool, column: str = "") -> Finding:
    return Finding(
        kind="performance" if drifted else "concept",
        severity=ACT,
        sentence=sentence,
        response=_RECENT if drifted else _FEATURES,
        column=column,
    )


def _shown(watched: WatchedNumber, number: float) -> str:
    """A distance in its unit, to four digits."""
    unit = watched.measure.quantity.unit
    return f"{four_digits(number)} {unit}" if unit else four_digits(number)


def _answers(watched: WatchedNumber, days: Sequence[Day]) -> list[Finding]:
    """Whether answers lie elsewhere than those to the validation rows, or than a month before."""
    days = [day for day in days if day.rows]
    week, month = days[-_WEEK:], days[-_WEEK - _MONTH : -_WEEK]
    rows = sum(day.rows for day in week)
    if rows < _LEAST_ROWS:
        return []
    seen = _binned(week, watched.bins)
    pairs = []
    if watched.bins == _TENTHS:  # each has a tenth of the validation answers
        tenths = [round(watched.promise.validation / _TENTHS)] * _TENTHS
        pairs.append(("those to the validation rows", tenths))
    if sum(day.rows for day in month) >= _LEAST_ROWS:
        pairs.append(("those of the four weeks before", _binned(month, watched.bins)))
    for what, before in pairs:
        far = distance(before, seen, ordered=True) if len(before) > 1 else NO_DISTANCE
        if far.effect < watched.policy.drift.drifted or far.p_value > LEVEL:
            continue
        sentence = (
            f"Answers in the seven days up to {week[-1].day}, of {rows:,} rows, lie elsewhere than"
            f" {what}: PSI {far.psi:.2f}, of which chance makes {far.noise:.2f}; below"
            f" {watched.policy.drift.drifted:g} is usual. {percent(seen[0] / rows)} are in the"
            f" lowest bin of the model, {percent(seen[-1] / rows)} in the highest."
        )
        response = "See which columns have changed; what is done with the answers changes with it."
        return [Finding(kind="prediction", severity=WATCH, sentence=sentence, response=response)]
    return []


def _binned(days: Sequence[Day], bins: int) -> list[int]:
    """How many answers of these days lie in each bin of the model, the lowest first."""
    return [sum(day.tiers.get(str(at + 1), 0) for day in days) for at in range(bins)]


def _outcomes(watched: WatchedNumber, ripe: _Matured) -> list[Finding]:
    """Whether outcomes lie above or below the training median more often than they did, or outside
    of the plausible range.
    """
    above, below = (sum(getattr(day, side) for day in ripe.outcomes) for side in ("above", "below"))
    beyond, apart = sum(day.beyond for day in ripe.outcomes), above + below
    findings = []
    if ripe.rows >= _LEAST_ROWS and beyond >= _BEYOND * ripe.rows:
        sentence = (
            f"Outcomes outside of the plausible range are {percent(beyond / ripe.rows, 1)} of"
            f" {ripe.rows:,}; no answer lies there, and they are counted as its ends."
        )
        response = "Widen the range of the target in the contract, and retrain."
        findings.append(_label(sentence, response))
    # On the training rows each side of the median has half of those that are not at it.
    if not apart or ripe.rows - apart > _TIED * ripe.rows:
        return findings
    share = above / apart
    rows = watched.promise.rows
    p_value = share_p_value(rows // 2, rows, above, apart)
    if abs(share - 0.5) >= _MOVED and p_value <= LEVEL:
        sentence = (
            f"Outcomes above {_shown(watched, watched.measure.middle)}, the median of the training"
            f" rows, are {percent(share, 1)} of {apart:,}; half of the training rows were."
        )
        response = "See whether all outcomes are reported; if so, retrain on recent rows."
        findings.append(_label(sentence, response))
    return findings


def _label(sentence: str, response: str) -> Finding:
    return Finding(kind="label", severity=WATCH, sentence=sentence, response=response)


def _weeks(
    watched: WatchedNumber, days: Sequence[Day], ripe: _Matured, below: np.ndarray
) -> tuple[Week, ...]:
    """The weeks that have a row."""
    weeks = []
    for number, inside in by_week(days, ripe.start):
        part = slice(number * _WEEK, (number + 1) * _WEEK)
        found = _figures(ripe.outcomes[part])
        weeks.append(
            Week(
                start=(ripe.start + datetime.timedelta(days=number * _WEEK)).isoformat(),
                rows=sum(day.rows for day in inside),
                flagged=None,
                positives=sum(day.rows for day in ripe.outcomes[part]),
                recall=None,
                below=float(below[part][-1]) if len(below[part]) else 1.0,
                drift=effects(inside, watched.contract, watched.reference),
                skill=found.skill if found else None,
            )
        )
    return tuple(weeks)
