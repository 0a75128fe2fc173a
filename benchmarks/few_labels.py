"""How soon a fall of recall is found where a tenth of the rows has a label, and every row a score:
`python -m benchmarks.few_labels [years]`.

Beside the evidence with the scores stands the evidence from the same labels alone.
"""

import sys
from dataclasses import dataclass

import numpy as np

from sluice.monitor.day import SCORE_BINS
from sluice.monitor.falls import DAYS, fall_evidence
from sluice.monitor.powered import Scored, explained, powered_evidence
from sluice.monitor.quality import RECALL

YEARS = 1_000
POSITIVES = 300  # a week, with a label or without
SHARE = 0.1  # of the rows that have a label
LEVEL, TOLERANCE = 0.05, 0.02
_AT_ONCE = 50  # years
_MIDDLES = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
_LEVEL_OF_SCORES, _SPREAD = -0.1, 1.6  # of the logits
_WANTED = 0.75  # recall


@dataclass(frozen=True)
class World:
    """Scores in bins, how likely a positive is in each, and the bin of the threshold."""

    shares: np.ndarray
    likely: np.ndarray
    first: int

    @property
    def recall(self) -> float:
        """What a holdout would measure."""
        positives = self.shares * self.likely
        return float(positives[self.first :].sum() / positives.sum())

    @property
    def prevalence(self) -> float:
        """The share of positives."""
        return float((self.shares * self.likely).sum())


@dataclass(frozen=True)
class Delays:
    """Weeks from the fall to the alarm in each year, infinite where there is none, with the scores
    and from the labels alone; and what the scores explain.
    """

    powered: np.ndarray
    alone: np.ndarray
    explained: float


def world(useful: float = 1.0) -> World:
    """A model whose probabilities are right where `useful` is 1; at 0 they say nothing."""
    logits = np.log(_MIDDLES / (1 - _MIDDLES))
    shares = np.exp(-0.5 * ((logits - _LEVEL_OF_SCORES) / _SPREAD) ** 2)
    shares /= _MIDDLES * (1 - _MIDDLES)
    shares /= shares.sum()
    mean = float((shares * _MIDDLES).sum())
    likely = useful * _MIDDLES + (1 - useful) * mean
    from_above = np.cumsum((shares * likely)[::-1])[::-1] / (shares * likely).sum()
    return World(shares, likely, int(np.abs(from_above - _WANTED).argmin()))


def years(
    random: np.random.Generator, true: World, count: int, share: float, by: float, week: int
) -> Scored:
    """Years in which recall falls by so much at the beginning of a week, while scores stay."""
    flagged = np.arange(SCORE_BINS) >= true.first
    recall = true.recall
    fallen = true.likely * np.where(flagged, 1 - by / recall, 1 + by / (1 - recall))
    late = np.arange(DAYS)[:, None] >= 7 * week
    likely = np.where(late, np.minimum(fallen, 1.0), true.likely)
    rows = random.poisson(POSITIVES / 7 / true.prevalence * true.shares, (count, DAYS, SCORE_BINS))
    labelled = random.binomial(rows, share)
    positives = random.binomial(labelled, likely)
    found = positives[..., true.first :].sum(axis=-1)
    missed = positives[..., : true.first].sum(axis=-1)
    return Scored(found, missed, positives, labelled, rows, true.first / SCORE_BINS)


def delays(
    random: np.random.Generator,
    true: World,
    count: int,
    share: float,
    by: float,
    week: int,
    tolerance: float = TOLERANCE,
) -> Delays:
    """When a fall is found; `by` 0 is a quiet year."""
    powered, alone, told = [], [], 0.0
    limit = true.recall - tolerance
    for first in range(0, count, _AT_ONCE):
        drawn = years(random, true, min(_AT_ONCE, count - first), share, by, week)
        powered.append(_weeks(powered_evidence(drawn, limit), week))
        of_labels = fall_evidence(drawn.found, drawn.found + drawn.missed, limit)
        alone.append(_weeks(of_labels, week))
        told = explained(drawn, limit)
    return Delays(np.concatenate(powered), np.concatenate(alone), told)


def _weeks(evidence: np.ndarray, week: int) -> np.ndarray:
    alarmed = evidence >= 1 / (LEVEL * RECALL)
    first = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1.0, np.inf)
    return (first - 7 * week) / 7


def _told(weeks: np.ndarray) -> str:
    median, most = np.quantile(weeks, [0.5, 0.8], method="higher")
    return f"{median:5.1f} weeks in the median, {most:5.1f} in 80 %"


def main(count: int = YEARS) -> None:
    """Print the level in quiet years, at the very limit, and both delays."""
    random = np.random.default_rng(31)
    for useful, name in ((1.0, "scores that are right"), (0.0, "scores that say nothing")):
        true = world(useful)
        quiet = delays(random, true, count, SHARE, 0.0, 0, tolerance=0.0)
        alarms, of_labels = np.isfinite(quiet.powered).mean(), np.isfinite(quiet.alone).mean()
        print(
            f"{name}, recall {true.recall:.3f} at its limit: {count} years, alarm in {alarms:.1%}"
            f" (labels alone {of_labels:.1%}; at most {LEVEL * RECALL:.1%} is allowed)"
        )
        for by in (0.07, 0.10):
            for week in (0, 26):
                found = delays(random, true, count // 4, SHARE, by, week)
                print(
                    f"  {by:.0%} in week {week}, {POSITIVES * SHARE:.0f} labelled positives a week"
                )
                print(f"    with the scores   {_told(found.powered)}")
                print(f"    labels alone      {_told(found.alone)}")
                print(f"    the scores explain {found.explained:.0%} of the spread of the outcomes")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
