"""Validate the data before anything is trained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gx.report import Report
from gx.validation import validate
from sluice.errors import Refused
from sluice.identity import sha256, value_hash
from sluice.model.table import read_table, to_parquet, typed
from sluice.served.table_refusals import TableRefused

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "validate", "Validate data"
TABLE, REPORT = "table.parquet", "report.json"


class DataRefused(Refused):
    """The data breaks critical rules; `report` holds them, with examples that never leave the
    terminal.
    """

    def __init__(self, report: Report) -> None:
        critical = [finding for finding in report.findings if finding.severity == "critical"]
        rules = ", ".join(
            dict.fromkeys(f"{finding.column or '(table)'}: {finding.rule}" for finding in critical)
        )
        super().__init__(
            f"the data is refused: {rules}",
            "Mend the file, or change the contract if the data is right.",
        )
        self.report = report


def public(refused: Refused) -> str:
    """What may be told away from the terminal: a file that is no table may have people where its
    header should be.
    """
    return (
        f"the data is refused: {refused.rule}"
        if isinstance(refused, TableRefused)
        else refused.what
    )


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The bytes of the file, the contract, and the policy on data."""
    return {
        "data": run.data.sha256,
        "contract": sha256(run.contract_text.encode()),
        "policy": value_hash(vars(run.policy.data)),
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Write the typed table and the report; raise DataRefused."""
    content = run.data.path.read_bytes()
    if sha256(content) != run.data.sha256:
        raise Refused(
            f"{run.data.reference} changed while it was read",
            "Wait until its writer is done, then try again.",
        )
    frame = read_table(content, run.contract, run.data.reference)
    report = validate(
        run.contract, frame, minimum_rows=run.policy.data.minimum_rows, model=run.model
    )
    if report.refused:
        raise DataRefused(report)
    (folder / TABLE).write_bytes(to_parquet(typed(frame, run.contract)))
    counts = report.counts()
    (folder / REPORT).write_text(json.dumps(counts, indent=1), encoding="utf-8")
    return {"rows": report.rows, "checks": counts["checks"], "warnings": len(report.warnings)}
