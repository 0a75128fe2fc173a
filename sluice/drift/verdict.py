"""Have data drifted from a reference? Distances of columns in, a verdict with its sentence out.

The distance is the population stability index (PSI) of one column: the sum over its bins of
(p - q) * ln(p / q), with p and q the shares of the rows in a bin now and in the reference. It is 0
for equal shares, has no unit and no upper end. The usual reading, from credit scoring (N. Siddiqi,
Credit Risk Scorecards, Wiley 2006): below 0.1 no change to speak of, from 0.1 to 0.25 a small
change, above 0.25 a large one. It is an effect size and no p-value, so it does not grow with the
number of rows. Drift informs; it decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.policy import DriftPolicy

NONE, SOME, STRONG = "none", "some", "strong"
_NAMED = 3  # columns that the sentence names


@dataclass(frozen=True)
class Distance:
    """How far one column is from the reference: its published name, its kind, its PSI."""

    column: str
    kind: str
    distance: float


@dataclass(frozen=True)
class Verdict:
    """`verdict` is "none", "some" or "strong"; `share` is that of the columns that drifted.

    `drifted` and `steady` hold all columns between them, the largest distance first. The share has
    four digits.
    """

    verdict: str
    share: float
    drifted: tuple[Distance, ...]
    steady: tuple[Distance, ...]
    sentence: str


def judge(distances: Sequence[Distance], policy: DriftPolicy) -> Verdict:
    """The verdict on the distances of all columns that were measured.

    A column has drifted from `policy.drifted` on. The drift is strong where one column is at
    `policy.strong` or above, or at least `policy.strong_share` of the columns have drifted. Without
    columns there is no drift.
    """
    ordered = sorted(distances, key=lambda column: -column.distance)
    drifted = tuple(column for column in ordered if column.distance >= policy.drifted)
    steady = tuple(column for column in ordered if column.distance < policy.drifted)
    share = len(drifted) / max(len(ordered), 1)
    verdict = _strength(drifted, share, policy)
    sentence = _sentence(verdict, drifted, len(ordered), policy)
    return Verdict(verdict, round(share, 4), drifted, steady, sentence)


def _strength(drifted: Sequence[Distance], share: float, policy: DriftPolicy) -> str:
    if not drifted:
        return NONE
    if share >= policy.strong_share or drifted[0].distance >= policy.strong:
        return STRONG
    return SOME


def _sentence(verdict: str, drifted: Sequence[Distance], columns: int, policy: DriftPolicy) -> str:
    if not drifted:
        return f"None of {columns} columns has drifted (PSI below {policy.drifted:g} in each)."
    named = [f"{column.column} (PSI {column.distance:.2f})" for column in drifted[:_NAMED]]
    text = ", ".join(named)
    if len(drifted) > _NAMED:
        text += f" and {len(drifted) - _NAMED} more"
    verb = "has" if len(drifted) == 1 else "have"
    return f"{len(drifted)} of {columns} columns {verb} drifted ({verdict}): {text}."
