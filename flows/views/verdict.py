"""A verdict in a terminal: each rule, and the line that matters."""

import contextlib
from collections.abc import Mapping

from msgspec import Struct

from flows.facts.step_files import METRICS
from flows.views.escape import escape
from flows.views.terminal import console
from sluice.gate.decide import Verdict
from sluice.model.json_file import Unreadable, convert
from sluice.model.metrics import summary
from sluice.model.metrics_file import Confusion, Intervals

_MARKS = {
    "met": "[green]met[/]   ",
    "broken": "[red]broken[/]",
    "open": "[yellow]open[/]  ",
    "waived": "[yellow]waived[/]",
}


class _Measured(Struct, frozen=True):
    """The parts of a metrics.json that the last line shows; the file may lack them."""

    confusion: Confusion
    intervals: Intervals


def show(verdict: Verdict, metrics: Mapping[str, object]) -> None:
    """A line for each rule, and the verdict with what was measured."""
    out = console(stderr=False)
    for rule in verdict.rules:
        out.print(f"{_MARKS[rule.state]}  {escape(rule.rule):<24} {escape(str(rule))}")
    out.print(f"[bold]{escape(_last(verdict, metrics))}[/]")


def _last(verdict: Verdict, metrics: Mapping[str, object]) -> str:
    if verdict.verdict in ("PROMOTE", "HOLD"):
        with contextlib.suppress(Unreadable):
            measured = convert(metrics, _Measured, METRICS)
            return summary(verdict.verdict, measured.confusion, measured.intervals)
    return f"{verdict.verdict}: {verdict.sentence}"
