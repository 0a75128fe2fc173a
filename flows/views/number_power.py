"""What a holdout can tell of models of a number: its tables, and the line that matters."""

from rich.table import Table

from flows.views import terminal
from flows.views.escape import escape
from flows.views.gating.power import first_release, way_there
from sluice.gate.number.power import NumberReport
from sluice.percent import four_digits, percent


def show(report: NumberReport, margin: float, unit: str, grouped_by: str = "") -> None:
    """The smallest gain by group, the rows that a gain needs, and what the first use finds;
    `margin` is the one of the policy, `grouped_by` the column of rows that belong together.
    """
    out = terminal.console(stderr=False)
    out.print(
        f"[dim]The smallest true gain in skill that is found {percent(report.power)} of the time,"
        f" where the errors of two models lie {report.spread:g} of the median's error apart from"
        " row to row (standard deviation)[/]"
    )
    if grouped_by:
        out.print(
            f"[dim]Rows of one {escape(grouped_by)} belong together: those of one count as one, the"
            " least that they tell[/]"
        )
    out.print(_groups(report))
    if report.wanted:
        out.print()
        out.print(_needed(report))
    if report.first is not None:
        out.print()
        out.print(first_release(report.first, "skill", "rows"))
        out.print(way_there(report.first, "skill", "rows"))
    out.print(f"[bold]{_last(report, margin, unit)}[/]")


def _levels(report: NumberReport) -> tuple[str, str]:
    return f"level {report.level:g}", f"first use, {report.use_level:g}"


def _groups(report: NumberReport) -> Table:
    table = Table("Holdout", box=None, pad_edge=False, header_style="dim")
    for heading in ("rows", *_levels(report)):
        table.add_column(heading, justify="right")
    for one in report.groups:
        table.add_row(escape(one.name), f"{one.rows:,}", f"{one.at_level:.4f}", f"{one.at_use:.4f}")
    return table


def _needed(report: NumberReport) -> Table:
    table = Table("Gain in skill", box=None, pad_edge=False, header_style="dim")
    for heading in _levels(report):
        table.add_column(f"rows, {heading}", justify="right")
    for one in report.wanted:
        table.add_row(f"{one.difference:g}", f"{one.at_level:,}", f"{one.at_use:,}")
    return table


def _last(report: NumberReport, margin: float, unit: str) -> str:
    whole = report.groups[0]
    finds = f"finds gains in skill of {whole.at_use:.4f} or more"
    if report.unit_error is not None:
        error = four_digits(whole.at_use * report.unit_error)
        named = f"{error} {escape(unit)}" if unit else error
        finds += f", a mean absolute error that is {named} lower"
    holdout = f"a holdout with {whole.rows:,} rows"
    return f"The first use of {holdout} {finds} (the margin is {margin:g})."
