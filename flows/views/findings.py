"""What validation found, as a person reads it on the terminal.

Examples with ids are shown here and nowhere else.
"""

from typing import TYPE_CHECKING

from flows.views import terminal
from flows.views.wording import count
from gx.report import Finding, Report

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_STYLES = {"critical": "red", "warning": "yellow"}


def show(report: Report, *, stderr: bool = False) -> None:
    """The findings, and the line that matters."""
    out = terminal.console(stderr=stderr)
    if report.findings:
        out.print(table(report))
    out.print(f"[bold]{summary(report)}[/]")


def table(report: Report) -> "Table":
    """A line for each finding: column, rule, rows, up to three examples with their ids, and what to
    do.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), leading=1
    )
    shown.add_column("Column", max_width=18)
    shown.add_column("Rule", max_width=16)
    shown.add_column("Rows", justify="right", no_wrap=True)
    shown.add_column("Examples", max_width=24)
    shown.add_column("What to do", ratio=1)
    for finding in report.findings:
        column = Text(finding.column or "(table)")
        rows = Text(f"{finding.count:,}")
        shown.add_row(column, _rule(finding), rows, _examples(finding), Text(finding.fix))
    return shown


def _rule(finding: Finding) -> "Text":
    from rich.text import Text

    text = Text(finding.rule, style=_STYLES[finding.severity])
    return text.append("\nwarning", style="dim") if finding.severity == "warning" else text


def _examples(finding: Finding) -> "Text":
    from rich.text import Text

    lines = [
        Text(f"{example.id}: ", style="dim").append(example.value, style="default not dim")
        for example in finding.examples
    ]
    return Text("\n").join(lines)


def summary(report: Report) -> str:
    """The outcome in one line, without a value of the table."""
    outcome = "Refused" if report.refused else "Valid"
    looked = f"{count(report.rows, 'row')}, {count(len(report.checks), 'check')}"
    return f"{outcome}: {looked}, {_findings(report)}."


def _findings(report: Report) -> str:
    warnings = len(report.warnings)
    failed = len(report.findings) - warnings
    parts = []
    if failed:
        parts.append(f"{failed} failed")
    if warnings:
        parts.append(count(warnings, "warning"))
    return ", ".join(parts) or "nothing found"
