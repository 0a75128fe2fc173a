"""`sluice power`: what a holdout can tell, and how many labelled positives a wanted difference
needs.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.engine import step as engine
from flows.engine.run import Run, begin
from flows.engine.step import Done
from flows.project import settings
from flows.steps import split, validate
from flows.views import terminal
from sluice.errors import UsageError
from sluice.gate import power


def run_power(
    model: str,
    data: Path | None,
    positives: int | None,
    differences: list[float],
    discordant: float,
    as_json: bool,
) -> int:
    """Print what the holdout of a model (or one with so many positives) can tell; the exit code."""
    _check(positives, differences, discordant)
    run = begin(settings.load(), model, data)
    counts = {power.WHOLE: positives} if positives is not None else _counted(run)
    gate = run.policy.gate
    wanted = sorted(differences) or [size for size in power.WANTED if size <= discordant]
    report = power.report(counts, gate.level, gate.uses, discordant=discordant, wanted=wanted)
    if as_json:
        print(json.dumps({"schema": 1, "model": model, **asdict(report)}, indent=1))
        return 0
    _show(report, gate.margin)
    return 0


def _check(positives: int | None, differences: list[float], discordant: float) -> None:
    if positives is not None and positives < 1:
        raise UsageError(f"--positives is {positives}", "It counts labelled positives: at least 1.")
    if not 0 < discordant <= 1:
        raise UsageError(
            f"--discordant is {discordant:g}", "It is a share of the positives, such as 0.1."
        )
    if wrong := [size for size in differences if not 0 < size <= discordant]:
        fix = f"It is a difference in recall above 0 and at most --discordant, {discordant:g}."
        raise UsageError(f"--difference is {wrong[0]:g}", fix)


def _counted(run: Run) -> dict[str, int]:
    """The positives of the holdout, validated and split as a release does; nothing is scored,
    nothing is spent.
    """
    from sluice.model.model_artifact import segment_groups
    from sluice.model.table import from_parquet

    done: Done = {}
    for step in (validate, split):
        engine.perform(step, run, done)
    holdout = from_parquet((done["split"].folder / "holdout.parquet").read_bytes())
    return power.count(holdout[run.contract.target.column], segment_groups(run.contract, holdout))


def _show(report: power.Report, margin: float) -> None:
    from rich.table import Table

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
