"""What the validation of the data found."""

from msgspec import Struct


class Validated(Struct, frozen=True):
    """Rows of the table, checks of the contract that were made, and those that warn."""

    rows: int
    checks: int
    warnings: int
