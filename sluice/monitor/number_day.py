"""The outcomes of a day of a model that answers with a number, in counts and sums.

An outcome beyond the plausible range is counted as its nearer end, because the model can say no
more: what was promised was measured on rows within. Whether an answer is near enough is asked of
the outcome as it is.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from sluice.served.quantity import Quantity


class GroupOff(Struct, frozen=True):
    """A group of a segment: its rows, what answers are off by in all of them, and the squares."""

    rows: int = 0
    off: float = 0.0
    squares: float = 0.0


class NumberOutcomes(Struct, frozen=True, kw_only=True):
    """Sums over the rows of a day that have a label.

    `near` are no further off than the band. `off` is what answers are off by, `nothing` the same of
    the median of the training rows, `product` of both; `bias` is answer less outcome. `above` and
    `below` are outcomes on either side of that median, `beyond` those outside of the range.
    `groups` are by segment and name.
    """

    rows: int = 0
    near: int = 0
    off: float = 0.0
    squares: float = 0.0
    nothing: float = 0.0
    nothing_squares: float = 0.0
    product: float = 0.0
    bias: float = 0.0
    above: int = 0
    below: int = 0
    beyond: int = 0
    groups: dict[str, dict[str, GroupOff]] = {}


@dataclass(frozen=True)
class Measure:
    """By what a release was measured: range, median of its training rows, and band, in one unit."""

    quantity: Quantity
    middle: float
    band: float

    @property
    def reach(self) -> float:
        """As far as the median can be off in the range."""
        return max(self.quantity.high - self.middle, self.middle - self.quantity.low)


class NumberTally:
    """Counts the labelled rows of one day, block by block."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()
        self._groups: dict[str, dict[str, GroupOff]] = {}

    def add(
        self, answers: np.ndarray, outcomes: np.ndarray, groups: Mapping[str, np.ndarray]
    ) -> None:
        """Count rows, each with its answer and outcome, shape (rows,), and by segment the name of
        its group.
        """
        measure = self._measure
        held = np.clip(outcomes, measure.quantity.low, measure.quantity.high)
        off, nothing = np.abs(answers - held), np.abs(held - measure.middle)
        for name, values in (
            ("off", off),
            ("squares", off**2),
            ("nothing", nothing),
            ("nothing_squares", nothing**2),
            ("product", off * nothing),
            ("bias", answers - held),
        ):
            self._sums[name] += float(values.sum())
        for name, chosen in (
            ("rows", np.ones(len(off), dtype=bool)),
            ("near", np.abs(answers - outcomes) <= measure.band),
            ("above", outcomes > measure.middle),
            ("below", outcomes < measure.middle),
            ("beyond", outcomes != held),
        ):
            self._counts[name] += int(chosen.sum())
        for segment, names in groups.items():
            self._add_groups(segment, names, off)

    def _add_groups(self, segment: str, names: np.ndarray, off: np.ndarray) -> None:
        known = self._groups.setdefault(segment, {})
        for name in np.unique(names):
            inside, before = off[names == name], known.get(str(name), GroupOff())
            known[str(name)] = GroupOff(
                before.rows + len(inside),
                before.off + float(inside.sum()),
                before.squares + float((inside**2).sum()),
            )

    def done(self) -> NumberOutcomes:
        """What was counted."""
        groups = {name: dict(sorted(found.items())) for name, found in self._groups.items()}
        counts, sums = self._counts, self._sums
        return NumberOutcomes(
            rows=counts["rows"],
            near=counts["near"],
            off=sums["off"],
            squares=sums["squares"],
            nothing=sums["nothing"],
            nothing_squares=sums["nothing_squares"],
            product=sums["product"],
            bias=sums["bias"],
            above=counts["above"],
            below=counts["below"],
            beyond=counts["beyond"],
            groups=groups,
        )
