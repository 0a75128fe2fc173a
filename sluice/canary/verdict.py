"""What a canary is judged on, and what is said of it, as it crosses files and the wire."""

import math
from typing import Literal

import msgspec

Word = Literal["pass", "fail", "inconclusive"]


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a share that was foretold, and how far off it may be by chance (half a width)."""

    change: float = 0.0
    margin: float = 0.0


NO_CHANGE = Change()


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the candidate is expected to say differently from the model that runs.

    Differences of shares, candidate less running: flagged, of each tier, and of the rows whose
    probability is at most 0.05, 0.10, ... 0.95 (19 entries, or none for no change). Of a number
    these are the limits that both models count by.
    """

    flagged: Change = NO_CHANGE
    tiers: dict[str, Change] = {}
    at_most: tuple[Change, ...] = ()


AS_BEFORE = Expectation()


class Measure(msgspec.Struct, frozen=True):
    """What was found of one measure.

    `canary` and `stable` are what both have, `low` and `high` the bounds of their difference, which
    hold at all looks together; None where nothing can be said. `evidence` is what the bets against
    the limit reached, `needed` what would take the canary back. Where bounds are given, it is taken
    back once the difference is surely more than `tolerated` from what is `expected`, and a step is
    passed once it is surely less than `alarming` from it. `rows` says which rows the share is of
    that passes a step.
    """

    name: str
    verdict: Word
    sentence: str
    canary: float | None = None
    stable: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: float = 1.0
    needed: float = 1.0
    expected: float | None = None
    tolerated: float | None = None
    alarming: float | None = None
    rows: str = ""


def way(measure: Measure) -> float:
    """How far the evidence is on the way to taking the canary back, from 0 to 1: in logarithms, as
    it multiplies from block to block.
    """
    if measure.verdict == "fail":
        return 1.0
    if measure.needed <= 1.0 or measure.evidence <= 1.0:
        return 0.0
    return min(math.log(measure.evidence) / math.log(measure.needed), 1.0)


class Verdict(msgspec.Struct, frozen=True):
    """The answer of a look: `more_requests` is about how many more of the canary's would tell, 0
    where the answer is there, None where no number of them would.
    """

    verdict: Word
    sentence: str
    measures: tuple[Measure, ...] = ()
    looks: int = 0
    dropped: int = 0
    canary_rows: int = 0
    stable_rows: int = 0
    more_requests: int | None = None
    start: str = ""
