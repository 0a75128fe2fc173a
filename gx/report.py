"""What validation found, as values: the rules, how many rows broke each, and what to do about
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """A row that broke a rule: its id, and the value that stands there. Never leaves the
    terminal.
    """

    id: str
    value: str


@dataclass(frozen=True)
class Finding:
    """A rule that was broken: in `count` rows of a column (empty: of the table), at most three of
    them as examples.

    `severity` is critical (the table is refused) or warning (shown, and no more).
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

    `limit` is the least number of rows or values where the rule sets one.
    """

    column: str
    rule: str
    severity: str
    expectation: str
    count: int
    passed: bool
    limit: float = 0.0


@dataclass(frozen=True)
class Report:
    """Everything that was looked at in a table of so many rows, and the findings, critical ones
    first.
    """

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

    def counts(self) -> Mapping[str, Any]:
        """The report for artifacts: what was broken how often, without a value or an id of any
        row.
        """
        return {
            "schema": 1,
            "rows": self.rows,
            "checks": len(self.checks),
            "refused": self.refused,
            "findings": [
                {
                    "column": finding.column,
                    "rule": finding.rule,
                    "severity": finding.severity,
                    "rows": finding.count,
                }
                for finding in self.findings
            ],
        }
