"""metrics.json of a model of several classes: its schema, for the one of a release and the one that
travels with a model.

A share is between 0 and 1; an interval is (low, high). Recall and precision of the whole are means
over the classes, each of which counts the same. What the numbers mean is said in
`sluice.model.classes.metrics`, which measures them.
"""

from msgspec import UNSET, Struct, UnsetType

from sluice.model.quality.metrics_file import SCHEMA, CrossValidation, Interval


class Measures(Struct, frozen=True):
    """Means over the classes, and the share of rows answered rightly."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float
    average_precision: float
    brier: float


class Intervals(Struct, frozen=True):
    """Two-sided intervals, all of this level."""

    level: float
    recall: Interval
    accuracy: Interval


class OfClass(Struct, frozen=True):
    """One class: its rows, how many are answered with it, and how many of these rightly."""

    rows: int
    answered: int
    found: int
    recall: float
    precision: float
    recall_interval: Interval


class Group(Struct, frozen=True):
    """One group of a segment: its rows, and the mean recall over the classes that it has."""

    rows: int
    recall: float
    recall_interval: Interval


class TrainedRows(Struct, frozen=True):
    """How many rows training saw."""

    train: int
    validation: int


class ScoredRows(TrainedRows, frozen=True):
    """How many rows each part has."""

    holdout: int


class TrainedClassMetrics(Struct, frozen=True, kw_only=True):
    """The metrics.json that travels with a model: nothing in it was measured on a holdout row.

    `weights` and `classes` are by the names of the classes, these of the validation rows;
    `confusion` says for each class how often it was answered with each.
    """

    schema: int = SCHEMA
    model: str
    weights: dict[str, float]
    rows: TrainedRows
    train: Measures
    validation: Measures
    intervals: Intervals
    cross_validation: CrossValidation
    classes: dict[str, OfClass]
    confusion: dict[str, dict[str, int]]
    made_until: str | UnsetType = UNSET


class ClassMetrics(Struct, frozen=True, kw_only=True):
    """The metrics.json of a release: a candidate on the holdout, in the same terms."""

    schema: int = SCHEMA
    model: str
    weights: dict[str, float]
    rows: ScoredRows
    holdout: Measures
    intervals: Intervals
    classes: dict[str, OfClass]
    confusion: dict[str, dict[str, int]]
    validation: Measures
    cross_validation: CrossValidation
    segments: dict[str, dict[str, Group]]
