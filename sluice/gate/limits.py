"""A measured value against the most, or the least, that may be: noise is not guilt.

Met up to the limit, broken where the whole interval lies beyond it, open where the limit is in
between: then nobody knows, and more rows would tell. A first release clears the least that may be
with its lower limit too, because nothing that was proved before stands behind it.
"""

import math
from dataclasses import dataclass

import numpy as np

from sluice.gate.case import BROKEN, MET, OPEN, Case, Holdout, Rule

# Of fewer rows of a class the limits that assume a normal distribution are too near each other to
# blame anybody: what lies beyond them is open then.
FEW = 50
_FAR = 1e4  # so many times the distance, and no number of rows that anybody has tells
_NEAR = 1e-4  # so near to a limit, no number of rows that anybody has tells on which side


@dataclass(frozen=True)
class Limit:
    """A value of which at most `most` is allowed, measured on `rows` rows.

    `reach` is how far its lower limit lies below it. `broken` is the next step where it is broken.
    A value that is no number is broken. `scarce` is the next step where there are so few rows of a
    class that nothing is, empty where there are enough.
    """

    name: str
    sentence: str
    value: float
    reach: float
    most: float
    rows: int
    broken: str
    scarce: str = ""

    def rule(self) -> Rule:
        """The rule, with its next step."""
        if self.value <= self.most:
            return Rule(self.name, MET, self.sentence, self.value, self.most)
        if not self.value - self.reach <= self.most:
            if self.scarce and math.isfinite(self.value):
                return Rule(self.name, OPEN, self.sentence, self.value, self.most, self.scarce)
            return Rule(self.name, BROKEN, self.sentence, self.value, self.most, self.broken)
        more = rows_to_tell(self.rows, self.reach, self.value - self.most)
        needed = f"Label {more} more rows to tell it from chance"
        return Rule(self.name, OPEN, self.sentence, self.value, self.most, needed)


@dataclass(frozen=True)
class Least:
    """A value of which at least `least` is required, measured on `rows` rows, which are called
    `called`. `low` and `high` are its limits.

    `title` begins its sentence, `by` says where the upper limit comes from, `needed` is what would
    bring the value to its floor. `scarce` is as for `Limit`.
    """

    name: str
    title: str
    value: float
    low: float
    high: float
    least: float
    rows: int
    called: str
    needed: str
    by: str = ""
    scarce: str = ""

    def rule(self, *, first: bool) -> Rule:
        """The rule, with its next step; `first`: the lower limit has to clear the floor too."""
        if not self.value >= self.least:
            return self._below()
        measured = f"{self.title} is {self.value:.4f} with a lower limit of {self.low:.4f}"
        if first and self.low < self.least:
            sentence = (
                f"{measured}; a lower limit of at least {self.least:g} is required of a first"
                " release"
            )
            more = rows_to_tell(self.rows, self.value - self.low, self.value - self.least)
            needed = f"Label {more} further {self.called}"
            return Rule(self.name, OPEN, sentence, self.value, self.least, needed)
        sentence = f"{measured}; at least {self.least:g} is required"
        return Rule(self.name, MET, sentence, self.value, self.least)

    def _below(self) -> Rule:
        sentence = (
            f"{self.title} is {self.value:.4f} with an upper limit of {self.high:.4f}{self.by}; at"
            f" least {self.least:g} is required"
        )
        if not self.high >= self.least:
            if self.scarce and math.isfinite(self.value):
                return Rule(self.name, OPEN, sentence, self.value, self.least, self.scarce)
            return Rule(self.name, BROKEN, sentence, self.value, self.least, self.needed)
        more = rows_to_tell(self.rows, self.high - self.value, self.least - self.value)
        needed = self.needed
        if self.rows:
            needed = f"{needed}, or label {more} further {self.called} to tell it from chance"
        return Rule(self.name, OPEN, sentence, self.value, self.least, needed)


def scarce(case: Case, share: float = 1.0) -> str:
    """The next step where a part of the rows has fewer than FEW of a class; empty where it has
    enough.

    `share` is how many rows the part has for each row of the holdout, whose labels are counted. Of
    rows that belong together one of each class counts.
    """
    positive = case.holdout.labels == 1
    groups = "" if case.holdout.clusters is None else ", each of another group,"
    for name, rows in ((case.words.plural, positive), ("negatives", ~positive)):
        count = _apart(case.holdout, rows) * share
        if count < FEW:
            return (
                f"Label more rows, until there are {FEW} {name}{groups} in each part; there are"
                f" {count:.0f}"
            )
    return ""


def _apart(holdout: Holdout, rows: np.ndarray) -> int:
    """How many of these rows (boolean) are there; of those that belong together one counts."""
    clusters = holdout.clusters_of(rows)
    return int(rows.sum()) if clusters is None else len(np.unique(clusters))


def rows_to_tell(rows: int, reach: float, distance: float) -> str:
    """About how many more rows bring a limit that lies `reach` away to within `distance`.

    It falls with the root of the rows. Where the limit is nowhere, because nothing is known of the
    threshold's chance, no number tells.
    """
    times = min(reach, _FAR) / max(distance, _NEAR)
    if distance < _NEAR or times >= _FAR:
        return f"far more than {rows:,}"
    return f"{max(math.ceil(rows * times**2) - rows, 1):,}"
