"""What the errors of a model cost, in the unit of whoever states the two costs."""

from dataclasses import dataclass

import numpy as np

from sluice.policy import GatePolicy

PER = 1_000  # rows; what a single one costs is too small a number to read


@dataclass(frozen=True)
class Costs:
    """What a positive costs that is not flagged, and a row that is flagged and is none."""

    miss: float
    false_alarm: float

    def of_rows(self, labels: np.ndarray, flagged: np.ndarray) -> np.ndarray:
        """What each row costs; `labels` are 0 and 1, `flagged` boolean, all of shape (rows,)."""
        positive = labels == 1
        return self.miss * (positive & ~flagged) + self.false_alarm * (~positive & flagged)

    def saved(self, hits: np.ndarray, flagged: np.ndarray) -> np.ndarray:
        """What is saved by cuts that flag so many rows with so many hits, against flagging nobody;
        all of shape (cuts,).
        """
        return self.miss * hits - self.false_alarm * (flagged - hits)


def costs_of(gate: GatePolicy) -> Costs:
    """The costs that a policy states."""
    return Costs(gate.cost_of_a_miss, gate.cost_of_a_false_alarm)
