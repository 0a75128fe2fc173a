"""`sluice init`: a contract, a policy and a pointer from a table, for a person to review."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson

if TYPE_CHECKING:
    from flows.project.settings import Settings
    from sluice.draft.drafting import Draft
    from sluice.draft.proposals import Choices


def init(
    file: Annotated[Path, typer.Argument(help="a CSV, as it is; it is never changed")],
    model: Annotated[str, typer.Option("--model", help="name of the folder below models/")] = "",
    target: Annotated[str, typer.Option("--target", help="the column to predict")] = "",
    positive: Annotated[str, typer.Option("--positive", help="its value to look for")] = "",
    identity: Annotated[str, typer.Option("--id", help="the column that names a row")] = "",
    point: Annotated[
        float, typer.Option("--point", help="share of the rows to flag, such as 0.1")
    ] = 0.0,
    costs: Annotated[
        str, typer.Option("--costs", help="of a miss and a false alarm instead, such as 5:1")
    ] = "",
    domain: Annotated[
        str, typer.Option("--domain", help="whose statements of use and duties it has, or none")
    ] = "",
    as_of: Annotated[
        str, typer.Option("--as-of", help="the column with the day of each row: a split by time")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="show what the contract lacks for this table")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a model from a table of your own.

    Says what each column is and why, finds those that give the answer away, proposes limits, and
    writes contract, policy and pointer, which a person reviews. With --update it writes nothing: it
    prints a diff of the contract, with new values and wider ranges, for `git apply`.

    Example: sluice init churn.csv --target Churn --positive Yes
    """
    from flows.project.settings import load
    from sluice.draft.proposals import Choices

    _check(point, costs, domain)
    if update:
        raise typer.Exit(run_update(load(), file, model, as_json=as_json))
    chosen = Choices(target, positive, identity, point, costs, domain, as_of)
    ask = not yes and not as_json and sys.stdin.isatty()
    raise typer.Exit(run_init(load(), file, model, chosen, ask=ask, as_json=as_json))


def run_init(
    settings: "Settings", file: Path, given: str, chosen: "Choices", *, ask: bool, as_json: bool
) -> int:
    """Draft, show and write the model of a table; 3 where its own contract refuses the table, 0
    where nothing is wrong or a person says no.
    """
    from flows.project import new_folder, new_model
    from flows.views.begin import draft as view
    from flows.views.progress import share, working
    from sluice.draft.drafting import draft_from

    model = new_model.name_of(given, file)
    new_model.require_free(settings.project, model)
    with working("Look at the table"):
        table = new_model.read(file, share())
        drafted = draft_from(table.sample, file.name, model, chosen, share())
    if ask and not chosen.as_of and (as_of := _time_to_split_by(drafted)):
        chosen = replace(chosen, as_of=as_of)
        with working("Look at the table, split by time"):
            drafted = draft_from(table.sample, file.name, model, chosen, share())
    if not as_json:
        view.show(drafted)
    if ask and not (chosen.point or chosen.costs) and view.has_points(drafted):
        drafted = _at_point(drafted, model)
    if ask and not typer.confirm(f"Write models/{model}/ and data/{model}.toml?", default=True):
        said = "--target, --positive, --id and --point say otherwise"
        say(f"Nothing is written. {said}.")
        return 0
    files = new_model.files_of(settings.project, model, file, table, drafted)
    new_folder.write(settings.project, files)
    refused = _refused(table.sample.data, drafted, model, file.name)
    if as_json:
        document = {**view.document(drafted), "model": model, "files": list(files)}
        print(json.dumps({**document, "refused": bool(refused)}, indent=1))
    else:
        say(f"Written: {', '.join(files)}.", sys.stdout)
        if not file.resolve().is_relative_to(settings.project.resolve()):
            say(_only_here(file, model), sys.stdout)
        say(refused or _next(drafted, model), sys.stdout)
    return 3 if refused else 0


def run_update(settings: "Settings", file: Path, given: str, *, as_json: bool) -> int:
    """Print what the contract of a model lacks for a newer table, as a diff; 0."""
    from flows.project import new_model
    from flows.project.models import model_folder, only_model, project_text
    from flows.views.begin import contract_update as view
    from flows.views.progress import share, working
    from sluice.draft.sniffing import sniff
    from sluice.draft.updating import update

    model = only_model(settings.project, given or settings.model)
    path = model_folder(model, settings.project) / "contract.toml"
    text = project_text(path, settings.project)
    name = path.relative_to(settings.project).as_posix()
    with working("Look at the table"):
        table = new_model.read(file, share())
        found = update(text, name, sniff(table.sample.data, file.name))
    if as_json:
        print(json.dumps(view.document(found, text, name), indent=1))
    else:
        view.show(found, text, name, file.name)
    return 0


def _time_to_split_by(drafted: "Draft") -> str:
    """The column by whose time a person lets the rows be split; empty for none."""
    from flows.views.begin import draft as view

    times = view.times_of(drafted)
    if times and typer.confirm(view.by_time(times[0]), default=False):
        return times[0]
    return ""


def _at_point(drafted: "Draft", model: str) -> "Draft":
    """The draft at the point that a person chooses; asked again until the answer is one."""
    from flows.views.begin import draft as view
    from flows.views.progress import share as told
    from flows.views.progress import working
    from sluice.draft.drafting import at_share
    from sluice.errors import SluiceError

    while True:
        answer = typer.prompt(view.QUESTION, default="", show_default=False)
        try:
            share = view.share_of(answer, drafted)
            if not share:
                return drafted
            with working("Try the floors"):
                drafted = at_share(drafted, model, share, told())
        except SluiceError as error:
            say(f"{error.what}. {error.fix}")
            continue
        for sentence in (view.floors_of(drafted), view.best_column(drafted)):
            if sentence:
                say(sentence, sys.stdout)
        return drafted


def _check(point: float, costs: str, domain: str) -> None:
    """Raise UsageError for a share of the rows that nobody can flag, 0 being none given, and for a
    domain that is not known.
    """
    from sluice.draft.domains import DOMAINS, NONE
    from sluice.draft.operating import LEAST, MOST
    from sluice.errors import UsageError

    if domain and domain not in (*DOMAINS, NONE):
        what = f"--domain is {domain!r}; one of {', '.join(DOMAINS)} or {NONE} is required"
        raise UsageError(what, f"Write --domain {NONE} where no other fits.")
    if point and costs:
        raise UsageError("--point and --costs are both given; one is allowed", "Leave one out.")
    if point and not LEAST <= point <= MOST:
        raise UsageError(
            f"--point is {point:g}; a share from {LEAST:g} to {MOST:g} is required",
            "Write one of those that init shows, such as 0.1 for one row in ten.",
        )


def _only_here(file: Path, model: str) -> str:
    """What a table outside the project means for a release that a push begins."""
    return (
        f"{file} is outside the project, and another machine would not find it. For releases by a"
        " push, copy it into data/ or keep it in a store; then: sluice data add FILE-OR-ADDRESS"
        f" --model {model}"
    )


def _next(drafted: "Draft", model: str) -> str:
    """What to type next; a table that was sampled has rows that no check has seen yet."""
    if drafted.looked_at == drafted.rows:
        return f"Next: sluice release {model}"
    return f"{drafted.looked_at:,} rows are valid. Next, for all of them: sluice validate {model}"


def _refused(data: bytes, drafted: "Draft", model: str, source: str) -> str:
    """What validation finds that stops a release, and what to do; empty for nothing."""
    from flows.views import findings as view
    from flows.views.progress import working
    from gx.validation import validate
    from sluice.model.data.table import read_table
    from sluice.policy import load_policy
    from sluice.served.contract import load_contract

    with working("Validate"):
        read = load_contract(drafted.contract)
        frame = read_table(data, read, source)
        least = load_policy(drafted.policy).data.minimum_rows
        least = least * drafted.looked_at // drafted.rows
        report = validate(read, frame, minimum_rows=least, model=model)
    if not report.refused:
        return ""
    view.show(report, stderr=True)
    return f"Next: mend the table or models/{model}/contract.toml, then sluice validate {model}"
