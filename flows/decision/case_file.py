"""case.json: what is judged besides the scores themselves; its schema."""

from msgspec import UNSET, Struct, UnsetType


class Judged(Struct, frozen=True):
    """The candidate, with the threshold that it ships with; of several classes with the weight of
    each. Of a number `middle` is the median of the training rows, in its unit.
    """

    threshold: float | UnsetType = UNSET
    weights: tuple[float, ...] | UnsetType = UNSET
    middle: float | UnsetType = UNSET


class Opponent(Struct, frozen=True):
    """A model that the candidate is compared with: its tag, and its own threshold or weights.

    `moved` says how the operating point that this was chosen for differs from the candidate's.
    """

    tag: str
    threshold: float | UnsetType = UNSET
    moved: str = ""
    weights: tuple[float, ...] | UnsetType = UNSET


class RowFacts(Struct, frozen=True):
    """What is known of the holdout rows.

    `left_out` counts rows that a compared model has seen, `accepted` is the smallest share of the
    rows that a contract takes, `duplicates` counts rows that equal a training row in every feature,
    `near_duplicates` others that do so in all but one.
    """

    left_out: int
    accepted: float
    duplicates: int
    near_duplicates: int = 0


class CaseFile(Struct, frozen=True, omit_defaults=True):
    """case.json; `one_column` is the published name of the column that ranks best alone.

    Champion and anchor are missing from the file where there are none.
    """

    candidate: Judged
    one_column: str
    facts: RowFacts
    champion: Opponent | None = None
    anchor: Opponent | None = None
