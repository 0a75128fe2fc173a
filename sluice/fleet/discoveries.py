"""Which of many models are better than their champions, with few false ones among them.

One model is tested at a level. Of a thousand models that are no better, so many would be called
better by chance that most of what a fleet promotes were noise. So the rate of false discoveries is
held: of what is promoted for being better, the expected share that is not is at most the level of
one look (Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, Journal of the Royal
Statistical Society B 57, 1995). Where no model is better, that is the chance that any is promoted.

The tests rest on different rows, so they are independent where rows are. Where rows of one group
are in several models, any dependence is allowed for (Y. Benjamini, D. Yekutieli, The control of the
false discovery rate in multiple testing under dependency, Annals of Statistics 29, 2001).
"""

import numpy as np


def shares(p_values: np.ndarray, level: float, *, dependent: bool = False) -> np.ndarray:
    """The share of `level` at which each test is decided, shape (tests,).

    `p_values` has one for each model that was compared, 1 where another rule stands in its way, so
    that it cannot be a discovery. A test is a discovery exactly where its p-value is at most its
    share of the level. Without a discovery each has the share of the first: 1 / tests.
    """
    tests = len(p_values)
    if tests == 0:
        return np.zeros(0)
    toll = float((1.0 / np.arange(1, tests + 1)).sum()) if dependent else 1.0
    steps = np.arange(1, tests + 1) / (tests * toll)
    found = np.flatnonzero(np.sort(p_values) <= steps * level)
    rank = int(found[-1]) if len(found) else 0
    return np.full(tests, steps[rank])
