"""A verdict in a terminal: each rule, and the line that matters."""

from collections.abc import Mapping
from typing import Any

from flows.views.escape import escape
from flows.views.terminal import console
from sluice.gate.decide import Verdict
from sluice.model.metrics import summary

_MARKS = {
    "met": "[green]met[/]   ",
    "broken": "[red]broken[/]",
    "open": "[yellow]open[/]  ",
    "waived": "[yellow]waived[/]",
}


def show(verdict: Verdict, metrics: Mapping[str, Any]) -> None:
    """A line for each rule, and the verdict with what was measured."""
    out = console(stderr=False)
    for rule in verdict.rules:
        out.print(f"{_MARKS[rule.state]}  {rule.rule:<24} {escape(str(rule))}")
    out.print(f"[bold]{escape(_last(verdict, metrics))}[/]")


def _last(verdict: Verdict, metrics: Mapping[str, Any]) -> str:
    passed = verdict.verdict in ("PROMOTE", "HOLD")
    if passed and "confusion" in metrics and "intervals" in metrics:
        return summary(verdict.document(), metrics)
    return f"{verdict.verdict}: {verdict.sentence}"
