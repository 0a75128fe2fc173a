"""Intervals and tests, each a thin call to the established one."""

import numpy as np
from scipy import stats


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) where there is nothing to count."""
    if trials == 0:
        return 0.0, 1.0
    interval = stats.binomtest(successes, trials).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_greater(gained: int, lost: int) -> float:
    """The exact one-sided p-value that gains outnumber losses: P(X >= gained), X binomial(gained + lost, 1/2)."""
    return float(stats.binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue) if gained + lost else 1.0


def roc_auc_interval(labels: np.ndarray, scores: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """DeLong's interval of the area under the ROC curve.

    E. DeLong, D. DeLong, D. Clarke-Pearson (1988), by the midranks of X. Sun and W. Xu (2014).
    """
    positive, negative = scores[labels == 1], scores[labels == 0]
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    within = stats.rankdata(positive), stats.rankdata(negative)
    area = (ranks[:m].sum() - m * (m + 1) / 2) / (m * n)
    spread = np.var((ranks[:m] - within[0]) / n, ddof=1) / m + np.var(1 - (ranks[m:] - within[1]) / m, ddof=1) / n
    reach = stats.norm.ppf(0.5 + level / 2) * np.sqrt(spread)
    return float(max(0.0, area - reach)), float(min(1.0, area + reach))
