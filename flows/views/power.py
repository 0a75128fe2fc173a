"""What a holdout can tell, in a terminal: two tables and the line that matters."""

from rich.table import Table

from flows.views import terminal
from flows.views.escape import escape
from sluice.gate import power


def show(report: power.Report, margin: float) -> None:
    """The smallest gain by group, the positives that a gain needs, and what the first use finds;
    `margin` is the one of the policy.
    """
    out = terminal.console(stderr=False)
    out.print(f"[dim]{_assumed(report)}[/]")
    out.print(_groups(report))
    out.print()
    out.print(_needed(report))
    out.print(f"[bold]{_last(report, margin)}[/]")


def _assumed(report: power.Report) -> str:
    share = f"{report.positive_share:.0%}" if report.positive_share else "few"
    return (
        f"The smallest true gain in recall that is found {report.power:.0%} of the time, where two"
        f" models differ on {report.discordant:.0%} of the positives and {share} of the rows on"
        " which they differ are positives. As a whole both flag equally many rows; in groups they"
        " are compared as they ship"
    )


def _levels(report: power.Report) -> tuple[str, str]:
    return f"level {report.level:g}", f"first use, {report.use_level:g}"


def _groups(report: power.Report) -> Table:
    table = Table("Holdout", box=None, pad_edge=False, title_justify="left", header_style="dim")
    for heading in ("positives", *_levels(report)):
        table.add_column(heading, justify="right")
    for group in report.groups:
        gains = _gain(group.at_level), _gain(group.at_use)
        table.add_row(escape(group.name), f"{group.positives:,}", *gains)
    return table


def _needed(report: power.Report) -> Table:
    table = Table("Gain in recall", box=None, pad_edge=False, header_style="dim")
    for heading in _levels(report):
        table.add_column(f"positives, {heading}", justify="right")
    for wanted in report.wanted:
        table.add_row(f"{wanted.difference:.2%}", f"{wanted.at_level:,}", f"{wanted.at_use:,}")
    return table


def _last(report: power.Report, margin: float) -> str:
    whole = report.groups[0]
    finds = f"finds gains of {_gain(whole.at_use)} or more"
    if not whole.at_use:
        finds = "finds no gain at all"
    holdout = f"a holdout with {whole.positives:,} positives"
    return f"The first use of {holdout} {finds} (the margin is {margin:.2%})."


def _gain(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"
