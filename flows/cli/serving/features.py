"""`sluice features`: the features of rows, published and derived, in a file for other programs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import OfModel

if TYPE_CHECKING:
    from flows.project.settings import Settings

Rows = Annotated[Path, typer.Argument(help="CSV or Parquet file; it needs no target")]
Target = Annotated[Path, typer.Option("--to", help="the Parquet file to write, or to replace")]


def features(rows: Rows, to: Target, model: OfModel = "") -> None:
    """Write the features of rows, with the derived ones, as Parquet.

    They are what training, service, batch and monitor make of these rows, so that a feature store
    holds the same ones. Target and protected columns are left out.

    Example: sluice features employees.csv --to features.parquet
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_features(load_for_releases(), model, rows, to))


def run_features(settings: "Settings", model: str, rows: Path, to: Path) -> int:
    """Write the file, whole or not at all, and say what it has; the exit code is 0."""
    from flows.adapters.files import read_stable, write_atomic
    from flows.adapters.plain_text import say
    from flows.project.models import model_folder, project_text
    from flows.views.progress import working
    from flows.views.wording import count
    from sluice.errors import UsageError
    from sluice.model.data.feature_table import AS_OF, feature_table
    from sluice.model.data.table import to_parquet
    from sluice.served.contract import load_contract

    if to.exists() and to.resolve() == rows.resolve():
        raise UsageError(f"{to} is the file that is read", "Name another one with --to.")
    path = model_folder(model, settings.project) / "contract.toml"
    text = project_text(path, settings.project)
    contract = load_contract(text, f"models/{model}/contract.toml")
    with working("Make the features"):
        columns = feature_table(read_stable(rows), contract, rows.name)
        write_atomic(to, to_parquet(columns))
    to.chmod(0o600)  # rows of people
    made = len(contract.derived)
    what = f"{count(len(next(iter(columns.values()))), 'row')}, {count(len(columns), 'column')}"
    say(f"{to} has {what}, {made} of them derived.", sys.stdout)
    if AS_OF not in columns:
        say("It has no times: the contract names no as_of.", sys.stdout)
    return 0
