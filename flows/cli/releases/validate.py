"""`sluice validate`: data against the contract."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson, DataFile, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings


def validate(
    model: Model = "",
    data: DataFile = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", help="write a page about the data into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check data against the contract; exit code 3 if refused.

    Example: sluice validate MODEL --data rows.csv
    """
    from flows.project.homes import load_for_data

    raise typer.Exit(run_validate(load_for_data(model, data), model, data, docs, as_json=as_json))


def run_validate(
    settings: "Settings", model: str, data: Path | None, docs: Path | None, *, as_json: bool
) -> int:
    """Print what is wrong with the data; 3 where they are refused."""
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.views import findings as view
    from flows.views.progress import working
    from gx.freshness import Asked, with_freshness
    from gx.validation import validate
    from sluice.model.data.table import read_table
    from sluice.served.table_refusals import TableRefused

    try:
        with working("Read the table"):
            run = begin(settings, real_tools(), model, data)
            frame = read_table(run.data.path.read_bytes(), run.contract, run.data.reference)
    except TableRefused as refused:
        if as_json:
            # The report is the document; a second one beside it could not be parsed.
            _print_unreadable(refused.rule)
            say(f"Error: {refused}")
            return refused.exit_code
        raise
    least = run.policy.data.minimum_rows
    with working("Validate"):
        report = validate(run.contract, frame, minimum_rows=least, model=model)
        asked = Asked(run.tools.today(), run.policy.data.newest_days)
        place = f"models/{run.model}/contract.toml"
        report = with_freshness(report, run.contract, frame, asked, place)
    if docs:
        from gx.docs import Source, write_docs

        day = run.tools.today().isoformat()
        source = Source(run.data.reference, run.data.sha256, day)
        page = write_docs(run.contract, frame, report, docs, source)
        say(str(page), sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(dict(report.counts()), indent=1))
    else:
        view.show(report)
    return 3 if report.refused else 0


def _print_unreadable(rule: str) -> None:
    """The report on a file that is no table, as JSON."""
    finding = {"column": "", "rule": rule, "severity": "critical", "rows": 0}
    counts = {"rows": 0, "checks": 0, "refused": True, "findings": [finding]}
    print(json.dumps({"schema": 1, **counts}, indent=1))
