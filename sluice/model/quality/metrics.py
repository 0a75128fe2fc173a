"""What a set of scores is worth: the numbers of metrics.json.

Labels are 0 or 1, scores are probabilities; both have the shape (rows,).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sluice.model.fit.tuning_file import Trial
from sluice.model.quality.clusters import of_share
from sluice.model.quality.metrics_file import (
    Confusion,
    CrossValidation,
    Group,
    GroupMeasured,
    GroupTable,
    Intervals,
    Measures,
    Segment,
    Shares,
    Spread,
)
from sluice.model.quality.statistics import (
    average_precision,
    brier,
    roc_auc,
    roc_auc_interval,
    wilson,
)

_FEWEST = 5  # rows: fewer could point at a person


def two_sided(level: float) -> float:
    """The confidence of an interval whose two limits are one-sided at `level`, as the gate's are:
    0.9 for 0.05.
    """
    return round(1 - 2 * level, 9)


def confusion(labels: np.ndarray, flagged: np.ndarray) -> Confusion:
    """The four counts; `labels` and `flagged` are 0/1 or boolean."""
    positive, picked = labels.astype(bool), flagged.astype(bool)
    return Confusion(
        true_positive=int((positive & picked).sum()),
        false_positive=int((~positive & picked).sum()),
        false_negative=int((positive & ~picked).sum()),
        true_negative=int((~positive & ~picked).sum()),
    )


def measure(labels: np.ndarray, scores: np.ndarray, threshold: float) -> Measures:
    """The headline metrics at a threshold.

    The areas and the Brier score are of the probabilities, and depend on no threshold.
    """
    shares = at_threshold(confusion(labels, scores >= threshold))
    return Measures(
        accuracy=shares.accuracy,
        precision=shares.precision,
        recall=shares.recall,
        f1=shares.f1,
        share_flagged=shares.share_flagged,
        roc_auc=roc_auc(labels, scores),
        average_precision=average_precision(labels, scores),
        brier=brier(labels, scores),
    )


def at_threshold(counts: Confusion) -> Shares:
    """What follows from the four counts; a share of nothing is 0."""
    hits = counts.true_positive
    errors = counts.false_positive + counts.false_negative
    return Shares(
        accuracy=_share(hits + counts.true_negative, counts.rows),
        precision=_share(hits, counts.flagged),
        recall=_share(hits, counts.positives),
        f1=_share(2 * hits, 2 * hits + errors),
        share_flagged=_share(counts.flagged, counts.rows),
    )


def _share(part: int, whole: int) -> float:
    if whole == 0:
        return 0.0
    return part / whole


def intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    level: float,
    clusters: np.ndarray | None = None,
) -> Intervals:
    """Two-sided intervals of the confidence `level`: Wilson's for shares, DeLong's for the area
    under the ROC curve. `clusters` are the groups of the rows, as numbers of shape (rows,).
    """
    flagged, positive = scores >= threshold, labels == 1
    counts = confusion(labels, flagged)
    hits, hit, every = counts.true_positive, flagged & positive, np.ones(len(labels), dtype=bool)
    return Intervals(
        level=level,
        recall=wilson(hits, counts.positives, level, of_share(hit, positive, clusters)),
        precision=wilson(hits, counts.flagged, level, of_share(hit, flagged, clusters)),
        accuracy=wilson(
            hits + counts.true_negative,
            counts.rows,
            level,
            of_share(flagged == positive, every, clusters),
        ),
        roc_auc=roc_auc_interval(labels, scores, level, clusters),
    )


def by_segment(
    labels: np.ndarray,
    flagged: np.ndarray,
    segments: Mapping[str, np.ndarray],
    level: float,
    clusters: np.ndarray | None = None,
) -> dict[str, dict[str, Group]]:
    """The counts and shares of each group, by segment and group, with intervals of this confidence.

    `flagged` is boolean, shape (rows,); `segments` has, by name, the group of every row as a text,
    shape (rows,). `clusters` are numbers, equal in rows that belong together.
    """
    measured: dict[str, dict[str, Group]] = {}
    for name, groups in segments.items():
        measured[name] = {}
        for group in np.unique(groups):
            inside = groups == group
            belonging = None if clusters is None else clusters[inside]
            measured[name][str(group)] = _group(labels[inside], flagged[inside], level, belonging)
    return measured


def group_table(
    measured: Mapping[str, Mapping[str, Group]], order: Mapping[str, Sequence[str]], least: int
) -> GroupTable:
    """The groups of each segment in this order, without what was measured of those too small.

    `order` has, by segment, the names of all groups that there may be; a group without rows is left
    out. Where both outcomes of a group are not there at least `least` times, and at least five
    times whatever is asked, its numbers would say more of single rows than of the model.
    """
    enough = max(least, _FEWEST)
    segments = []
    for segment, names in order.items():
        found = measured.get(segment, {})
        groups = [
            GroupMeasured(name, _shown(found[name], enough)) for name in names if name in found
        ]
        segments.append(Segment(segment, tuple(groups)))
    return GroupTable(enough, tuple(segments))


def _shown(group: Group, least: int) -> Group | None:
    if min(group.positives, group.rows - group.positives) < least:
        return None
    return group


def _group(
    labels: np.ndarray, flagged: np.ndarray, level: float, clusters: np.ndarray | None
) -> Group:
    counts, positive = confusion(labels, flagged), labels == 1
    shares = at_threshold(counts)
    return Group(
        rows=len(labels),
        positives=counts.positives,
        recall=shares.recall,
        precision=shares.precision,
        share_flagged=shares.share_flagged,
        recall_interval=wilson(
            counts.true_positive,
            counts.positives,
            level,
            of_share(positive & flagged, positive, clusters),
        ),
    )


def worst_group(
    segments: Mapping[str, Mapping[str, Group]], overall: float
) -> tuple[str, str, Group] | None:
    """The group that is surely found least often: segment, name, and the group.

    It is the one whose interval of recall ends lowest, so that a group of a few rows is not taken
    for it by chance. None where no interval ends below the recall of all rows, `overall`.
    """
    groups = [
        (segment, name, group)
        for segment, members in segments.items()
        for name, group in members.items()
        if group.positives and group.recall_interval[1] < overall
    ]
    return min(groups, key=lambda found: found[2].recall_interval[1], default=None)


def cross_validation(winner: Trial) -> CrossValidation:
    """Mean and spread over the folds of the winning trial."""
    return CrossValidation(roc_auc=_spread(winner.roc_auc), average_precision=_spread(winner.folds))


def _spread(folds: tuple[float, ...]) -> Spread:
    return Spread(mean=float(np.mean(folds)), std=float(np.std(folds)), folds=folds)


def summary(verdict: str, counts: Confusion, limits: Intervals) -> str:
    """One line: the verdict, recall and precision with their intervals, and of which confidence
    these are.
    """
    shares = at_threshold(counts)
    recall = _with_interval("recall", shares.recall, limits.recall)
    precision = _with_interval("precision", shares.precision, limits.precision)
    return f"{verdict}: {recall}, {precision} ({100 * limits.level:g} % intervals)"


def _with_interval(name: str, value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{name} {value:.4f} [{low:.4f}, {high:.4f}]"
