"""A number as target: in which range an answer is plausible, and how it is written.

Served with the model, so it imports numpy and the standard library alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.errors import UsageError
from sluice.served.contract_fields import Table, fail

TABLE, BINS = "number", "bins"  # where they are in the policy that travels with a model
MOST_BINS = 10  # of the histogram of answers
_MOST_DECIMALS = 6
_SHARE = 1e-6  # of the range: how far two answers of one model may lie apart anywhere
_ROUNDING = 2.0**-22  # of a number, relative: what 32-bit floats leave of it


@dataclass(frozen=True)
class Quantity:
    """The range in which an answer is plausible, in `unit`; None where it has none.

    Every answer of a model lies in it: what the model says beyond is taken as the nearer limit.
    `decimals` are the digits after the point that people are shown.
    """

    unit: str | None
    low: float
    high: float
    decimals: int

    @property
    def spread(self) -> float:
        """How wide the range is, in its unit."""
        return self.high - self.low

    @property
    def tolerance(self) -> float:
        """How far two answers of one model to one row may lie apart, in the unit: a millionth of
        the range, or what 32-bit floats leave of its largest number.
        """
        return max(_SHARE * self.spread, _ROUNDING * max(abs(self.low), abs(self.high)))

    def shares(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers as shares of the range, which is what a model learns."""
        return np.asarray((numbers - self.low) / self.spread)

    def written(self, number: float) -> str:
        """A number with its unit, as people read it."""
        text = f"{number:,.{self.decimals}f}"
        return f"{text} {self.unit}" if self.unit else text


def read_decimals(source: str, place: str, spec: Table, *, whole: bool) -> int:
    """The digits after the point, of the table of the target; none of whole numbers and two of
    others where it does not say. Raises UsageError where it is no such count.
    """
    decimals = spec.get("decimals", 0 if whole else 2)
    if type(decimals) is not int or not 0 <= decimals <= _MOST_DECIMALS:
        fix = f"It takes a whole number from 0 to {_MOST_DECIMALS}."
        raise fail(source, place, "decimals", f"is {decimals!r}", fix)
    return decimals


def bins_of(answers: np.ndarray) -> tuple[float, ...]:
    """The inner limits of a histogram of answers, shape (rows,): their deciles, ascending, each
    once, so that there may be fewer than nine. Equal answers have none below or above them, and
    then the answer itself is the one limit.
    """
    cuts = np.quantile(answers, np.arange(1, MOST_BINS) / MOST_BINS)
    return tuple(float(cut) for cut in np.unique(cuts))


def binned(answers: np.ndarray, bins: Sequence[float]) -> np.ndarray:
    """The bin of each answer, from 0 on; a limit belongs to the bin above it. Shape (rows,)."""
    return np.asarray(np.searchsorted(np.asarray(bins), answers, side="right"))


def bins_in(policy: Mapping[str, object], source: str) -> tuple[float, ...]:
    """The bins in the policy of a model artifact.

    Raises UsageError where there are none, or they are no ascending numbers.
    """
    table = policy.get(TABLE)
    bins = table.get(BINS) if isinstance(table, Mapping) else None
    if not isinstance(bins, list) or not bins or len(bins) >= MOST_BINS:
        what = f"{source}: [{TABLE}] {BINS} is {str(bins)[:80]}"
        raise UsageError(what, f"A model artifact carries one to {MOST_BINS - 1} of its own.")
    if not all(type(limit) is float and np.isfinite(limit) for limit in bins) or bins != sorted(
        set(bins)
    ):
        raise UsageError(f"{source}: [{TABLE}] {BINS} is {bins}", "They are ascending numbers.")
    return tuple(bins)
