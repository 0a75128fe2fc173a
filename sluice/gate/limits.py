"""A measured value against the most that may be: noise is not guilt.

Met up to the limit, broken where the whole interval lies beyond it, open where the limit is in
between: then nobody knows, and more rows would tell.
"""

import math
from dataclasses import dataclass

from sluice.gate.case import BROKEN, MET, OPEN, Rule

_FAR = 1e4  # so many times the distance, and no number of rows that anybody has tells
_NEAR = 1e-4  # so near to a limit, no number of rows that anybody has tells on which side


@dataclass(frozen=True)
class Limit:
    """A value of which at most `most` is allowed, measured on `rows` rows.

    `reach` is how far its lower limit lies below it. `broken` is the next step where it is broken.
    A value that is no number is broken.
    """

    name: str
    sentence: str
    value: float
    reach: float
    most: float
    rows: int
    broken: str

    def rule(self) -> Rule:
        """The rule, with its next step."""
        if self.value <= self.most:
            return Rule(self.name, MET, self.sentence, self.value, self.most)
        if not self.value - self.reach <= self.most:
            return Rule(self.name, BROKEN, self.sentence, self.value, self.most, self.broken)
        more = rows_to_tell(self.rows, self.reach, self.value - self.most)
        needed = f"Label {more} more rows to tell it from chance"
        return Rule(self.name, OPEN, self.sentence, self.value, self.most, needed)


def rows_to_tell(rows: int, reach: float, distance: float) -> str:
    """About how many more rows bring a limit that lies `reach` away to within `distance`.

    It falls with the root of the rows. Where the limit is nowhere, because nothing is known of the
    threshold's chance, no number tells.
    """
    times = min(reach, _FAR) / max(distance, _NEAR)
    if distance < _NEAR or times >= _FAR:
        return f"far more than {rows:,}"
    return f"{max(math.ceil(rows * times**2) - rows, 1):,}"
