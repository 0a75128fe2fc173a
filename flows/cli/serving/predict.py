"""`sluice predict`: one row by questions, or a file of them, answered by the newest model here
or by a service.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters import plain_text
from flows.cli.options import AsJson, Model
from sluice.errors import Refused, UsageError

if TYPE_CHECKING:
    from flows.predict.answers import Service
    from sluice.served.uploaded_table import Sheet


def predict(
    model: Model = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="CSV, Parquet or JSON lines; - is standard input")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="write the answers here, not to standard output")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="ask this service, not the newest model here")
    ] = "",
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="score the other rows where some are wrong")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the model about one row, or about a file of rows.

    The attributes of one row are asked for one by one. The answer is advice: a person decides.

    Example: sluice predict --file rows.csv --out risk.csv
    """
    from flows.predict.answers import local, remote
    from flows.project.homes import load_for_releases
    from flows.project.settings import load

    if out:
        _check_out(out, file)
    service = remote(load(), model, url) if url else local(load_for_releases(), model)
    if file is None:
        raise typer.Exit(run_one(service, as_json=as_json))
    raise typer.Exit(run_file(service, file, out, skip_wrong=skip_wrong, as_json=as_json))


def run_one(service: "Service", *, as_json: bool) -> int:
    """Ask a person question by question, and print the answer; the exit code is 0."""
    from flows.predict.prompts import ask
    from flows.views.serving import predictions as view
    from sluice.served.uploaded_table import Row

    row = Row(1, "", ask(service.contract))
    [answer] = service.answer([row], True)
    if as_json:
        plain_text.say(plain_text.as_json(answer), sys.stdout)
    else:
        view.show(answer, service.contract.target.quantity)
    return 0


def run_file(
    service: "Service", file: Path, out: Path | None, *, skip_wrong: bool, as_json: bool
) -> int:
    """Score the rows of a file, and print the answers or write them to `out`; the exit code is
    0. Raises Refused where rows are wrong and are not to be skipped.
    """
    from flows.adapters.files import write_atomic
    from flows.predict.answers import score
    from flows.predict.rows_file import read_rows
    from flows.views.serving import predictions as view

    sheet = read_rows(file, service.contract)
    view.problems(sheet)
    _require_sound(sheet, skip_wrong=skip_wrong)
    answers = score(sheet, service)
    if as_json:
        text = view.as_json(sheet, answers)
    else:
        text = view.as_csv(service.contract, sheet, answers)
    if out is None:
        plain_text.pour(text)
    else:
        write_atomic(out, text.encode())
        are = "answer is" if len(answers) == 1 else "answers are"
        plain_text.say(f"{len(answers):,} {are} in {out}")
    return 0


def _check_out(out: Path, file: Path | None) -> None:
    """Raise UsageError where no file can be written, before anything is scored."""
    if file is None:
        raise UsageError(
            f"--out {out} is given without --file", "The answer to one person is printed."
        )
    if not out.parent.is_dir():
        raise UsageError(
            f"--out {out}: there is no folder {out.parent}",
            "Create it, or name a file in one that is there.",
        )
    if out.exists() and not out.is_file():
        raise UsageError(
            f"--out {out} is no file", "Name a file; without --out the answers are printed."
        )


def _require_sound(sheet: "Sheet", *, skip_wrong: bool) -> None:
    """Raise Refused where rows are wrong, unless they are left out and others remain."""
    wrong = len(sheet.problems)
    if not wrong:
        return
    total = wrong + len(sheet.rows)
    rows = "row" if total == 1 else "rows"
    are = "is" if wrong == 1 else "are"
    sentence = f"{wrong:,} of {total:,} {rows} {are} wrong"
    if not (skip_wrong and sheet.rows):
        raise Refused(
            f"{sentence}; nothing was scored",
            "Correct them, or score the others with --skip-wrong.",
        )
    plain_text.say(f"{sentence} and left out")
