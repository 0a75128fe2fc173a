"""What the split of the rows found."""

from msgspec import Struct


class SplitRows(Struct, frozen=True):
    """Rows of each part."""

    train: int
    validation: int
    holdout: int
