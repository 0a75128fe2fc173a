"""What a holdout can tell, in a terminal: two tables and the line that matters."""

from rich.table import Table

from flows.views import terminal
from flows.views.escape import escape
from sluice.gate import power
from sluice.gate.first_release import FirstRelease
from sluice.percent import percent

_MOST = 0.5  # of the rows that a holdout can well have


def show(report: power.Report, margin: float, grouped_by: str = "") -> None:
    """The smallest gain by group, the positives that a gain needs, and what the first use finds;
    `margin` is the one of the policy, `grouped_by` the column of rows that belong together.
    """
    out = terminal.console(stderr=False)
    out.print(f"[dim]{_assumed(report)}[/]")
    if grouped_by:
        out.print(
            f"[dim]Rows of one {escape(grouped_by)} belong together: positives of one count as one,"
            " the least that they tell[/]"
        )
    out.print(_groups(report))
    out.print()
    out.print(_needed(report))
    if report.first is not None:
        out.print()
        out.print(first_release(report.first, "recall", "positives"))
        out.print(way_there(report.first, "recall", "positives"))
    if report.saving is not None:
        out.print(_saved(report.saving))
    out.print(f"[bold]{_last(report, margin)}[/]")


def _assumed(report: power.Report) -> str:
    share = percent(report.positive_share) if report.positive_share else "few"
    differ = percent(report.discordant)
    return (
        f"The smallest true gain in recall that is found {percent(report.power)} of the time, where"
        f" two models differ on {differ} of the positives and {share} of the rows on which they"
        " differ are positives. As a whole both flag equally many rows; in groups they are compared"
        " as they ship"
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
        table.add_row(percent(wanted.difference, 2), f"{wanted.at_level:,}", f"{wanted.at_use:,}")
    return table


def first_release(first: FirstRelease, measure: str, counted: str) -> Table:
    """How many rows a first release needs, by how far its model lies above the floor of a measure;
    `counted` is what these rows are called.
    """
    table = Table("First release", box=None, pad_edge=False, header_style="dim")
    table.add_column(f"{counted} it needs", justify="right")
    table.add_column("of those there are", justify="right")
    for need in first.needs:
        above = f"{measure} {percent(need.above)} above its floor of {first.floor:g}"
        table.add_row(above, f"{need.rows:,}", f"{need.times:.3g} times")
    return table


def way_there(first: FirstRelease, measure: str, counted: str) -> str:
    """The ways to a first release at this size."""
    who = "no first release"
    if first.clears:
        who = f"a first release with a true {measure} of {first.clears:.3f} or more"
    told = (
        f"With {first.rows:,} {counted}, {who} clears the floor {percent(first.power)} of the time."
    )
    if first.highest:
        told += (
            f" A model with a true {measure} of {first.floor:g} clears a floor of"
            f" {first.highest:.3f} as often."
        )
    if first.holdout:
        told += f" The holdout has {percent(first.holdout)} of the rows"
        twice = min(2 * first.holdout, _MOST)
        if twice > first.holdout:
            more = round(first.rows * twice / first.holdout)
            told += (
                f"; with {percent(twice)} (`train` and `validation` of the policy) it has about"
                f" {more:,} {counted}"
            )
        told += "."
    return f"{told} Floors are what the work needs: a person reviews them."


def _saved(saving: power.Saving) -> str:
    """What is seen of costs, in the unit in which the policy states them."""
    return (
        f"By the costs of the policy, savings of {saving.at_use:.4g} for each {saving.per:,} rows"
        f" or more are found at the first use, and of {saving.at_level:.4g} at the whole level (the"
        f" margin is {saving.margin:.4g})."
    )


def _last(report: power.Report, margin: float) -> str:
    whole = report.groups[0]
    finds = f"finds gains of {_gain(whole.at_use)} or more"
    if not whole.at_use:
        finds = "finds no gain at all"
    holdout = f"a holdout with {whole.positives:,} positives"
    return f"The first use of {holdout} {finds} (the margin is {percent(margin, 2)})."


def _gain(value: float | None) -> str:
    return "none" if value is None else percent(value, 2)
