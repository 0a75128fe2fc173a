"""What the validation of the data found."""

from msgspec import Struct


class FindingCount(Struct, frozen=True):
    """A rule that was broken, and in how many rows; the column is empty for the whole table."""

    column: str
    rule: str
    severity: str
    rows: int


class ReportFile(Struct, frozen=True, kw_only=True):
    """report.json: how many checks were made, and what was broken; no value of a row."""

    schema: int = 1
    rows: int
    checks: int
    refused: bool
    findings: tuple[FindingCount, ...]


class Validated(Struct, frozen=True):
    """Rows of the table, checks of the contract that were made, and those that warn."""

    rows: int
    checks: int
    warnings: int
