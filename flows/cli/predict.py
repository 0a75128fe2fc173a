"""`sluice predict`: one person by questions, or a file of them, answered by the newest model here
or by a service.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Model
from sluice.errors import Refused, UsageError

if TYPE_CHECKING:
    from sluice.served.uploaded_table import Sheet


def predict(
    model: Model = "attrition",
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
    """Ask the model about one person, question by question, or about a file of them. Advice: a
    person decides.

    Example: sluice predict --file people.csv --out risk.csv
    """
    raise typer.Exit(run_predict(model, file, out, url, as_json, skip_wrong))


def run_predict(
    model: str,
    file: Path | None,
    out: Path | None,
    url: str,
    as_json: bool,
    skip_wrong: bool = False,
) -> int:
    """Ask, or read the file; print or write the answers."""
    from flows.adapters.files import write_atomic
    from flows.cli.predict_answers import local, remote, score
    from flows.cli.predict_file import read_people
    from flows.cli.predict_prompts import ask
    from flows.project import settings
    from flows.views import predictions as view
    from sluice.served.uploaded_table import Row

    if out and not file:
        raise UsageError(
            f"--out {out} is given without --file", "The answer to one person is printed."
        )
    if out:
        _check_out(out)
    given = settings.load()
    contract, answers = remote(given, model, url) if url else local(given, model)
    if not file:
        view.answer(answers([Row(1, "", ask(contract))], True)[0], as_json)
        return 0
    sheet = read_people(file, contract)
    view.problems(sheet)
    _require_sound(sheet, skip_wrong)
    found = score(sheet, answers)
    text = view.as_json(sheet, found) if as_json else view.as_csv(contract, sheet, found)
    if out:
        write_atomic(out, text.encode())
        print(
            f"{len(found):,} {'answer is' if len(found) == 1 else 'answers are'} in {out}",
            file=sys.stderr,
        )
    else:
        sys.stdout.write(text)
    return 0


def _check_out(out: Path) -> None:
    """Raise UsageError where no file can be written: said before anything is scored."""
    if not out.parent.is_dir():
        raise UsageError(
            f"--out {out}: there is no folder {out.parent}",
            "Create it, or name a file in one that is there.",
        )
    if out.exists() and not out.is_file():
        raise UsageError(
            f"--out {out} is no file", "Name a file; without --out the answers are printed."
        )


def _require_sound(sheet: "Sheet", skip_wrong: bool) -> None:
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
    print(f"{sentence} and left out", file=sys.stderr)
