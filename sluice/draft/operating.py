"""Which share of the rows is flagged, as a person says it: by a line of the table or by costs."""

import re
from collections.abc import Sequence

import numpy as np

from sluice.draft.limits import Judged, Shown
from sluice.errors import UsageError

LEAST, MOST = 0.01, 0.9  # of the rows; the policy that is drafted allows no more
_COSTS = re.compile(r"([0-9]*\.?[0-9]+):([0-9]*\.?[0-9]+)")


def share_of_costs(costs: str, judged: Judged) -> float:
    """The share of the rows flagged at which misses and false alarms cost least.

    `costs` are those of one of each, such as 5:1. Raises UsageError for what is no such pair.
    """
    found = _COSTS.fullmatch(costs.strip())
    miss, alarm = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (miss > 0 and alarm > 0):
        what = f"the costs are {costs!r}; those of a miss and of a false alarm are required"
        raise UsageError(what, "Write 5:1 where a miss costs five times as much.")
    labels = judged.labels[np.argsort(-judged.scores, kind="stable")]
    found_so_far = np.cumsum(labels)
    flagged = np.arange(1, len(labels) + 1)
    cost = miss * (found_so_far[-1] - found_so_far) + alarm * (flagged - found_so_far)
    return float(min(max(flagged[int(np.argmin(cost))] / len(labels), LEAST), MOST))


def share_of_answer(answer: str, points: Sequence[Shown], judged: Judged) -> float:
    """The share of the rows that an answer means: the number of a line of the table, from 1, or
    costs; 0 for no answer, which is the point of the best F1. Raises UsageError for anything else.
    """
    answer = answer.strip()
    if not answer:
        return 0.0
    if ":" in answer:
        return share_of_costs(answer, judged)
    if answer.isdecimal() and 1 <= int(answer) <= len(points):
        return points[int(answer) - 1].flagged
    what = f"the answer is {answer!r}; a line from 1 to {len(points)}, or costs, is required"
    raise UsageError(what, "Write 2, or 5:1, or press Enter for the best F1.")
