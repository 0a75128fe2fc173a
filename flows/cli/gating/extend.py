"""`sluice extend`: more labelled rows for a model that was judged on too few."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.adapters.typed_command import line
from flows.cli.options import DataFile, Model
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.project.settings import Settings

Newer = Annotated[Path, typer.Option("--by", help="CSV or Parquet file with newer labelled rows")]
Target = Annotated[Path, typer.Option("--to", help="the CSV file to write, which is not there yet")]


def extend(by: Newer, to: Target, model: Model = "", data: DataFile = None) -> None:
    """Add newer rows to the holdout of a release, and no other rows.

    The file that it writes trains the same model, and goes on with its use of the holdout.

    Example: sluice extend MODEL --by newer.csv --to more.csv
    """
    from flows.project.homes import load_for_data

    raise typer.Exit(run_extend(load_for_data(model, data), model, data, by, to))


def run_extend(settings: "Settings", model: str, data: Path | None, newer: Path, to: Path) -> int:
    """Write the file and say what came; the exit code is 0. Nothing is scored, and no use is spent.

    Raises UsageError where a file is in the way, Refused where a table cannot be read or brings no
    row for the holdout.
    """
    from flows.adapters.files import read_stable, write_atomic
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.views.progress import working
    from sluice.model.data.extension import extended
    from sluice.model.data.table import read_table
    from sluice.model.data.table_file import to_csv

    if to.exists():
        raise UsageError(f"{to} is there already", "Name a file that is not, with --to.")
    with working("Add the rows"):
        request = begin(settings, real_tools(), model, data)
        contract = request.contract
        known = read_table(request.data.path.read_bytes(), contract, request.data.reference)
        more = read_table(read_stable(newer), contract, newer.name)
        frame = extended(known, more, contract, request.policy.split)
        write_atomic(to, to_csv(frame, contract))
    to.chmod(0o600)  # rows of people
    added = frame[len(known) :]
    [target] = contract.role("target")
    what = f"{len(added):,} more rows for the holdout"
    if not contract.target.several and not contract.target.quantity:
        positives = int((added[target.name] == contract.target.positive).sum())
        what += f", {positives:,} of them positives"
    say(f"{to} has {what}.", sys.stdout)
    say(f"Next: {line(['release', model, '--data', to])}", sys.stdout)
    return 0
