"""The best that a single column can do at answering with a number: the mean of the training rows
with its value, or in its bin; as for one class in `sluice.model.quality.one_column`.
"""

import numpy as np

from sluice.model.number.skill import skill_of
from sluice.model.quality.one_column import rates_beside
from sluice.served.contract import Contract
from sluice.served.encoding import Columns


def best(
    contract: Contract, train: Columns, labels: np.ndarray, holdout: Columns
) -> tuple[str, np.ndarray]:
    """Published name and holdout answers, shape (rows,), of the feature with the highest skill on
    the rows of `train`, whose numbers are `labels`.
    """
    middle = float(np.median(labels))
    found = []
    for column in contract.features:
        learnt, judged = rates_beside(column, train[column.key], labels, holdout[column.key])
        found.append((skill_of(labels, learnt, middle), column.name, judged))
    _, name, answers = max(found, key=lambda entry: (entry[0], entry[1]))
    return name, answers
