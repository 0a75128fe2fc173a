"""What the scores of the holdout say in short."""

from msgspec import Struct


class Scored(Struct, frozen=True, omit_defaults=True):
    """Holdout rows that were scored; recall and precision at the shipped threshold, None where the
    policy tells no figure. Of a number the skill.
    """

    rows: int
    recall: float | None = None
    precision: float | None = None
    skill: float | None = None
