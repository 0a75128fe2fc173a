"""metrics.json of a model of a number: its schema, for the one of a release and the one that
travels with a model.

Errors are in the unit of the target, an interval is (low, high). What the numbers mean is said in
`sluice.model.number.metrics`, which measures them.
"""

from msgspec import UNSET, Struct, UnsetType

from sluice.model.quality.metrics_file import SCHEMA, Interval, Spread


class NumberMeasures(Struct, frozen=True):
    """How far answers are off.

    `mae` is the mean absolute error, `rmse` the root of the mean squared one, `bias` the mean of
    answer less outcome, `within` the share of the rows that are no further off than the band.
    `naive_mae` is the error of the median of the training rows, and `skill` is 1 - mae / naive_mae.
    """

    mae: float
    rmse: float
    bias: float
    within: float
    naive_mae: float
    skill: float


class NumberIntervals(Struct, frozen=True):
    """Two-sided intervals, all of this level."""

    level: float
    mae: Interval
    bias: Interval
    within: Interval
    skill: Interval


class NumberGroup(Struct, frozen=True):
    """One group of a segment: its rows, and how far answers are off in it."""

    rows: int
    mae: float
    bias: float
    mae_interval: Interval
    bias_interval: Interval


class NumberRows(Struct, frozen=True):
    """How many rows training saw."""

    train: int
    validation: int


class NumberScoredRows(NumberRows, frozen=True):
    """How many rows each part has."""

    holdout: int


class NumberFolds(Struct, frozen=True):
    """How the winning trial did on the folds of the training rows."""

    skill: Spread


class TrainedNumberMetrics(Struct, frozen=True, kw_only=True):
    """The metrics.json that travels with a model: nothing in it was measured on a holdout row.

    `band` is that of the policy, `middle` the median of the training rows; `unit` is empty where
    the number has none.
    """

    schema: int = SCHEMA
    model: str
    unit: str
    band: float
    middle: float
    rows: NumberRows
    train: NumberMeasures
    validation: NumberMeasures
    intervals: NumberIntervals
    cross_validation: NumberFolds
    made_until: str | UnsetType = UNSET


class NumberMetrics(Struct, frozen=True, kw_only=True):
    """The metrics.json of a release: a candidate on the holdout, in the same terms."""

    schema: int = SCHEMA
    model: str
    unit: str
    band: float
    middle: float
    rows: NumberScoredRows
    holdout: NumberMeasures
    intervals: NumberIntervals
    validation: NumberMeasures
    cross_validation: NumberFolds
    segments: dict[str, dict[str, NumberGroup]]
