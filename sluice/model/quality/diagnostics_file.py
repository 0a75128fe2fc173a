"""The part `diagnostics` of evidence.json, and `protected_cost` beside it: counts and points, no
rows. What the numbers mean is said in `sluice.model.quality.diagnostics`, which works them out.
"""

from msgspec import Struct, field

Interval = tuple[float, float]


class PrecisionRecall(Struct, frozen=True):
    """One point for each threshold, from the highest threshold down; both lists are equally
    long.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]


class Roc(Struct, frozen=True):
    """One point for each threshold, from (0, 0) on; both lists are equally long."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


class CalibrationCell(Struct, frozen=True):
    """The rows in one bin of scores: mean score, share of positives with its interval."""

    score: float
    share: float
    rows: int
    interval: Interval


class ScoreHistogram(Struct, frozen=True):
    """Counts of rows by score, of each class; there is one edge more than there are counts."""

    edges: tuple[float, ...]
    positive: tuple[int, ...]
    negative: tuple[int, ...]


class Curves(Struct, frozen=True):
    """Everything that the pictures of one model on one set of rows are drawn from."""

    precision_recall: PrecisionRecall
    roc: Roc
    calibration: tuple[CalibrationCell, ...]
    histogram: ScoreHistogram
    rows: int
    positives: int


class Importance(Struct, frozen=True):
    """How much average precision is lost when one column, by its published name, is shuffled."""

    column: str
    mean: float
    std: float


class LearningPoint(Struct, frozen=True):
    """Average precision on the rows learnt from, and on validation, after so many rows."""

    rows: int
    train: float
    validation: float


class RankingQuality(Struct, frozen=True):
    """ROC-AUC, and recall where a fixed share of the rows is flagged."""

    roc_auc: float
    recall: float


class ProtectedCost(Struct, frozen=True):
    """The same recipe without and with the protected columns, on validation rows."""

    columns: tuple[str, ...]
    without: RankingQuality
    with_them: RankingQuality = field(name="with")


class Diagnostics(Struct, frozen=True, omit_defaults=True):
    """What a person looks at after the verdict; `champion` is missing where there is none."""

    candidate: Curves
    importance: tuple[Importance, ...]
    learning: tuple[LearningPoint, ...]
    champion: Curves | None = None
