"""What validation found, as values: the rules, how many rows broke each, what to do about it."""

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Example:
    """A row that broke a rule: its id, and the value that stands there.

    It is shown on the terminal, and nowhere else.
    """

    id: str
    value: str


@dataclass(frozen=True)
class Finding:
    """A rule that was broken in `count` rows, at most three of them as examples.

    `column` is its published name, empty for a rule of the table as a whole. `severity` is
    critical (the table is refused) or warning (shown, and no more).
    """

    column: str
    rule: str
    severity: str
    count: int
    examples: tuple[Example, ...]
    fix: str


@dataclass(frozen=True)
class Check:
    """A rule that was looked at, the expectation that did it, and in how many rows it was broken.

    `column` is its published name, empty for a rule of the table as a whole.
    `limit` is the least number of rows or values where the rule sets one.
    """

    column: str
    rule: str
    severity: str
    expectation: str
    count: int
    passed: bool
    limit: float = 0.0


class Counts(TypedDict):
    """A report in numbers, as artifacts hold it.

    Each of the findings has its column, rule, severity and rows.
    """

    schema: int
    rows: int
    checks: int
    refused: bool
    findings: list[dict[str, str | int]]


@dataclass(frozen=True)
class Report:
    """Everything that was looked at in a table, and the findings, critical ones first."""

    rows: int
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether a finding stops the release."""
        return any(finding.severity == "critical" for finding in self.findings)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are shown and do not stop."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def counts(self) -> Counts:
        """The report for artifacts: what was broken how often, no value and no id of a row."""
        return {
            "schema": 1,
            "rows": self.rows,
            "checks": len(self.checks),
            "refused": self.refused,
            "findings": [_count(finding) for finding in self.findings],
        }


def _count(finding: Finding) -> dict[str, str | int]:
    """A finding in numbers: no value and no id."""
    return {
        "column": finding.column,
        "rule": finding.rule,
        "severity": finding.severity,
        "rows": finding.count,
    }
