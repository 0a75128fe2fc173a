"""What a holdout can tell, in a terminal: two tables and the line that matters."""

from typing import Any

from rich.table import Table

from flows.views import terminal
from sluice.gate import power


def show(report: power.Report, margin: float) -> None:
    """The smallest gain by group, the positives that a gain needs, and what one use finds."""
    out = terminal.console(stderr=False)
    levels = f"level {report.level:g}", f"one use, {report.use_level:g}"
    groups = Table("Holdout", box=None, pad_edge=False, title_justify="left", header_style="dim")
    for heading in ("positives", *levels):
        groups.add_column(heading, justify="right")
    for group in report.groups:
        groups.add_row(
            group.name, f"{group.positives:,}", _gain(group.at_level), _gain(group.at_use)
        )
    needed = Table("Gain in recall", box=None, pad_edge=False, header_style="dim")
    for heading in levels:
        needed.add_column(f"positives, {heading}", justify="right")
    for wanted in report.wanted:
        needed.add_row(f"{wanted.difference:.2%}", f"{wanted.at_level:,}", f"{wanted.at_use:,}")
    differ = f"where two models differ on {report.discordant:.0%} of the positives"
    out.print(
        f"[dim]The smallest true gain in recall that is found {report.power:.0%} of the time,"
        f" {differ}[/]"
    )
    out.print(groups)
    out.print()
    out.print(needed)
    whole = report.groups[0]
    found = (
        f"finds gains of {_gain(whole.at_use)} or more" if whole.at_use else "finds no gain at all"
    )
    out.print(
        f"[bold]One use of a holdout with {whole.positives:,} positives {found} (the margin is"
        f" {margin:.2%}).[/]"
    )


def _gain(value: Any) -> str:
    return "none" if value is None else f"{value:.2%}"
