"""`sluice init`: a contract, a policy and a pointer from a table, for a person to review."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson

if TYPE_CHECKING:
    from flows.project.settings import Settings
    from sluice.draft.proposals import Choices


_LEAST, _MOST = 0.01, 0.9  # of the rows; the policy that is drafted allows no more


def init(
    file: Annotated[Path, typer.Argument(help="a CSV, as it is; it is never changed")],
    model: Annotated[str, typer.Option("--model", help="name of the folder below models/")] = "",
    target: Annotated[str, typer.Option("--target", help="the column to predict")] = "",
    positive: Annotated[str, typer.Option("--positive", help="its value to look for")] = "",
    identity: Annotated[str, typer.Option("--id", help="the column that names a row")] = "",
    point: Annotated[
        float, typer.Option("--point", help="share of the rows to flag, such as 0.1")
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a model from a table of your own.

    Says what each column is and why, finds those that give the answer away, proposes limits, and
    writes contract, policy and pointer, which a person reviews.

    Example: sluice init churn.csv --target Churn --positive Yes
    """
    from flows.project.settings import load
    from sluice.draft.proposals import Choices

    _check(point)
    chosen = Choices(target, positive, identity, point)
    ask = not yes and not as_json and sys.stdin.isatty()
    raise typer.Exit(run_init(load(), file, model, chosen, ask=ask, as_json=as_json))


def run_init(
    settings: "Settings", file: Path, given: str, chosen: "Choices", *, ask: bool, as_json: bool
) -> int:
    """Draft, show and write the model of a table; 3 where its own contract refuses the table, 0
    where nothing is wrong or a person says no.
    """
    from flows.adapters.files import read_stable
    from flows.project import new_folder, new_model
    from flows.views import draft as view
    from flows.views.progress import working
    from sluice.draft.drafting import draft

    model = new_model.name_of(given, file)
    new_model.require_free(settings.project, model)
    data = read_stable(file)
    with working("Look at the table"):
        drafted = draft(data, file.name, model, chosen)
    if not as_json:
        view.show(drafted)
    if ask and not typer.confirm(f"Write models/{model}/ and data/{model}.toml?", default=True):
        said = "--target, --positive, --id and --point say otherwise"
        say(f"Nothing is written. {said}.")
        return 0
    files = new_model.files_of(settings.project, model, file, data, drafted)
    new_folder.write(settings.project, files)
    refused = _refused(data, drafted.contract, drafted.policy, model, file.name)
    if as_json:
        document = {**view.document(drafted), "model": model, "files": list(files)}
        print(json.dumps({**document, "refused": bool(refused)}, indent=1))
    else:
        say(f"Written: {', '.join(files)}.", sys.stdout)
        say(refused or f"Next: sluice release {model}", sys.stdout)
    return 3 if refused else 0


def _check(point: float) -> None:
    """Raise UsageError for a share of the rows that nobody can flag; 0 is none given."""
    from sluice.errors import UsageError

    if point and not _LEAST <= point <= _MOST:
        raise UsageError(
            f"--point is {point:g}; a share from {_LEAST:g} to {_MOST:g} is required",
            "Write one of those that init shows, such as 0.1 for one row in ten.",
        )


def _refused(data: bytes, contract: str, policy: str, model: str, source: str) -> str:
    """What validation finds that stops a release, and what to do; empty for nothing."""
    from flows.views import findings as view
    from flows.views.progress import working
    from gx.validation import validate
    from sluice.model.table import read_table
    from sluice.policy import load_policy
    from sluice.served.contract import load_contract

    with working("Validate"):
        read = load_contract(contract)
        frame = read_table(data, read, source)
        least = load_policy(policy).data.minimum_rows
        report = validate(read, frame, minimum_rows=least, model=model)
    if not report.refused:
        return ""
    view.show(report, stderr=True)
    return f"Next: mend the table or models/{model}/contract.toml, then sluice validate {model}"
