"""How old the newest row of a table is, by the column that the contract names as `as_of`, and
whether a row was written after its day, by the one that it names as `known_at`.

Freshness depends on the day on which it is asked, so it is no part of the suite: the same table is
fresh today and stale in a month.
"""

import datetime
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gx.report import Check, Example, Finding, Report
from sluice.errors import UsageError
from sluice.model.data.times import in_iso, last_moments_of, times_of
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

    `frame` is as `sluice.model.data.table.read_table` gives it. Raises UsageError where the policy
    has a limit and the contract names no column.
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
    checks = [Check(contract.as_of, "stale data", "critical", "", count, not found)]
    if contract.known_at:
        late = _late(contract, frame)
        count = sum(finding.count for finding in late)
        checks.append(Check(contract.known_at, "known too late", "critical", "", count, not late))
        found += late
    findings = sorted([*report.findings, *found], key=lambda finding: finding.severity)
    return Report(report.rows, (*report.checks, *checks), tuple(findings))


def _late(contract: Contract, frame: pd.DataFrame) -> list[Finding]:
    """Rows that were written after the day they are of: they may hold what it came to."""
    name = contract.known_at
    if name not in frame:
        fix = "Export it with the time of each row's values; the contract names it known_at."
        return [Finding(name, "missing column", "critical", len(frame), (), fix)]
    cells = pd.Categorical(frame[name])
    known = times_of(cells, contract.find(name))
    wrong = np.isnat(known) & (cells.codes >= 0)
    if wrong.any():
        return [_finding(contract, frame, name, "wrong type", wrong, f"Write {_DAY_OR_TIME}.")]
    if contract.as_of not in frame:
        return []
    as_of = contract.as_of
    late = known > last_moments_of(pd.Categorical(frame[as_of]), contract.find(as_of))
    if not late.any():
        return []
    fix = "Take the values as they were on the day of the row: `sluice data merge FILE` does."
    return [_finding(contract, frame, name, "known too late", late, fix)]


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
        return [_finding(contract, frame, name, "wrong type", none, fix)]
    ahead = days > np.datetime64(asked.today + _AHEAD)
    if ahead.any():
        fix = f"A row cannot be of a day to come: it is {asked.today}."
        return [_finding(contract, frame, name, "day to come", ahead, fix)]
    age = (np.datetime64(asked.today) - days.max()) // np.timedelta64(1, "D")
    if not asked.newest_days or age <= asked.newest_days:
        return []
    fix = (
        f"The newest row is {age} days old; at most {asked.newest_days} is required. Export again."
    )
    return [Finding(name, "stale data", "critical", len(frame), (), fix)]


def _finding(
    contract: Contract, frame: pd.DataFrame, name: str, rule: str, wrong: np.ndarray, fix: str
) -> Finding:
    rows = np.flatnonzero(wrong)[:_EXAMPLES]
    ids = frame[contract.id.name].astype(object).iloc[rows]
    cells = frame[name].astype(object).fillna("(empty)").iloc[rows]
    examples = tuple(
        Example(f"row {row + 1}" if pd.isna(who) else str(who)[:_LONGEST], str(cell)[:_LONGEST])
        for row, who, cell in zip(rows, ids, cells, strict=True)
    )
    return Finding(name, rule, "critical", int(wrong.sum()), examples, fix)


def _day(text: str) -> datetime.date | None:
    """The day of a day or time in ISO 8601; a time with a zone is taken in UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).date() if moment.tzinfo else moment.date()
