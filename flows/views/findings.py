"""What validation found, as a person reads it on the terminal. Examples with ids go here and
nowhere else.
"""

from typing import TYPE_CHECKING

from gx.report import Finding, Report

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_STYLES = {"critical": "red", "warning": "yellow"}


def table(report: Report) -> "Table":
    """One line a finding: column, rule, rows, up to three examples with their ids, and what to
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
        column, rows = Text(finding.column or "(table)"), Text(f"{finding.count:,}")
        shown.add_row(column, _rule(finding), rows, _examples(finding), Text(finding.fix))
    return shown


def _rule(finding: Finding) -> "Text":
    from rich.text import Text

    text = Text(finding.rule, style=_STYLES[finding.severity])
    return text.append("\nwarning", style="dim") if finding.severity == "warning" else text


def _examples(finding: Finding) -> "Text":
    from rich.text import Text

    return Text("\n").join(
        Text(f"{example.id}: ", style="dim").append(example.value, style="default not dim")
        for example in finding.examples
    )


def summary(report: Report) -> str:
    """The outcome in one line, without a value of the table."""
    failed = len(report.findings) - len(report.warnings)
    found = [f"{failed} failed"] * bool(failed) + [_count(len(report.warnings), "warning")] * bool(
        report.warnings
    )
    outcome = "Refused" if report.refused else "Valid"
    looked = f"{_count(report.rows, 'row')}, {_count(len(report.checks), 'check')}"
    return f"{outcome}: {looked}, {', '.join(found) or 'nothing found'}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
