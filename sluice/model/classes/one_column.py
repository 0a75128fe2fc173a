"""The best that a single column can do at telling several classes apart: as for one class in
`sluice.model.quality.one_column`, with a share for each class.
"""

import numpy as np

from sluice.model.classes.ranking import ranked
from sluice.model.quality.one_column import rates_beside
from sluice.served.contract import Contract
from sluice.served.encoding import Columns


def best(
    contract: Contract, train: Columns, labels: np.ndarray, holdout: Columns
) -> tuple[str, np.ndarray]:
    """Published name and holdout probabilities, shape (rows, classes), of the best feature.

    `labels` are the places of the classes of `train`, whose rows the best feature ranks best.
    """
    classes = range(len(contract.target.classes))
    found = []
    for column in contract.features:
        learnt, judged = zip(
            *(
                rates_beside(
                    column,
                    train[column.key],
                    (labels == place).astype(np.int8),
                    holdout[column.key],
                )
                for place in classes
            ),
            strict=True,
        )
        _, area = ranked(labels, np.column_stack(learnt))
        found.append((area, column.name, np.column_stack(judged)))
    _, name, probabilities = max(found, key=lambda entry: (entry[0], entry[1]))
    return name, probabilities
