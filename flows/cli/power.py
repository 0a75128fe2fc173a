"""`sluice power`: how small a gain a holdout can find, and how many labelled positives a wanted one
needs.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, DataFile, Model
from flows.facts.step_files import HOLDOUT_ROWS
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.project.settings import Settings


def power(
    model: Model = "attrition",
    data: DataFile = None,
    positives: Annotated[
        int | None, typer.Option(help="assume a holdout with so many positives")
    ] = None,
    difference: Annotated[
        list[float] | None, typer.Option(help="gain in recall to be found; may be repeated")
    ] = None,
    discordant: Annotated[
        float, typer.Option(help="share of the positives that only one of two models finds")
    ] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Show how small a gain in recall the holdout can find.

    In all and by group; and how many positives a wanted gain needs.

    Example: sluice power attrition --positives 7000 --difference 0.01
    """
    from flows.project.settings import load

    question = Question(positives, tuple(difference or ()), discordant)
    raise typer.Exit(run_power(load(), model, data, question, as_json=as_json))


@dataclass(frozen=True)
class Question:
    """What is asked: the positives of a holdout that is assumed, None for the one of the model; the
    wanted gains in recall, none for the usual ones; the share of discordant positives.
    """

    positives: int | None
    differences: tuple[float, ...]
    discordant: float


def run_power(
    settings: "Settings", model: str, data: Path | None, question: Question, *, as_json: bool
) -> int:
    """Print what the holdout of a model, or the assumed one, can tell; the exit code is 0."""
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.views import power as view
    from sluice.gate import power

    _check(question)
    request = begin(settings, real_tools(), model, data)
    if question.positives is None:
        counts = _count_holdout(request)
    else:
        counts = {power.WHOLE: question.positives}
    gate, discordant = request.policy.gate, question.discordant
    wanted = sorted(question.differences)
    if not wanted:
        wanted = [size for size in power.WANTED if size <= discordant]
    report = power.report(counts, gate.level, gate.uses, discordant=discordant, wanted=wanted)
    if as_json:
        print(json.dumps({"schema": 1, "model": model, **asdict(report)}, indent=1))
    else:
        view.show(report, gate.margin)
    return 0


def _check(question: Question) -> None:
    positives, discordant = question.positives, question.discordant
    if positives is not None and positives < 1:
        raise UsageError(
            f"--positives is {positives}; at least 1 is required",
            "Write how many positives the holdout would have.",
        )
    if not 0 < discordant <= 1:
        raise UsageError(
            f"--discordant is {discordant:g}; a share above 0 and up to 1 is required",
            "Write a share of the positives, such as 0.1.",
        )
    for difference in question.differences:
        if not 0 < difference <= discordant:
            raise UsageError(
                f"--difference is {difference:g}; a gain above 0 and up to {discordant:g} is"
                " required",
                "The limit is --discordant.",
            )


def _count_holdout(request: "Request") -> dict[str, int]:
    """The positives of the holdout by group, validated and split as a release does. Nothing is
    scored, and no use of the holdout is spent.
    """
    from flows.engine.perform import Plainly
    from flows.steps.split import SPLIT
    from flows.steps.validate import VALIDATE
    from sluice.gate import power
    from sluice.model.model_artifact import segment_groups
    from sluice.model.table import from_parquet

    runner = Plainly(request.settings.home, request.model)
    rows = runner.do(SPLIT, request, runner.do(VALIDATE, request))
    holdout = from_parquet(rows.read(HOLDOUT_ROWS))
    contract = request.contract
    return power.count(holdout[contract.target.column], segment_groups(contract, holdout))
