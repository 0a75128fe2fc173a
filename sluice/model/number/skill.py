"""How much nearer answers are than those of a model that knows nothing: 1 less the mean absolute
error over that of the median of the rows learnt from.
"""

import numpy as np


def skill_of(labels: np.ndarray, answers: np.ndarray, naive: float) -> float:
    """The skill of answers, shape (rows,), at labels of the same shape; `naive` is the median.

    Where the median is right for every row there is nothing to be better at, and the skill is 0.
    """
    nothing = float(np.abs(labels - naive).mean())
    return 1.0 - float(np.abs(labels - answers).mean()) / nothing if nothing else 0.0
