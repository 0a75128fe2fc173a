"""Limits of splits and bins in single precision, which is what the ONNX graph holds.

scikit-learn compares a float32 with a float64 limit, which lies half-way between two numbers that
it learnt from. Rounded to the nearest float32, the limit may become the very number that a row has,
and the row changes sides. Each limit is therefore moved to the next float32 on the side where no
float32 changes sides: the fitted estimator says what it said before of all float32 rows, and so
does the graph.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sluice.model.fit.training import Estimator


def settle_limits(estimator: "Estimator") -> None:
    """Move the limits of a fitted estimator; doing so again changes nothing.

    Those of a random forest are left: skl2onnx moves them by the same rule.
    """
    for part in _parts(estimator):
        if hasattr(part, "_predictors"):
            _settle_boosting(part)
        if hasattr(part, "bin_edges_"):
            _settle_bins(part)


def at_most(limits: np.ndarray) -> np.ndarray:
    """The largest float32 that is at most a limit, as float64: x <= limit says the same of it."""
    with np.errstate(over="ignore"):  # what is too large for it becomes infinite
        single = limits.astype(np.float32)
        below = np.nextafter(single, np.float32(-np.inf))
    return np.where(single > limits, below, single).astype(np.float64)


def at_least(limits: np.ndarray) -> np.ndarray:
    """The smallest float32 that is at least a limit, as float64: x >= limit says the same of it."""
    return -at_most(-limits)


def _parts(estimator: Any) -> Iterator[Any]:
    """An estimator with all that it is put together from."""
    yield estimator
    inside = dict(getattr(estimator, "named_steps", {}))
    inside |= dict(getattr(estimator, "named_transformers_", {}))
    for part in inside.values():
        yield from _parts(part)


def _settle_boosting(boosting: Any) -> None:
    """A row goes left where its value is at most the limit of the node."""
    for trees in boosting._predictors:
        for tree in trees:
            tree.nodes["num_threshold"] = at_most(tree.nodes["num_threshold"])


def _settle_bins(bins: Any) -> None:
    """A row is in the next bin where its value is at least the edge between them."""
    for place, edges in enumerate(bins.bin_edges_):
        bins.bin_edges_[place] = at_least(edges)
