"""The rules on stability: cross-validation, validation and holdout have about the same ROC-AUC.

Each part has rows of its own, so that the variance of a difference is the sum of two. That of an
area on the holdout is DeLong's; with other rows of the same kind it is in proportion to their
number. The mean of the folds has the variance that the folds themselves show.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import scipy  # its parts are loaded at their first use

from sluice.gate.case import Case, Rule, number_at
from sluice.gate.limits import Limit, scarce
from sluice.model.quality.statistics import roc_auc, roc_auc_variance


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve with its variance; `part` is what its rows are called, of which
    there are `share` for each row of the holdout.
    """

    part: str
    value: float
    variance: float
    share: float = 1.0


def stability(case: Case) -> Iterator[Rule]:
    """Cross-validation, validation and holdout agree, and the folds among each other."""
    holdout = case.holdout
    scores = holdout.candidate.scores
    variance = roc_auc_variance(holdout.labels, scores, holdout.clusters)
    area = Area(f"on {holdout.part}", roc_auc(holdout.labels, scores), variance)
    for_one_row = variance * len(holdout.labels)
    folds = Area(
        "in cross-validation",
        number_at(case.metrics, "cross_validation", "roc_auc", "mean"),
        _variance_of_folds(case),
        _share_of_a_fold(case),
    )
    yield _agree("stable_cross_validation", case, folds, area)
    validation = Area(
        "in validation",
        number_at(case.metrics, "validation", "roc_auc"),
        _for(for_one_row, number_at(case.metrics, "rows", "validation")),
        _rows_for_each(case, number_at(case.metrics, "rows", "validation")),
    )
    yield _agree("stable_validation", case, validation, area)
    yield _folds(case, for_one_row)


def _variance_of_folds(case: Case) -> float:
    """The variance of the mean of the folds; none where it is not known how many there were."""
    spread, count = _spread(case), _count(case)
    if count < 2 or not math.isfinite(spread):
        return 0.0
    return spread**2 / (count - 1)


def _share_of_a_fold(case: Case) -> float:
    return _rows_for_each(case, number_at(case.metrics, "rows", "train") / max(_count(case), 1))


def _rows_for_each(case: Case, rows: float) -> float:
    """How many rows a part has for each of the holdout; 1 where their number is not known."""
    return rows / len(case.holdout.labels) if rows >= 1 else 1.0


def _spread(case: Case) -> float:
    return number_at(case.metrics, "cross_validation", "roc_auc", "std")


def _count(case: Case) -> int:
    """How many folds metrics.json lists."""
    listed: object = case.metrics
    for name in ("cross_validation", "roc_auc", "folds"):
        listed = listed.get(name) if isinstance(listed, Mapping) else None
    return len(listed) if isinstance(listed, Sequence) and not isinstance(listed, str) else 0


def _for(for_one_row: float, rows: float) -> float:
    """The variance on so many rows; none where their number is not known."""
    return for_one_row / rows if rows >= 1 else 0.0


def _agree(name: str, case: Case, one: Area, other: Area) -> Rule:
    gap, most = abs(one.value - other.value), case.policy.stability_ceiling
    reach = _quantile(case) * math.sqrt(one.variance + other.variance)
    sentence = (
        f"ROC-AUC is {one.value:.4f} {one.part} and {other.value:.4f} {other.part}, a difference of"
        f" {gap:.4f} with a lower limit of {max(gap - reach, 0.0):.4f}; at most {most:g} is allowed"
    )
    broken, few = f"Bring them {gap - most:.4f} nearer", scarce(case, min(one.share, other.share))
    return Limit(name, sentence, gap, reach, most, len(case.holdout.labels), broken, few).rule()


def _folds(case: Case, for_one_row: float) -> Rule:
    """The folds differ by no more than their few rows make them differ.

    The sum of k squared distances from their mean, over their variance, is chi-squared with k - 1
    degrees of freedom; what rows of their number bring with them is taken off.
    """
    spread, count, most = _spread(case), _count(case), case.policy.stability_ceiling
    rows = number_at(case.metrics, "rows", "train")
    by_chance = _for(for_one_row, rows / max(count, 1))
    beyond = _root(spread**2 - by_chance)
    low = spread
    if count >= 2:
        tail = scipy.stats.chi2.isf(case.policy.level, count - 1)
        low = _root(count * spread**2 / tail - by_chance)
    sentence = (
        f"ROC-AUC has a standard deviation of {spread:.4f} across folds, {beyond:.4f} beyond"
        f" chance with a lower limit of {low:.4f}; at most {most:g} is allowed"
    )
    broken = f"Lower it by {beyond - most:.4f}"
    training = int(rows) if rows >= 1 else 0
    few = scarce(case, _share_of_a_fold(case))
    return Limit("stable_folds", sentence, beyond, beyond - low, most, training, broken, few).rule()


def _root(square: float) -> float:
    """The root; 0 of what is below 0, and no number of what is none."""
    return math.sqrt(square) if not square <= 0 else 0.0


def _quantile(case: Case) -> float:
    return float(scipy.stats.norm.isf(case.policy.level))
