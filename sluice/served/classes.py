"""One class of several: which is answered, by the probability of each.

The class with the largest product of probability and weight is the answer; of equal ones the first
of the contract. Without weights it is the most probable one. Served with the model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.served.scoring import Session

TABLE = "classes"  # of a policy


def chosen(probabilities: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """The place of the class that is answered for each row, shape (rows,).

    `probabilities` has the shape (rows, classes), `weights` one number for each class.
    """
    return np.asarray(np.argmax(probabilities * np.asarray(weights), axis=1))


@dataclass(frozen=True)
class OneAgainstRest:
    """A model of several classes as one of a single class: what runs it gives the probability of
    the class at `place`, and that of all others before it.
    """

    session: "Session"
    place: int

    def run(
        self, output_names: list[str], input_feed: Mapping[str, np.ndarray]
    ) -> Sequence[np.ndarray]:
        """Both probabilities, shape (rows, 2)."""
        own = np.asarray(self.session.run(output_names, input_feed)[0])[:, self.place]
        return [np.column_stack([1.0 - own, own])]


def weights_of(
    policy: Mapping[str, object], classes: Sequence[str], source: str
) -> tuple[float, ...]:
    """The weight of each class from the tables of a policy; 1 for those that it does not name.

    Raises UsageError for a class that is none, and for a weight that is no number above 0.
    """
    table = policy.get(TABLE, {})
    named = table.get("weights", {}) if isinstance(table, Mapping) else {}
    if not isinstance(named, Mapping):
        raise UsageError(f"{source}: [classes.weights] is {named!r}", "Write it as a table.")
    require_known(named, classes, f"{source}: [classes.weights]")
    for name, weight in named.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not _sound(weight):
            what = f"{source}: [classes.weights] {name!r} is {weight!r}"
            raise UsageError(what, "It is a number above 0; 1 leaves the probability as it is.")
    return tuple(float(named.get(name, 1.0)) for name in classes)


def require_known(named: Mapping[str, object], classes: Sequence[str], what: str) -> None:
    """Raise UsageError where a table names what is no class."""
    unknown = [name for name in named if name not in classes]
    if unknown:
        raise UsageError(f"{what} names {unknown[0]!r}", f"The classes are {', '.join(classes)}.")


def _sound(weight: float) -> bool:
    return math.isfinite(weight) and weight > 0
