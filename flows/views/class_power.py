"""What a holdout of several classes can tell: two tables, and the line that matters."""

from rich.table import Table

from flows.views import terminal
from flows.views.escape import escape
from sluice.gate.classes.power import ClassReport
from sluice.percent import percent


def show(report: ClassReport, margin: float, grouped_by: str = "") -> None:
    """The smallest gain by class and in the mean, what a gain needs, and what the first use finds;
    `margin` is the one of the policy, `grouped_by` the column of rows that belong together.
    """
    out = terminal.console(stderr=False)
    out.print(
        f"[dim]The smallest true gain in recall that is found {percent(report.power)} of the time,"
        f" where two models differ on {percent(report.discordant)} of the rows of each class[/]"
    )
    if grouped_by:
        out.print(
            f"[dim]Rows of one {escape(grouped_by)} belong together: those of one count as one, the"
            " least that they tell[/]"
        )
    out.print(_classes(report))
    if report.wanted:
        out.print()
        out.print(_needed(report))
    out.print(f"[bold]{_last(report, margin)}[/]")


def _levels(report: ClassReport) -> tuple[str, str]:
    return f"level {report.level:g}", f"first use, {report.use_level:g}"


def _classes(report: ClassReport) -> Table:
    table = Table("Holdout", box=None, pad_edge=False, header_style="dim")
    for heading in ("rows", *_levels(report)):
        table.add_column(heading, justify="right")
    whole = _gain(report.at_level), _gain(report.at_use)
    table.add_row("mean recall", f"{report.rows:,}", *whole)
    for one in report.classes:
        gains = _gain(one.at_level), _gain(one.at_use)
        table.add_row(escape(one.name), f"{one.rows:,}", *gains)
    return table


def _needed(report: ClassReport) -> Table:
    table = Table("Gain in mean recall", box=None, pad_edge=False, header_style="dim")
    for heading in _levels(report):
        table.add_column(f"times the rows, {heading}", justify="right")
    for one in report.wanted:
        times = f"{one.at_level:,.2f}", f"{one.at_use:,.2f}"
        table.add_row(percent(one.difference, 2), *times)
    return table


def _last(report: ClassReport, margin: float) -> str:
    finds = "finds no gain in mean recall at all"
    if report.at_use:
        finds = f"finds gains in mean recall of {_gain(report.at_use)} or more"
    rarest = min(report.classes, key=lambda one: one.rows)
    holdout = f"a holdout with {report.rows:,} rows, {rarest.rows:,} of them {escape(rarest.name)},"
    return f"The first use of {holdout} {finds} (the margin is {percent(margin, 2)})."


def _gain(value: float | None) -> str:
    return "none" if value is None else percent(value, 2)
