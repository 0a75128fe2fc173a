"""What the split of the rows found."""

from msgspec import Struct


class SplitRows(Struct, frozen=True):
    """Rows of each part, and those of no part.

    Where the time decides, these are older rows of a group that is there later too.
    """

    train: int
    validation: int
    holdout: int
    left_out: int = 0
