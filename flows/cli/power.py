"""`sluice power`: how small a gain a holdout can find, and how many labelled positives a wanted one
needs.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, DataFile, Model
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.engine.request import Request


def power(
    model: Model = "attrition",
    data: DataFile = None,
    positives: Annotated[
        int | None, typer.Option(help="of a holdout that is only wished for")
    ] = None,
    difference: Annotated[
        list[float] | None, typer.Option(help="gain in recall to be found; may be repeated")
    ] = None,
    discordant: Annotated[
        float, typer.Option(help="share of the positives that only one of two models finds")
    ] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Say how small a gain the holdout can find, in all and by group, and how many positives a
    wanted one needs.

    Example: sluice power attrition --positives 7000 --difference 0.01
    """
    raise typer.Exit(run_power(model, data, positives, difference or [], discordant, as_json))


def run_power(
    model: str,
    data: Path | None,
    positives: int | None,
    differences: list[float],
    discordant: float,
    as_json: bool,
) -> int:
    """Print what the holdout of a model (or one with so many positives) can tell; the exit code."""
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.project import settings
    from flows.views import power as view
    from sluice.gate import power

    _check(positives, differences, discordant)
    request = begin(settings.load(), real_tools(), model, data)
    counts = {power.WHOLE: positives} if positives is not None else _counted(request)
    gate = request.policy.gate
    wanted = sorted(differences) or [size for size in power.WANTED if size <= discordant]
    report = power.report(counts, gate.level, gate.uses, discordant=discordant, wanted=wanted)
    if as_json:
        print(json.dumps({"schema": 1, "model": model, **asdict(report)}, indent=1))
        return 0
    view.show(report, gate.margin)
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


def _counted(request: "Request") -> dict[str, int]:
    """The positives of the holdout, validated and split as a release does; nothing is scored,
    nothing is spent.
    """
    from flows.engine.perform import Plainly
    from flows.steps.split import SPLIT
    from flows.steps.validate import VALIDATE
    from sluice.gate import power
    from sluice.model.model_artifact import segment_groups
    from sluice.model.table import from_parquet

    runner = Plainly(request.settings.home, request.model)
    rows = runner.do(SPLIT, request, runner.do(VALIDATE, request))
    holdout = from_parquet(rows.read("holdout.parquet"))
    contract = request.contract
    return power.count(holdout[contract.target.column], segment_groups(contract, holdout))
