"""The report of the monitor as metrics of Prometheus, for a file that a collector reads.

A job that has ended cannot be scraped. The file stays, and says itself when it was written.
"""

import datetime
from collections.abc import Iterator, Mapping

from sluice.monitor.report import ACT, FINE, WATCH, Figures, Report
from sluice.policy import MonitorPolicy

_KINDS = ("data", "request", "prediction", "label", "performance", "concept", "intervention")
_VERDICTS = {FINE: 0, WATCH: 1, ACT: 2}

_DAY = 86_400.0  # seconds; Prometheus has no other unit of time

Samples = list[tuple[Mapping[str, str], float]]


def render(
    report: Report, monitor: MonitorPolicy, now: datetime.datetime, *, breaker_open: bool
) -> str:
    """All samples in the text format, each with the name of the model."""
    lines: list[str] = []
    for name, text, samples in _metrics(report, monitor, now, breaker_open):
        full = f"sluice_monitor_{name}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} gauge"]
        for labels, value in samples:
            named = {"model": report.model, **labels}
            shown = ",".join(f'{key}="{_escaped(word)}"' for key, word in named.items())
            lines.append(f"{full}{{{shown}}} {value:.10g}")
    return "\n".join(lines) + "\n"


def _metrics(
    report: Report, monitor: MonitorPolicy, now: datetime.datetime, breaker_open: bool
) -> Iterator[tuple[str, str, Samples]]:
    live, number = report.live, report.number
    measures, promises = _measures(report)
    yield "run_timestamp_seconds", "When the monitor ran last.", [({}, now.timestamp())]
    yield "verdict", "0 fine, 1 watch, 2 act.", [({}, _VERDICTS[report.verdict])]
    yield "findings", "What was found, by kind and severity.", _findings(report)
    yield "live", "Quality by the labels that had time to come in.", _known(measures)
    yield "promised", "Quality that the release was measured at.", _known(promises)
    if number:
        yield (
            "skill_surely_below",
            "Skill is surely below; 1 where nothing is.",
            [({}, number.below)],
        )
    else:
        text = "Recall is surely below; 1 where nothing is."
        yield "recall_surely_below", text, [({}, live.below)]
    yield "labelled_rows", "Rows whose outcome counts.", [({}, live.labelled)]
    yield "answers", "Rows in the log since the release.", [({}, report.rows)]
    ages = {"answer": report.newest_answer, "label": report.newest_label}
    seconds = {what: _DAY * _age(day, now) for what, day in ages.items() if day}
    yield "age_seconds", "Age of the newest answer and label, in whole days.", _known(seconds, "of")
    limits = {"answer": _DAY * monitor.silent_days, "label": _DAY * monitor.label_days}
    yield "age_limit_seconds", "How old these may be.", _known(limits, "of")
    yield "breaker_open", "1 where only a person lets candidates begin again.", [({}, breaker_open)]
    if report.weeks:
        week = report.weeks[-1]
        effects: Samples = [({"column": name}, far) for name, far in sorted(week.drift.items())]
        yield "drift", "Effect size (PSI less chance) of the newest week, by column.", effects
        if week.flagged is not None:
            yield "flagged_share", "Share flagged in the newest week.", [({}, week.flagged)]
    if report.promised and report.promised.flagged is not None:
        flagged: Samples = [({}, report.promised.flagged)]
        yield "flagged_share_promised", "The same on the holdout.", flagged
    if report.classes:
        recalls = {one.name: one.recall for one in report.classes}
        held = {one.name: one.promised for one in report.classes}
        yield "class_recall", "Recall of each class by these labels.", _known(recalls, "class")
        yield "class_recall_promised", "The same on the holdout.", _known(held, "class")


def _measures(report: Report) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """By name, what is measured live, and what was promised."""
    live, promised, number = report.live, report.promised, report.number
    if number:
        return _of_number(number.now), _of_number(number.promised)
    if promised is None:
        return {}, {}
    names = ("recall", "precision", "brier")
    return (
        {name: getattr(live, name) for name in names},
        {name: getattr(promised, name) for name in names},
    )


def _of_number(figures: Figures | None) -> dict[str, float | None]:
    """Error and bias in the unit of the target."""
    if figures is None:
        return {}
    names = ("mae", "bias", "skill", "within")
    return {name: getattr(figures, name) for name in names}


def _findings(report: Report) -> Samples:
    """A count for each kind and severity, 0 as well: a series that comes and goes is no alarm."""
    return [
        (
            {"kind": kind, "severity": severity},
            sum(found.kind == kind and found.severity == severity for found in report.findings),
        )
        for kind in _KINDS
        for severity in (WATCH, ACT)
    ]


def _known(values: Mapping[str, float | None], label: str = "measure") -> Samples:
    return [({label: name}, value) for name, value in values.items() if value is not None]


def _age(day: str, now: datetime.datetime) -> float:
    return (now.astimezone(datetime.UTC).date() - datetime.date.fromisoformat(day)).days


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
