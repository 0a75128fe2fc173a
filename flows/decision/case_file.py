"""case.json: what is judged besides the scores themselves; its schema."""

from msgspec import Struct


class Judged(Struct, frozen=True):
    """The candidate, with the threshold that it ships with."""

    threshold: float


class Opponent(Struct, frozen=True):
    """A model that the candidate is compared with: its tag, and its own threshold."""

    tag: str
    threshold: float


class RowFacts(Struct, frozen=True):
    """What is known of the holdout rows.

    `left_out` counts rows that a compared model has seen, `accepted` is the smallest share of the
    rows that a contract takes, `trained_on` and `duplicates` count rows that the candidate was
    fitted on, or that equal a training row in every feature.
    """

    left_out: int
    accepted: float
    trained_on: int
    duplicates: int


class CaseFile(Struct, frozen=True, omit_defaults=True):
    """case.json; `one_column` is the published name of the column that ranks best alone.

    Champion and anchor are missing from the file where there are none.
    """

    candidate: Judged
    one_column: str
    facts: RowFacts
    champion: Opponent | None = None
    anchor: Opponent | None = None
