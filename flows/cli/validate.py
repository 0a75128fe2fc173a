"""`sluice validate`: data against the contract."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, DataFile, Model


def validate(
    model: Model = "attrition",
    data: DataFile = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", help="write a page about the data into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check data against the contract; exit code 3 where it is refused.

    Example: sluice validate attrition --data employees.csv
    """
    raise typer.Exit(run_validate(model, data, docs, as_json))


def run_validate(model: str, data: Path | None, docs: Path | None, as_json: bool) -> int:
    """Validate alone."""
    from flows.engine.request import begin
    from flows.orchestration.real_tools import real_tools
    from flows.project import settings
    from flows.views import terminal
    from flows.views.findings import summary, table
    from gx.validation import validate
    from sluice.model.table import read_table
    from sluice.served.table_refusals import TableRefused

    run = begin(settings.load(), real_tools(), model, data)
    try:
        frame = read_table(run.data.path.read_bytes(), run.contract, run.data.reference)
    except TableRefused as refused:
        if as_json:
            finding = {"column": "", "rule": refused.rule, "severity": "critical", "rows": 0}
            counts = {"rows": 0, "checks": 0, "refused": True, "findings": [finding]}
            print(json.dumps({"schema": 1, **counts}, indent=1))
        raise
    report = validate(run.contract, frame, minimum_rows=run.policy.data.minimum_rows, model=model)
    if docs:
        from gx.docs import write_docs

        page = write_docs(run.contract, frame, report, docs)
        print(page, file=sys.stderr if as_json else sys.stdout, flush=True)
    if as_json:
        print(json.dumps(dict(report.counts()), indent=1))
    else:
        out = terminal.console(stderr=False)
        if report.findings:
            out.print(table(report))
        out.print(f"[bold]{summary(report)}[/]")
    return 3 if report.refused else 0
