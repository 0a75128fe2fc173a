"""What a look at a holdout spends of the level, and what new positives give back.

All superiority tests of one holdout together err with at most the level of the policy, however
many there are: the use with the number k has `level / (k (k + 1))`, and these sum to the level.
What k uses have spent is k / (k + 1) of it. A new positive has spent nothing. The share that a
holdout has spent is a mean over its positives, so new ones give back in proportion, and the number
of its next use follows from that share. Over a time in which new positives came in, the tests
together err with at most `level * (1 + n)`, where n sums the share of new positives of each look.

A use may go on: the same model, looked at again on more labels, spends nothing new. So three
quarters of the level of a use are for its first look, by the exact test, and one quarter for all
looks after it together, by `sluice.gate.sequential`.

Looks at non-inferiority spend nothing. Those beside the anchor have a part of the level, because
they come again and again at rows that mostly stay.
"""

import math

FIRST_LOOK = 0.75  # of the level of a use
# Of the level, for one look beside the anchor. What slowly gets worse has many looks near its
# margin: with the whole level 7 of 100 pipelines fell beyond it within 400 nights, and 8 of 100
# groups of 3 % of the rows.
ANCHOR_LOOK = 0.4
_ROUNDING = 1e-3  # of a use: what sums of shares may be off
_EXACT = 1e-6  # of a positive: the same for a number of them


def share(uses: int) -> float:
    """The share of the level that the next use has, after so many `uses` (from 0)."""
    return 1.0 / ((uses + 1) * (uses + 2))


def level_of(level: float, uses: int) -> float:
    """The level of the next use, one-sided, with all its looks, after so many `uses` (from 0)."""
    return level / ((uses + 1) * (uses + 2))


def first_level(level: float, uses: int) -> float:
    """The level of the first look of the next use, after so many `uses` (from 0)."""
    return FIRST_LOOK * level_of(level, uses)


def later_level(level: float, uses: int) -> float:
    """The level of all later looks of that use together."""
    return (1.0 - FIRST_LOOK) * level_of(level, uses)


def grouped_level(level: float, uses: int, looks: int) -> float:
    """The level of a later look of that use, after so many `looks` (from 1), where rows belong
    together: groups grow from look to look, so each look has a part of its own.
    """
    return later_level(level, uses) / (looks * (looks + 1))


def anchor_level(level: float) -> float:
    """The level of one look beside the anchor, one-sided, of the whole and of a group."""
    return ANCHOR_LOOK * level


def spent_by(uses: int) -> float:
    """The share of the level that so many uses of an unchanged holdout have spent."""
    return uses / (uses + 1)


def uses_of(spent: float) -> int:
    """How many uses of an unchanged holdout would have spent this share of the level.

    Rounded up, so that a use never has more than is left. Raises ValueError for a share of 1 or
    more, or below 0.
    """
    if not 0.0 <= spent < 1.0:
        raise ValueError(f"a share of the level is {spent}; 0 to below 1 is required")
    return max(0, math.ceil(spent / (1.0 - spent) - _ROUNDING))


def positives_needed(spent: float, positives: int, uses: int, known: int) -> int:
    """How many new positives let a holdout be looked at again, at most as its use number `uses`.

    `spent` is the share that its `positives` have spent; `known` is how many of these the ledger
    counts: where it counts a sample, so many are needed that the sample has enough of them in 99 of
    100 cases.
    """
    most = spent_by(uses - 1)
    if spent <= most:
        return 0
    if most == 0.0:
        return _all_new(positives)
    grown = spent / most  # old and new positives together, in units of the old
    needed = math.ceil(positives * (grown - 1.0) - _EXACT)
    if known >= positives:
        return needed
    return max(needed, _in_sample(positives, known, 1.0 - 1.0 / grown))


def _all_new(positives: int) -> int:
    """What a limit of one use asks for: none of the old positives may be left."""
    return max(1, positives)


def _in_sample(positives: int, known: int, share_new: float) -> int:
    """New positives, so many that a sample of `known` has the share in 99 of 100 cases."""
    wanted = share_new * known + 0.5
    drawn = ((2.33 + math.sqrt(2.33**2 + 4.0 * wanted)) / 2.0) ** 2  # of a Poisson count
    part = min(drawn / known, 0.99)
    return math.ceil(positives * part / (1.0 - part))
