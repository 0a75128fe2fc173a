"""A verdict in a terminal: each rule, and the line that matters."""

import contextlib
from collections.abc import Mapping

from msgspec import Struct

from flows.facts.step_files import METRICS
from flows.views.escape import escape
from flows.views.terminal import console
from sluice.gate.decide import Verdict
from sluice.gate.order import place
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.classes.summary import class_summary
from sluice.model.json_file import Unreadable, convert
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.number.summary import number_summary
from sluice.model.quality.metrics import at_threshold, summary, worst_group
from sluice.model.quality.metrics_file import Confusion, Group, Intervals

_MARKS = {
    "met": "[green]met[/]   ",
    "broken": "[red]broken[/]",
    "open": "[yellow]open[/]  ",
    "waived": "[yellow]waived[/]",
}


class _Measured(Struct, frozen=True):
    """The parts of a metrics.json that the last lines show; the file may lack them."""

    confusion: Confusion
    intervals: Intervals
    segments: dict[str, dict[str, Group]] = {}


def show(verdict: Verdict, metrics: Mapping[str, object]) -> None:
    """A line for each rule, how good before how sound, then what was measured, and the verdict."""
    out = console(stderr=False)
    for rule in sorted(verdict.rules, key=lambda rule: place(rule.rule)):
        out.print(f"{_MARKS[rule.state]}  {escape(rule.rule):<24} {escape(str(rule))}")
    with contextlib.suppress(Unreadable):
        for line in _measured(verdict, convert(metrics, _Measured, METRICS)):
            out.print(escape(line))
    with contextlib.suppress(Unreadable):
        if verdict.verdict != "PROMOTE":
            out.print(escape(class_summary("Measured", convert(metrics, ClassMetrics, METRICS))))
    with contextlib.suppress(Unreadable):
        if verdict.verdict != "PROMOTE":
            out.print(escape(number_summary("Measured", convert(metrics, NumberMetrics, METRICS))))
    out.print(f"[bold]{escape(_last(verdict, metrics))}[/]")


def _measured(verdict: Verdict, measured: _Measured) -> list[str]:
    """The group that is found least often, and what was measured where the last line says why."""
    lines = []
    overall = at_threshold(measured.confusion).recall
    worst = worst_group(measured.segments, overall)
    if worst:
        segment, name, group = worst
        low, high = group.recall_interval
        lines.append(
            f"Found least often: {segment} = {name}, recall {group.recall:.4f}"
            f" [{low:.4f}, {high:.4f}] where that of all rows is {overall:.4f}"
        )
    if verdict.verdict != "PROMOTE":
        lines.append(summary("Measured", measured.confusion, measured.intervals))
    return lines


def _last(verdict: Verdict, metrics: Mapping[str, object]) -> str:
    if verdict.verdict == "PROMOTE":
        with contextlib.suppress(Unreadable):
            measured = convert(metrics, _Measured, METRICS)
            return summary(verdict.verdict, measured.confusion, measured.intervals)
        with contextlib.suppress(Unreadable):
            return class_summary(verdict.verdict, convert(metrics, ClassMetrics, METRICS))
        with contextlib.suppress(Unreadable):
            return number_summary(verdict.verdict, convert(metrics, NumberMetrics, METRICS))
    return f"{verdict.verdict}: {verdict.sentence}"
