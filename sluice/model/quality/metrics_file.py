"""metrics.json: its schema, for the one of a release and the one that travels with a model.

Both have version 1. A share is between 0 and 1; an interval is (low, high). What the numbers mean
is said in `sluice.model.quality.metrics`, which measures them.
"""

from msgspec import UNSET, Struct, UnsetType

SCHEMA = 1
Interval = tuple[float, float]


class Confusion(Struct, frozen=True):
    """How many rows were flagged, rightly or not, and how many were not."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.positives + self.false_positive + self.true_negative

    @property
    def positives(self) -> int:
        """The rows that are positive."""
        return self.true_positive + self.false_negative

    @property
    def negatives(self) -> int:
        """The rows that are negative."""
        return self.false_positive + self.true_negative

    @property
    def flagged(self) -> int:
        """The rows that were flagged."""
        return self.true_positive + self.false_positive


class Shares(Struct, frozen=True):
    """What follows from the four counts."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    share_flagged: float


class Measures(Shares, frozen=True):
    """The shares at a threshold, and what the probabilities are worth at every threshold."""

    roc_auc: float
    average_precision: float
    brier: float


class Intervals(Struct, frozen=True):
    """Two-sided intervals, all of this level."""

    level: float
    recall: Interval
    precision: Interval
    accuracy: Interval
    roc_auc: Interval


class Group(Struct, frozen=True):
    """The counts and shares of one group of a segment."""

    rows: int
    positives: int
    recall: float
    precision: float
    share_flagged: float
    recall_interval: Interval


class Spread(Struct, frozen=True):
    """A metric over the folds: mean, standard deviation, and the value of each fold."""

    mean: float
    std: float
    folds: tuple[float, ...]


class CrossValidation(Struct, frozen=True):
    """How the winning trial did on the folds of the training rows."""

    roc_auc: Spread
    average_precision: Spread


class TrainedRows(Struct, frozen=True):
    """How many rows training saw, and how many of them are positive."""

    train: int
    train_positives: int
    validation: int
    validation_positives: int


class ScoredRows(Struct, frozen=True):
    """How many rows each part has, and how many of the holdout are positive."""

    train: int
    validation: int
    holdout: int
    holdout_positives: int


class OperatingCurve(Struct, frozen=True):
    """What would be flagged at other thresholds, from the highest down: how many rows, and how many
    of them are positive. The three lists are equally long.
    """

    thresholds: tuple[float, ...]
    flagged: tuple[int, ...]
    found: tuple[int, ...]


class GroupMeasured(Struct, frozen=True):
    """A group of a segment; nothing is measured where it is too small."""

    name: str
    measured: Group | None


class Segment(Struct, frozen=True):
    """The groups of a segment, in the order in which people list them."""

    name: str
    groups: tuple[GroupMeasured, ...]


class GroupTable(Struct, frozen=True):
    """The groups of all segments; one with fewer than `least` positives, or as few negatives, is
    too small.
    """

    least: int
    segments: tuple[Segment, ...]


class GroupedPrecision(Struct, frozen=True):
    """How much wider than by rows the validation precision is known where rows belong together:
    the design effect of its variance, and the degrees of freedom of that.

    `alike` is the design effect that no share exceeds: that of rows of a group that are all alike.
    """

    factor: float
    freedom: float
    alike: float


class TrainedMetrics(Struct, frozen=True, kw_only=True):
    """The metrics.json that travels with a model: nothing in it was measured on a holdout row.

    Curve and groups are of the validation rows; a file of an older version has neither.
    `grouped_precision` is unset where each row counts for itself. `made_until` is the time of the
    newest row that the model was fitted or tuned on, in ISO 8601; unset where the split is not by
    time. `weighted_by` is the column that said what a row counts for in training; here each counts
    once.
    """

    schema: int = SCHEMA
    model: str
    threshold: float
    rows: TrainedRows
    train: Measures
    validation: Measures
    cross_validation: CrossValidation
    curve: OperatingCurve | None = None
    groups: GroupTable | None = None
    grouped_precision: GroupedPrecision | UnsetType = UNSET
    made_until: str | UnsetType = UNSET
    weighted_by: str | UnsetType = UNSET


class Metrics(Struct, frozen=True, kw_only=True):
    """The metrics.json of a release: a candidate on the holdout.

    `segments` has the groups of each segment by name; `grouped_precision` and `weighted_by` are
    those of training.
    """

    schema: int = SCHEMA
    model: str
    threshold: float
    rows: ScoredRows
    holdout: Measures
    intervals: Intervals
    confusion: Confusion
    validation: Measures
    cross_validation: CrossValidation
    segments: dict[str, dict[str, Group]]
    grouped_precision: GroupedPrecision | UnsetType = UNSET
    weighted_by: str | UnsetType = UNSET
