"""How old the newest row of a table is, by the column that the contract names as `as_of`.

It depends on the day on which it is asked, so it is no part of the suite: the same table is fresh
today and stale in a month.
"""

import datetime
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gx.report import Check, Example, Finding, Report
from sluice.errors import UsageError
from sluice.model.times import in_iso
from sluice.served.contract import Contract

_DAY_OR_TIME = "a day or a time, as 2026-11-20"
_EXAMPLES = 3
_LONGEST = 60  # characters of a cell or id that are shown
_AHEAD = datetime.timedelta(days=1)  # by which the clock of another zone may be ahead


@dataclass(frozen=True)
class Asked:
    """The day that it is, and how many days old the newest row may be; 0 sets no limit."""

    today: datetime.date
    newest_days: int


def with_freshness(
    report: Report, contract: Contract, frame: pd.DataFrame, asked: Asked, source: str
) -> Report:
    """The report with what is found of the days of the rows; the same where nobody asks for them.

    `frame` is as `sluice.model.table.read_table` gives it. Raises UsageError where the policy has a
    limit and the contract names no column.
    """
    if not contract.as_of:
        if asked.newest_days:
            what = (
                f"[data] newest_days is {asked.newest_days}, and {source} names no column of days"
            )
            raise UsageError(what, 'Write as_of = "NAME OF THE COLUMN" above its tables.')
        return report
    found = _findings(contract, frame, asked)
    count = sum(finding.count for finding in found)
    check = Check(contract.as_of, "stale data", "critical", "", count, not found)
    findings = sorted([*report.findings, *found], key=lambda finding: finding.severity)
    return Report(report.rows, (*report.checks, check), tuple(findings))


def _findings(contract: Contract, frame: pd.DataFrame, asked: Asked) -> list[Finding]:
    """Cells that are no day or a day to come; where there are none, that the newest is too old."""
    name = contract.as_of
    if name not in frame:
        fix = "Export it with the day of each row; the contract names this column as_of."
        return [Finding(name, "missing column", "critical", len(frame), (), fix)]
    cells = frame[name].astype("category")
    column = contract.find(name)
    known = [_day(in_iso(column, str(text))) for text in cells.cat.categories]
    # Empty cells have the code -1, which is the last of these.
    days = np.array([*known, None], dtype="datetime64[D]")[cells.cat.codes]
    none = np.isnat(days)
    if none.any():
        fix = f"Write {_DAY_OR_TIME}."
        return [_finding(contract, frame, "wrong type", none, fix)]
    ahead = days > np.datetime64(asked.today + _AHEAD)
    if ahead.any():
        fix = f"A row cannot be of a day to come: it is {asked.today}."
        return [_finding(contract, frame, "day to come", ahead, fix)]
    age = (np.datetime64(asked.today) - days.max()) // np.timedelta64(1, "D")
    if not asked.newest_days or age <= asked.newest_days:
        return []
    fix = (
        f"The newest row is {age} days old; at most {asked.newest_days} is required. Export again."
    )
    return [Finding(name, "stale data", "critical", len(frame), (), fix)]


def _finding(
    contract: Contract, frame: pd.DataFrame, rule: str, wrong: np.ndarray, fix: str
) -> Finding:
    rows = np.flatnonzero(wrong)[:_EXAMPLES]
    ids = frame[contract.id.name].astype(object).iloc[rows]
    cells = frame[contract.as_of].astype(object).fillna("(empty)").iloc[rows]
    examples = tuple(
        Example(f"row {row + 1}" if pd.isna(name) else str(name)[:_LONGEST], str(cell)[:_LONGEST])
        for row, name, cell in zip(rows, ids, cells, strict=True)
    )
    return Finding(contract.as_of, rule, "critical", int(wrong.sum()), examples, fix)


def _day(text: str) -> datetime.date | None:
    """The day of a day or time in ISO 8601; a time with a zone is taken in UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).date() if moment.tzinfo else moment.date()
