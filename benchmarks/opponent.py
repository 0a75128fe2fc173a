"""Somebody without the labels of the holdout who uses everything that is told after a look.

    python -m benchmarks.opponent            1,000 sequences of 200 looks: three minutes on one core
    python -m benchmarks.opponent --quick    100 sequences: its figures say little

The world: 2,400 rows near the cut are positives with one probability, as far as anybody without
labels can tell. They stand in pairs of which the champion flags one; a candidate flags the other
row in some of the pairs. So no candidate is truly better, and each PROMOTE is false. The first look
of the use with the number k decides at three quarters of `level / (k (k + 1))` by the exact test of
the gate. After each look the opponent is told the number of positives that the candidate finds more
than the champion: exactly, as with `told = "figures"` in the policy; in steps of recall; as the
word of the verdict (whether it may be a HOLD); or whether it is a PROMOTE and nothing else, as with
`told = "words"`. What is submitted next:

    seeds      half of the pairs changed by chance, whatever was told
    climb      the best so far, changed a little; what is told to be better is kept
    combine    three by chance, then the sum of all so far, each times what was told of it
    steer      the same from the words: positives are given up until HOLD comes every second time

With `told = "promoted"` the figures of the champion are told as well, once. So a second world has
them known before the first look: 14,900 rows whose probabilities the opponent knows as nature does,
2,400 rows at the champion's cut that share one, and 14 groups that have nothing to do with the
label. Told are sums over the champion's rows: positives, positives found, Brier score, ROC-AUC and
average precision to first order; positives and positives found of each group; a curve of a hundred
points. Of several classes the mean recall alone is told: then the rows found count differently by
which of four classes is answered. With four such means recall and precision of each class would be
known. The opponent exchanges the rows at the cut that these make less likely
positive for those that they make more likely, in four numbers, and then such rows with more and
more chance. After each look NOT PROMOTED is told.

With both, the same rules are told of the validation rows. So in either world each row of the
holdout has a twin among these: a row that every model scores alike, whose label is drawn with the
same probability, and of which figures are told. In the first world the opponent climbs and combines
by what the twins of a candidate gain. In the second it has every label of the twins, which is more
than any figure of them, and exchanges by these and the champion's figures together.

`priced` is a rule that the gate does not have: the level is divided by how surprising the words
before were, after Laplace's rule of succession, so that all that could have been told spends the
level once. Exit code 1: what is told with `told = "words"` or `told = "promoted"` lets more through
than is allowed.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from sluice.gate import spending

LOOKS, PAIRS, POSITIVES, PREVALENCE, LEVEL = 200, 1_200, 7_000, 0.476, 0.05
ALLOWED = 0.05  # the upper 95 % limit of the share of sequences with a false PROMOTE
SEEDS, CLIMB, COMBINE, STEER = "seeds", "climb", "combine", "steer"
EXACT, VERDICTS, PROMOTED = "the figures", "the verdict", "whether it is promoted"
VALIDATED = "the figures of validation"
_ALONE = 8  # looks before the first combination
_EVERY = 4  # and from then on one look in so many
_MOVES = 0.1  # of the pairs, in a step of a climb
_STEP = 25.0  # positives by which giving up is corrected at first
_OFFSET = 10.0  # positives that giving up costs more or less than expected, one standard deviation


@dataclass(frozen=True)
class Told:
    """What is told after a look: `step` is that of the recall told, 0 for the exact number."""

    name: str
    step: float = 0.0

    def of(self, gained: np.ndarray) -> np.ndarray:
        """What is told of so many positives found more than by the champion, among the rows of
        which figures are told; shape (sequences,).
        """
        if self.name == PROMOTED:
            return np.zeros(len(gained))
        if self.name == VERDICTS:
            return np.where(gained >= 0, 1.0, -1.0)
        if self.step == 0.0:
            return gained
        unit = self.step * POSITIVES
        return np.asarray(np.round(gained / unit) * unit)

    def __str__(self) -> str:
        return f"{self.name} in steps of {self.step:g}" if self.step else self.name


@dataclass(frozen=True)
class Play:
    """How it is played: what is submitted, what is told, whether words are priced."""

    attack: str
    told: Told
    priced: bool = False

    def __str__(self) -> str:
        return f"{self.attack:<8} told {self.told}{', each word priced' if self.priced else ''}"


PLAYS = (
    Play(SEEDS, Told(EXACT)),
    Play(CLIMB, Told(EXACT)),
    Play(COMBINE, Told(EXACT)),
    Play(CLIMB, Told(EXACT, 0.005)),
    Play(COMBINE, Told(EXACT, 0.005)),
    Play(COMBINE, Told(EXACT, 0.01)),
    Play(COMBINE, Told(EXACT, 0.02)),
    Play(STEER, Told(VERDICTS)),
    Play(STEER, Told(VERDICTS), priced=True),
    Play(SEEDS, Told(PROMOTED)),
    Play(CLIMB, Told(PROMOTED)),
    Play(COMBINE, Told(PROMOTED)),
    Play(CLIMB, Told(VALIDATED)),
    Play(COMBINE, Told(VALIDATED)),
)
_BOUNDED = (PROMOTED, VALIDATED)  # what may be told of every candidate


@dataclass
class Known:
    """What the opponent knows in each sequence, each with sequences as its first dimension."""

    summed: np.ndarray
    best: np.ndarray
    best_told: np.ndarray
    given_up: np.ndarray
    words: np.ndarray = field(default_factory=lambda: np.zeros(0))


def fooled(play: Play, sequences: int, seed: int = 1) -> float:
    """The share of so many sequences in which a candidate that is no better is a PROMOTE."""
    random = np.random.default_rng(seed)
    labels = random.random((2, sequences, PAIRS)) < PREVALENCE
    twins = labels
    if play.told.name == VALIDATED:
        twins = random.random(labels.shape) < PREVALENCE
    offset = random.normal(0.0, _OFFSET, sequences)
    shape = (sequences, PAIRS)
    known = Known(
        np.zeros(shape, np.float32),
        np.zeros(shape, dtype=bool),
        np.full(sequences, -np.inf),
        np.zeros(sequences),
        np.ones((sequences, 2)),
    )
    price, done = np.ones(sequences), np.zeros(sequences, dtype=bool)
    for use in range(LOOKS):
        combined = play.attack in (COMBINE, STEER) and use >= _ALONE and use % _EVERY == _EVERY - 1
        changed = _submitted(play.attack, known, random, combined=combined)
        lost, gained = ((changed & one).sum(axis=1) for one in labels)
        more = (gained - lost).astype(float)
        if combined or play.attack != STEER:
            level = spending.first_level(LEVEL, use) * (price if play.priced else 1.0)
            done |= shown(gained, lost, changed.sum(axis=1), level)
        else:
            more = more - known.given_up + offset
        if play.told.name == VALIDATED:
            more = _gained(changed, twins)
        told = play.told.of(more)
        price *= _probability(known.words, told)
        if not combined:
            _learn(play.attack, known, changed, told, use)
    return float(done.mean())


def _gained(changed: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Positives that are found more where these pairs are changed; shape (sequences,)."""
    lost, gained = ((changed & one).sum(axis=1) for one in labels)
    return np.asarray(gained - lost, dtype=float)


def _submitted(
    attack: str, known: Known, random: np.random.Generator, *, combined: bool
) -> np.ndarray:
    """The pairs in which the other row is flagged; boolean, shape (sequences, pairs)."""
    if combined:
        return np.asarray(known.summed > 0)
    noise = random.random(known.summed.shape, dtype=np.float32)
    if attack == CLIMB and np.isfinite(known.best_told).all():
        return known.best ^ (noise < _MOVES)
    return np.asarray(noise < 0.5)


def _learn(attack: str, known: Known, changed: np.ndarray, told: np.ndarray, use: int) -> None:
    if attack == CLIMB:
        better = told > known.best_told
        known.best[better] = changed[better]
        known.best_told[better] = told[better]
        return
    known.summed += told[:, None].astype(np.float32) * (changed.astype(np.float32) - 0.5)
    if attack == STEER:
        known.given_up += told * _STEP / np.sqrt(use + 1.0)


def _probability(words: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Laplace's probability of each word after those before it, which are counted in `words`."""
    word = (told > 0).astype(int)
    rows = np.arange(len(words))
    chance = words[rows, word] / words.sum(axis=1)
    words[rows, word] += 1.0
    return np.asarray(chance)


ROWS, NEAR, FLAGGED = 14_900, 1_200, 0.53
GROUPS = (2, 3, 3, 2, 4)  # how many groups each segment has
COUNTED, WHOLE, GROUPED, DRAWN = "rows and positives", "the whole", "its groups", "a curve"
TWINNED, CLASSED = "the whole, and validation", "the mean recall of four classes"
TOLD_OF_CHAMPION = (COUNTED, WHOLE, TWINNED, CLASSED, GROUPED, DRAWN)
_EXCHANGED = (900, 600, 300, 1_200)  # rows, at the first looks
_LATER = 600  # rows, at each look after these
_CHANCE = 2.0  # by which a later look differs, in standard deviations of what the figures say


def informed(told: str, sequences: int, seed: int = 1) -> float:
    """The share of so many sequences with a false PROMOTE where `told` is known of the champion."""
    random = np.random.default_rng(seed)
    scores = np.sort(1.0 / (1.0 + np.exp(0.12 - random.normal(0.0, 1.3, ROWS))))[::-1]
    cut = int(FLAGGED * ROWS)
    near = slice(cut - NEAR, cut + NEAR)
    chances = scores.copy()
    chances[near] = chances[near].mean()
    sums = np.array(list(_sums(told, scores, cut, random)))
    varied = sums * chances * (1.0 - chances)
    # What a sum more than expected adds to the chance of each row near the cut.
    learnt = (varied.T @ np.linalg.pinv(sums @ varied.T))[near]
    ends = 0
    for _ in range(sequences):
        labels = random.random(ROWS) < chances
        more = learnt @ (sums @ (labels - chances))
        if told == TWINNED:
            twins = (random.random(ROWS) < chances)[near]
            more = more + more.std() * (twins - twins.mean()) / twins.std()
        ends += _exchanges(labels[near], more, random)
    return ends / sequences


def _sums(
    told: str, scores: np.ndarray, cut: int, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """By what the labels are weighted in each sum that is told; rows from the highest score on."""
    flagged = (np.arange(ROWS) < cut).astype(float)
    yield np.ones(ROWS)
    if told == COUNTED:
        return
    if told == CLASSED:
        # Each class has a number of rows, over which its share of the mean is.
        yield flagged * random.uniform(0.5, 2.0, 4)[random.integers(0, 4, ROWS)]
        return
    ranks = np.arange(1.0, ROWS + 1.0)
    above = np.cumsum(scores) / ranks
    yield from (flagged, 1.0 - 2.0 * scores, ranks, above + np.cumsum((scores / ranks)[::-1])[::-1])
    for many in GROUPS if told == GROUPED else ():
        group = random.integers(0, many, ROWS)
        for number in range(many):
            yield from ((group == number).astype(float), (group == number) * flagged)
    for hundredth in range(100) if told == DRAWN else ():
        yield (np.arange(ROWS) * 100 // ROWS == hundredth).astype(float)


def _exchanges(labels: np.ndarray, more: np.ndarray, random: np.random.Generator) -> bool:
    """Whether one of the looks ends in a PROMOTE; `labels` and `more` of the rows near the cut."""
    for use in range(LOOKS):
        first = use < len(_EXCHANGED)
        rows = _EXCHANGED[use] if first else _LATER
        chance = 0.0 if first else _CHANCE * more.std()
        wanted = more + chance * random.random(len(more)) + 1e-9 * random.random(len(more))
        out = np.argpartition(wanted[:NEAR], rows - 1)[:rows]
        within = NEAR + np.argpartition(-wanted[NEAR:], rows - 1)[:rows]
        gained, lost = labels[within].sum(keepdims=True), labels[out].sum(keepdims=True)
        level = spending.first_level(LEVEL, use)
        if gained[0] > lost[0] and shown(gained, lost, np.array([rows]), level)[0]:
            return True
    return False


def shown(
    gained: np.ndarray, lost: np.ndarray, side: np.ndarray, level: np.ndarray | float
) -> np.ndarray:
    """Whether the exact test of the gate shows a gain at these levels; shape (sequences,)."""
    levels = np.broadcast_to(level, gained.shape)
    share = (gained + lost) / np.maximum(2.0 * side, 1.0)
    spread = np.sqrt(np.maximum(2.0 * side * share * (1.0 - share), 1e-9))
    # The exact test is slow: it is asked where the normal one is not far from the level.
    near = (gained - lost) / spread >= stats.norm.isf(levels) - 1.0
    exact = stats.hypergeom.sf(gained[near] - 1, 2 * side[near], (gained + lost)[near], side[near])
    better = np.zeros(len(gained), dtype=bool)
    better[near] = exact <= levels[near]
    return better


def upper(share: float, sequences: int) -> float:
    """The upper 95 % limit of a share (Clopper and Pearson)."""
    count = round(share * sequences)
    if count == sequences:
        return 1.0
    return float(stats.beta.isf(0.05, count + 1, sequences - count))


def measured(sequences: int) -> Iterator[tuple[Play, float, float]]:
    """Each play, the share of sequences with a false PROMOTE, and its upper limit."""
    for play in PLAYS:
        share = fooled(play, sequences)
        yield play, share, upper(share, sequences)


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each play."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.opponent", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--quick", action="store_true", help="100 sequences")
    parser.add_argument("--sequences", type=int, default=1_000)
    chosen = parser.parse_args(arguments)
    sequences, kept = 100 if chosen.quick else chosen.sequences, True
    for play, share, limit in measured(sequences):
        met = limit <= ALLOWED
        if play.told.name in _BOUNDED:
            kept = kept and met
        print(f"{play!s:<48} {share:>6.1%}, at most {limit:>6.1%}", flush=True)
    for told in TOLD_OF_CHAMPION:
        share = informed(told, sequences)
        limit = upper(share, sequences)
        if told in (WHOLE, TWINNED, CLASSED):
            kept = kept and limit <= ALLOWED
        print(f"{f'champion told {told}':<48} {share:>6.1%}, at most {limit:>6.1%}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
