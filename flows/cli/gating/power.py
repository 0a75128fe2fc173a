"""`sluice power`: how small a gain a holdout can find, and how many labelled positives a wanted one
needs.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, DataFile, Model
from flows.facts.step_files import HOLDOUT_ROWS
from sluice.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from flows.engine.request import Request
    from flows.project.settings import Settings
    from sluice.served.contract import Target
    from sluice.served.quantity import Quantity


def power(
    model: Model = "",
    data: DataFile = None,
    positives: Annotated[
        int | None, typer.Option(help="assume a holdout with so many positives")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(help="assume a holdout with so many rows, where the target is a number"),
    ] = None,
    difference: Annotated[
        list[float] | None,
        typer.Option(help="gain in recall (of a number: in skill) to be found; may be repeated"),
    ] = None,
    discordant: Annotated[
        float | None,
        typer.Option(
            help="share of the positives that only one of two models finds; 0.1 unless given"
        ),
    ] = None,
    spread: Annotated[
        float | None,
        typer.Option(
            help="of a number: how far the errors of two models lie apart from row to row, as a"
            " share of the error of the median; 0.4 unless given"
        ),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(help="share of positives in the assumed holdout; small unless given"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how small a gain in recall the holdout can find.

    In all and by group; and how many positives a wanted gain needs. Of several classes it is the
    mean recall, in all and class by class; of a number the skill, and how many rows a gain needs.

    Example: sluice power MODEL --positives 7000 --prevalence 0.48
    """
    from flows.project.homes import load_for_data

    question = Question(
        positives=positives,
        differences=tuple(difference or ()),
        discordant=discordant,
        prevalence=prevalence,
        rows=rows,
        spread=spread,
    )
    raise typer.Exit(run_power(load_for_data(model, data), model, data, question, as_json=as_json))


@dataclass(frozen=True)
class Question:
    """What is asked: the positives of a holdout that is assumed, or its rows where the target is a
    number, None for the one of the model; the wanted gains, none for the usual ones; how far two
    models differ, by the share of discordant positives or by the spread of a number, None for the
    usual; the share of positives in the assumed holdout, None for very few.
    """

    positives: int | None = None
    differences: tuple[float, ...] = ()
    discordant: float | None = None
    prevalence: float | None = None
    rows: int | None = None
    spread: float | None = None


def run_power(
    settings: "Settings", model: str, data: Path | None, question: Question, *, as_json: bool
) -> int:
    """Print what the holdout of a model, or the assumed one, can tell; the exit code is 0."""
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.views.gating import power as view
    from flows.views.progress import working
    from sluice.gate import power
    from sluice.gate.first_release import first_release

    _check(question)
    _check_for(_target(settings, model), question)
    with working("Read the data"):
        request = begin(settings, real_tools(), model, data)
    if request.contract.target.quantity:
        return _of_number(request, request.contract.target.quantity, question, as_json=as_json)
    if request.contract.target.several:
        return _of_classes(request, question, as_json=as_json)
    discordant = question.discordant or power.DISCORDANT
    if question.positives is None:
        with working("Count the holdout"):
            counts, prevalence = _count_holdout(request)
    else:
        counts = {power.WHOLE: question.positives}
        prevalence = question.prevalence or 0.0
    gate, group = request.policy.gate, request.contract.group
    grouped_by = group.name if group else ""
    holdout = request.policy.split.holdout if question.positives is None else 0.0
    _check_gains(question.differences, power.largest(discordant, prevalence))
    # Two models differ on rows near their thresholds, where about as many are positive as in all.
    report = power.report(
        counts,
        gate.level,
        discordant=discordant,
        positive_share=prevalence,
        wanted=sorted(question.differences) or power.WANTED,
    )
    if gate.recall_floor:
        whole = counts[power.WHOLE]
        first = first_release(gate.recall_floor, whole, gate.level, power.POWER, holdout=holdout)
        report = replace(report, first=first)
    if gate.costed and prevalence:
        report = replace(report, saving=power.saving(report, gate, prevalence))
    if as_json:
        told = {"schema": 1, "model": model, **asdict(report)}
        if grouped_by:
            told["grouped_by"] = grouped_by
        print(json.dumps(told, indent=1))
    else:
        view.show(report, gate.margin, grouped_by)
    return 0


def _of_classes(request: "Request", question: Question, *, as_json: bool) -> int:
    """The same where the target has several classes."""
    from flows.views import class_power as view
    from flows.views.progress import working
    from sluice.gate import power
    from sluice.gate.classes.power import report

    classes = request.contract.target.classes
    discordant = question.discordant or power.DISCORDANT
    with working("Count the holdout"):
        labels, _, clusters = _holdout(request)
        rows = {
            name: power.count(labels == place, {}, clusters)[power.WHOLE]
            for place, name in enumerate(classes)
        }
    gate, group = request.policy.gate, request.contract.group
    wanted = question.differences or power.WANTED
    found = report(rows, gate.level, discordant=discordant, wanted=wanted)
    grouped_by = group.name if group else ""
    if as_json:
        told = {"schema": 1, "model": request.model, **asdict(found)}
        if grouped_by:
            told["grouped_by"] = grouped_by
        print(json.dumps(told, indent=1))
    else:
        view.show(found, gate.margin, grouped_by)
    return 0


def _of_number(
    request: "Request", quantity: "Quantity", question: Question, *, as_json: bool
) -> int:
    """The same where the target is a number."""
    import numpy as np

    from flows.views import number_power as view
    from flows.views.progress import working
    from sluice.gate import power
    from sluice.gate.number.power import SPREAD, VARIATION, first_release, report
    from sluice.model.artifact.model_artifact import segment_groups

    contract, gate = request.contract, request.policy.gate
    error, variation, share = None, VARIATION, 0.0
    if question.rows is None:
        with working("Count the holdout"):
            labels, holdout, clusters = _holdout(request)
            segments = segment_groups(contract, holdout)
            rows = power.count(np.ones(len(labels)), segments, clusters)
            off = np.abs(labels - np.median(labels))
            error, share = float(off.mean()), request.policy.split.holdout
            variation = float(off.std() / error) if error else VARIATION
    else:
        rows = {power.WHOLE: question.rows}
    found = report(
        rows,
        gate.level,
        spread=question.spread or SPREAD,
        wanted=sorted(question.differences) or power.WANTED,
        unit_error=error,
    )
    limits = request.policy.number
    if limits is not None and limits.skill_floor:
        first = first_release(
            limits.skill_floor,
            rows[power.WHOLE],
            gate.level,
            variation=variation,
            holdout=share,
        )
        found = replace(found, first=first)
    grouped_by = contract.group.name if contract.group else ""
    if as_json:
        told = {"schema": 1, "model": request.model, **asdict(found)}
        if grouped_by:
            told["grouped_by"] = grouped_by
        print(json.dumps(told, indent=1))
    else:
        view.show(found, gate.margin, quantity.unit or "", grouped_by)
    return 0


def _check(question: Question) -> None:
    positives = question.positives
    if positives is not None and positives < 1:
        raise UsageError(
            f"--positives is {positives}; at least 1 is required",
            "Write how many positives the holdout would have.",
        )
    if question.discordant is not None and not 0 < question.discordant <= 1:
        raise UsageError(
            f"--discordant is {question.discordant:g}; a share above 0 and up to 1 is required",
            "Write a share of the positives, such as 0.1.",
        )
    if question.prevalence is not None and question.positives is None:
        raise UsageError(
            "--prevalence is given without --positives; both describe an assumed holdout",
            "Write --positives too; the model's own holdout is counted.",
        )
    if question.prevalence is not None and not 0 < question.prevalence < 1:
        raise UsageError(
            f"--prevalence is {question.prevalence:g}; a share between 0 and 1 is required",
            "Write the share of positives in the holdout, such as 0.48.",
        )
    if question.spread is not None and not question.spread > 0:
        raise UsageError(
            f"--spread is {question.spread:g}; a number above 0 is required",
            "Write a share of the error of the median, such as 0.4.",
        )
    if question.rows is not None and question.rows < 1:
        raise UsageError(
            f"--rows is {question.rows}; at least 1 is required",
            "Write how many rows the holdout would have.",
        )


def _target(settings: "Settings", model: str) -> "Target":
    """The target of a model, before its data are read."""
    from flows.project.models import model_folder, project_text
    from sluice.served.contract import load_contract

    path = model_folder(model, settings.project) / "contract.toml"
    text = project_text(path, settings.project)
    return load_contract(text, f"models/{model}/contract.toml").target


def _check_for(target: "Target", question: Question) -> None:
    """Raise UsageError for what cannot be asked of a target of this kind."""
    from sluice.gate.power import DISCORDANT

    if target.quantity:
        for option, value, fix in (
            ("--positives", question.positives, "Write --rows instead."),
            ("--discordant", question.discordant, "Write --spread instead."),
        ):
            if value is not None:
                what = f"{option} is {value:g} and the target is a number, which has no positives"
                raise UsageError(what, fix)
        for difference in question.differences:
            if not 0 < difference <= 1:
                raise UsageError(
                    f"--difference is {difference:g}; a gain in skill above 0 and up to 1 is"
                    " required",
                    "Write a share of the error of the median, such as 0.02.",
                )
        return
    for option, value in (("--rows", question.rows), ("--spread", question.spread)):
        if value is not None:
            raise UsageError(
                f"{option} is {value:g} and the target is no number",
                "Leave it out: --positives and --discordant are for classes.",
            )
    if target.several and question.positives is not None:
        raise UsageError(
            f"--positives is {question.positives} and the target has {len(target.classes)} classes",
            "None of them is the positive one: leave it out, and the holdout is counted.",
        )
    _check_gains(question.differences, question.discordant or DISCORDANT)


def _check_gains(differences: tuple[float, ...], most: float) -> None:
    for difference in differences:
        if not 0 < difference <= most:
            raise UsageError(
                f"--difference is {difference:g}; a gain above 0 and up to {most:g} is required",
                "The limit is --discordant, or less where most rows are positives.",
            )


def _count_holdout(request: "Request") -> tuple[dict[str, int], float]:
    """The positives of the holdout by group, and their share of its rows. It is validated and split
    as a release does; nothing is scored, and no use of the holdout is spent. Where the contract has
    a group, rows of one group count as one.
    """
    from sluice.gate import power
    from sluice.model.artifact.model_artifact import segment_groups

    labels, holdout, clusters = _holdout(request)
    counts = power.count(labels, segment_groups(request.contract, holdout), clusters)
    return counts, int((labels == 1).sum()) / max(len(labels), 1)


def _holdout(request: "Request") -> "tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]":
    """The labels of the holdout, its columns, and the groups of its rows as numbers."""
    from flows.engine.perform import Plainly
    from flows.steps.split import SPLIT
    from flows.steps.validate import VALIDATE
    from sluice.model.data.split import GROUP
    from sluice.model.data.table import from_parquet
    from sluice.model.quality.clusters import numbered

    runner = Plainly(request.settings.home, request.model)
    rows = runner.do(SPLIT, request, runner.do(VALIDATE, request))
    holdout = from_parquet(rows.read(HOLDOUT_ROWS))
    clusters = numbered(holdout.get(GROUP))
    return holdout[request.contract.target.column], holdout, clusters
