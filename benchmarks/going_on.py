"""Uses that go on though neither model is better: how often any of their looks says that one is.

Rows are drawn with a label and two scores, and both models are cut at equal counts at each look, so
that the cut of the candidate moves as it does in a release.

    python -m benchmarks.going_on
"""

import math

import numpy as np
from scipy import special

from sluice.gate import spending
from sluice.gate.paired import Pairs, better
from sluice.gate.sequential import log_e_value

LEVEL, GAIN, LOOKS = 0.05, 0.01, 20  # later looks; the margin of the shipped policy
DRAWS = 2_000
_NOISE = 0.16  # of each score: the two models differ on 7 % of the positives


def shown(random: np.random.Generator, sizes: np.ndarray, uses: int) -> bool:
    """Whether a use ends with "better" at any of its looks, which have so many rows each."""
    truth = random.standard_normal(sizes[-1])
    labels = random.random(len(truth)) < special.expit(1.5 * truth)
    champion, candidate = truth + _NOISE * random.standard_normal((2, len(truth)))
    for look, size in enumerate(sizes):
        pairs = _table(labels[:size], candidate[:size], champion[:size])
        if pairs.gained - pairs.lost <= 1.2 * math.sqrt(pairs.gained + pairs.lost):
            continue  # far from every level here
        if look == 0 and better(pairs) <= spending.first_level(LEVEL, uses):
            return True
        if look and log_e_value(pairs, GAIN) >= -math.log(spending.later_level(LEVEL, uses)):
            return True
    return False


def _table(labels: np.ndarray, candidate: np.ndarray, champion: np.ndarray) -> Pairs:
    """Both cut at the number of rows that the champion flags at its own threshold, which is 0."""
    theirs = champion >= 0.0
    cut = len(theirs) - int(theirs.sum())
    mine = candidate >= np.partition(candidate, cut)[cut]
    alone, left = mine & ~theirs, theirs & ~mine
    return Pairs(
        int(labels[alone].sum()), int(labels[left].sum()), int(labels.sum()), int(alone.sum())
    )


def main(draws: int = DRAWS) -> None:
    """Print a line for each number of rows at the first look and each use."""
    print(f"{'rows, first look':>18}{'last look':>11}{'use':>5}{'its level':>11}{'better':>9}")
    for first, last in ((200, 2_000), (1_000, 12_000)):
        for uses in (0, 3):
            random = np.random.default_rng([first, uses])
            sizes = np.linspace(first, last, LOOKS + 1).astype(int)
            found = sum(shown(random, sizes, uses) for _ in range(draws)) / draws
            level = spending.level_of(LEVEL, uses)
            print(f"{first:>18,}{last:>11,}{uses + 1:>5}{level:>11.4f}{found:>9.4f}", flush=True)


if __name__ == "__main__":
    main()
