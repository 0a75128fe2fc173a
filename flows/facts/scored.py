"""What the scores of the holdout say in short."""

from msgspec import Struct


class Scored(Struct, frozen=True):
    """Holdout rows that were scored; recall and precision at the shipped threshold."""

    rows: int
    recall: float
    precision: float
