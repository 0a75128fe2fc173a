"""Validate the data before anything is trained."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flows.engine.step import Step
from flows.facts.step_files import REPORT, TABLE
from flows.facts.validated import ReportFile, Validated
from gx.report import Report
from sluice.errors import Refused
from sluice.identity import sha256, value_hash
from sluice.model.data.table import read_table, to_parquet, typed
from sluice.served.table_refusals import TableRefused

if TYPE_CHECKING:
    import pandas as pd

    from flows.engine.request import Request


class DataRefused(Refused):
    """The data break critical rules; `report` holds them, with examples for the terminal alone."""

    def __init__(self, report: Report) -> None:
        critical = [finding for finding in report.findings if finding.severity == "critical"]
        names = [f"{finding.column or '(table)'}: {finding.rule}" for finding in critical]
        rules = ", ".join(dict.fromkeys(names))
        super().__init__(
            f"the data is refused: {rules}",
            "Mend the file, or change the contract if the data is right.",
        )
        self.report = report


def public(refused: Refused) -> str:
    """The message that may be stored: without values of the file.

    A file without a header can have personal data in its first line.
    """
    if isinstance(refused, TableRefused):
        return f"the data is refused: {refused.rule}"
    return refused.what


def _inputs(request: "Request") -> dict[str, str]:
    return {
        "data": request.data.sha256,
        "contract": request.contract_sha256,
        # How old rows may be is asked each time: it depends on the day, and not on the data.
        "policy": value_hash({"minimum_rows": request.policy.data.minimum_rows}),
    }


def _work(folder: Path, request: "Request") -> Validated:
    """Write the typed table and the report. Raises DataRefused, TableRefused."""
    from gx.validation import validate  # brings pandas and Great Expectations

    frame = _read(request)
    report = validate(
        request.contract,
        frame,
        minimum_rows=request.policy.data.minimum_rows,
        model=request.model,
    )
    if report.refused:
        raise DataRefused(report)
    (folder / TABLE).write_bytes(_table(request, frame))
    counts = msgspec.convert(report.counts(), ReportFile)
    text = json.dumps(msgspec.to_builtins(counts), indent=1)
    (folder / REPORT).write_text(text, encoding="utf-8")
    return reported(counts)


def reported(report: ReportFile) -> Validated:
    """The facts of a validation that refused nothing: they follow from report.json."""
    warnings = [finding for finding in report.findings if finding.severity == "warning"]
    return Validated(report.rows, report.checks, len(warnings))


def table(request: "Request") -> bytes:
    """The content of table.parquet, made anew from the data without a check of their values.

    Raises Refused where the data are other bytes by now, or cannot be read.
    """
    return _table(request, _read(request))


def _read(request: "Request") -> "pd.DataFrame":
    content = request.data.path.read_bytes()
    if sha256(content) != request.data.sha256:
        raise Refused(
            f"{request.data.reference} changed while it was read",
            "Wait until its writer is done, then try again.",
        )
    return read_table(content, request.contract, request.data.reference)


def _table(request: "Request", frame: "pd.DataFrame") -> bytes:
    return to_parquet(typed(frame, request.contract))


VALIDATE = Step("validate", "Validate data", Validated, (TABLE, REPORT), _inputs, _work)
