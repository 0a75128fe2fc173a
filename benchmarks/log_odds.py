"""A world of log-odds, for experiments that need tens of thousands of models.

The true log-odds of a row are normal. A model sees them with an error: a part that all models of a
recipe share, a part that rot makes, and a part of its own, which is new in each retrain. Rows
belong to groups, and a model may see the rows of one group too low. So the true recall of every
model is known, of the whole and of each group, where any share of the rows is flagged.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import optimize, special, stats

from benchmarks.world import Rows
from sluice.gate.case import Model
from sluice.model.quality.operating_point import choose_threshold
from sluice.model.quality.statistics import roc_auc

PRECISION = 0.685  # of the operating point: the floor of the policy and its slack
VALIDATION = 14_900
MEAN, SPREAD = -0.17, 1.75  # of the true log-odds: a prevalence of 0.47
SHARED, OWN = 0.85, 0.1  # errors: recall is 0.76, and two retrains differ in 3 % of the positives
GROUPS: Mapping[str, tuple[float, ...]] = {
    "team": (0.20, 0.20, 0.20, 0.15, 0.10, 0.07, 0.05, 0.03),
    "site": (0.50, 0.35, 0.15),
}
_GRID = np.linspace(-7.0, 7.0, 1_401)
_WEIGHTS = stats.norm.pdf(_GRID) / stats.norm.pdf(_GRID).sum()
_CHANCES = special.expit(MEAN + SPREAD * _GRID)


@dataclass(frozen=True)
class Recipe:
    """What a model is truly like: the standard deviation of its error, of which `rot` is the part
    that rot makes, and how much too low, in log-odds, it sees the rows of the `team` named.
    """

    rot: float = 0.0
    shared: float = SHARED
    team: int = -1
    low: float = 0.0

    @property
    def error(self) -> float:
        """The standard deviation of the whole error."""
        return float(np.sqrt(self.shared**2 + self.rot**2 + OWN**2))

    def recall(self, flagged: float, team: int | None = None) -> float:
        """The true recall, of the whole or of one team, where this share of all rows is flagged."""
        cut = self.cut(flagged)
        if team is None:
            return _found(self.error, [(share, cut + low) for share, low in self._parts()])
        return _found(self.error, [(1.0, cut + (self.low if team == self.team else 0.0))])

    def cut(self, flagged: float) -> float:
        """The log-odds from which on this share of all rows is flagged."""

        def more(cut: float) -> float:
            return sum(s * _above(self.error, cut + low) for s, low in self._parts()) - flagged

        return float(optimize.brentq(more, -9.0, 9.0, xtol=1e-7))

    def _parts(self) -> list[tuple[float, float]]:
        if self.team < 0 or not self.low:
            return [(1.0, 0.0)]
        share = GROUPS["team"][self.team]
        return [(1.0 - share, 0.0), (share, self.low)]


def _above(error: float, cut: float) -> float:
    return 0.5 * math.erfc((cut - MEAN) / math.hypot(SPREAD, error) / math.sqrt(2.0))


def _found(error: float, parts: list[tuple[float, float]]) -> float:
    """The share of the positives above the cut, summed over parts of the rows."""
    found = sum(
        share * (_WEIGHTS * _CHANCES * special.ndtr((MEAN + SPREAD * _GRID - cut) / error)).sum()
        for share, cut in parts
    )
    return float(found / (_WEIGHTS * _CHANCES).sum())


@dataclass(frozen=True)
class Seen:
    """A model on all rows that a holdout will ever have: its log-odds, and whether it flags them as
    shipped; both of shape (rows,). Rows that come later have theirs already.
    """

    recipe: Recipe
    log_odds: np.ndarray = field(repr=False)
    flagged: np.ndarray = field(repr=False)
    threshold: float
    validation: float

    def on(self, count: int, tag: str) -> Model:
        """What the gate wants of it on the first rows."""
        scores = probabilities(self.recipe, self.log_odds[:count])
        return Model(tag, self.threshold, scores)


@dataclass(frozen=True)
class Archive:
    """Rows of a holdout in the order in which they come, and what every model sees of them."""

    rows: Rows
    true: np.ndarray = field(repr=False)
    shared: np.ndarray = field(repr=False)
    rot: np.ndarray = field(repr=False)

    def first(self, count: int) -> Rows:
        """The rows that are there when so many have come."""
        rows = self.rows
        groups = {name: values[:count] for name, values in rows.segments.items()}
        return Rows(
            rows.design, rows.labels[:count], rows.chances[:count], rows.hashes[:count], groups
        )

    def log_odds(self, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
        """What a retrain by this recipe sees, with an error of its own; shape (rows,)."""
        own = OWN * random.standard_normal(len(self.true), dtype=np.float32)
        seen = self.true + recipe.shared * self.shared + recipe.rot * self.rot + own
        if recipe.low:
            seen[self.rows.segments["team"] == recipe.team] -= recipe.low
        return np.asarray(seen)


def archive(rows: int, random: np.random.Generator) -> Archive:
    """Fresh rows."""
    true = (MEAN + SPREAD * random.standard_normal(rows)).astype(np.float32)
    labels = (random.random(rows) < special.expit(true)).astype(np.int64)
    groups = {name: random.choice(len(shares), rows, p=shares) for name, shares in GROUPS.items()}
    hashes = random.integers(0, 2**63, rows).astype(np.uint64)
    drawn = Rows(np.empty((0, 0)), labels, special.expit(true), hashes, groups)
    shared = random.standard_normal(rows, dtype=np.float32)
    return Archive(drawn, true, shared, random.standard_normal(rows, dtype=np.float32))


def probabilities(recipe: Recipe, log_odds: np.ndarray) -> np.ndarray:
    """Calibrated probabilities: what the true chances are in the mean, given what is seen."""
    kept = SPREAD**2 / (SPREAD**2 + recipe.error**2)
    unsure = kept * recipe.error**2
    middle = MEAN + kept * (log_odds.astype(np.float64) - MEAN)
    return np.asarray(special.expit(middle / np.sqrt(1.0 + np.pi * unsure / 8.0)))


def trained(recipe: Recipe, log_odds: np.ndarray, random: np.random.Generator) -> Seen:
    """The model with its threshold, chosen on fresh validation rows as a training does."""
    rows = archive(VALIDATION, random)
    scores = probabilities(recipe, rows.log_odds(recipe, random))
    threshold = choose_threshold(rows.rows.labels, scores, PRECISION)
    flagged = probabilities(recipe, log_odds) >= threshold
    return Seen(recipe, log_odds, flagged, threshold, roc_auc(rows.rows.labels, scores))


@cache
def flagged() -> float:
    """The share of the rows that a model without rot flags at the precision wanted."""
    recipe = Recipe()
    prevalence = float((_WEIGHTS * _CHANCES).sum())

    def more(share: float) -> float:
        return recipe.recall(share) * prevalence / share - PRECISION

    return float(optimize.brentq(more, 0.3, 0.9))


def _solved(gap: Callable[[float], float], most: float) -> float:
    return float(optimize.brentq(gap, 0.0, most, xtol=1e-6))


@cache
def rotted(loss: float) -> Recipe:
    """The recipe whose true recall is so much lower, by rot."""
    share = flagged()
    wanted = Recipe().recall(share) - loss
    return Recipe(rot=_solved(lambda rot: Recipe(rot=rot).recall(share) - wanted, 4.0))


@cache
def improved(gain: float) -> Recipe:
    """The recipe whose true recall is so much higher, because it shares less of the error."""
    share = flagged()
    wanted = Recipe().recall(share) + gain

    def gap(less: float) -> float:
        return Recipe(shared=SHARED - less).recall(share) - wanted

    return Recipe(shared=SHARED - _solved(gap, SHARED))


@cache
def lowered(team: int, loss: float) -> Recipe:
    """The recipe that finds so much less of one team, and is as good as before elsewhere."""
    share = flagged()
    wanted = Recipe().recall(share, team) - loss

    def gap(low: float) -> float:
        return Recipe(team=team, low=low).recall(share, team) - wanted

    return Recipe(team=team, low=_solved(gap, 6.0))
