"""Rows that belong together: how much wider a limit is because rows of one group are alike.

A group of the contract (role group) is a cluster: its rows are alike, other groups are independent
of it. An estimate moves with its rows, to first order, by a sum of one number for each row. Its
variance is the sum of the squares of what each cluster moves it by; counted by rows it would be the
sum of the squares of what each row does. Their ratio is the design effect (L. Kish, Survey
Sampling, 1965). docs/statistics.md says how it enters each test.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy  # its parts are loaded at their first use

_FEWEST = 2.0  # clusters of equal weight: from fewer no variance can be told
_UNSEEN = 10  # clusters that are taken to be alike, beside those that were seen
_LARGEST = 0.99  # the share of the rows that one cluster is taken to have at most


@dataclass(frozen=True)
class Design:
    """By how much clusters widen a variance, and how surely that is known.

    `factor` is at least 1: rows of one cluster that differ from each other narrow no limit.
    `freedom` are the degrees of freedom of Student's distribution, endless where rows are
    independent.
    """

    factor: float = 1.0
    freedom: float = float("inf")

    @property
    def independent(self) -> bool:
        """Whether each row counts for itself, as where the contract has no group."""
        return self.freedom == float("inf")

    def quantile(self, level: float) -> float:
        """How many standard errors an estimate is beyond the truth with a probability of `level`,
        one-sided.
        """
        return _quantile(level, self.freedom)

    def as_if(self, level: float) -> float:
        """The level whose quantile of the normal distribution is the one that holds here."""
        if self.independent:
            return level
        return float(scipy.special.ndtr(-self.quantile(level)))

    def tail(self, standard_errors: float) -> float:
        """The probability that an estimate is so far below the truth, in standard errors."""
        if self.independent:
            return float(scipy.special.ndtr(standard_errors))
        return float(scipy.special.stdtr(self.freedom, standard_errors))


INDEPENDENT = Design()


@cache
def _quantile(level: float, freedom: float) -> float:
    """There are few levels, and looking one up takes long."""
    if freedom == float("inf"):
        return float(scipy.stats.norm.isf(level))
    return float(scipy.stats.t.isf(level, freedom))


def numbered(groups: np.ndarray | None) -> np.ndarray | None:
    """Clusters as numbers from 0 on, shape (rows,), from any values that tell groups apart.

    None where there are no groups, or each has one row: then rows are independent.
    """
    if groups is None:
        return None
    names, numbers = np.unique(groups, return_inverse=True)
    return None if len(names) == len(numbers) else numbers


def sums(moved: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    """What each cluster moves an estimate by, shape (clusters,), from what each row does, shape
    (rows,); without clusters the rows themselves.
    """
    if clusters is None:
        return moved
    return np.bincount(clusters, weights=moved)


def design_of(moved: np.ndarray, clusters: np.ndarray | None) -> Design:
    """The design effect of an estimate that each row moves by so much; both of shape (rows,).

    Student's distribution has as many degrees of freedom as there are clusters of equal weight,
    less one. Where no row moves it, nothing is known of how alike rows are, and those of a cluster
    count as one. What a cluster moves it by is taken as in a jackknife (J. MacKinnon and H. White,
    Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties, Journal of Econometrics 29, 1985).
    """
    if clusters is None:
        return INDEPENDENT
    rows = np.bincount(clusters)
    of_clusters, alone = sums(moved, clusters), float((moved**2).sum())
    if not alone > 0:
        of_clusters, alone = rows, float(rows.sum())
    # An estimate lies near its large clusters: without one of them it would be further away.
    of_clusters = of_clusters / (1 - np.minimum(rows / max(len(moved), 1), _LARGEST))
    squares = of_clusters**2
    together, fourth = float(squares.sum()), float((squares**2).sum())
    weight = together**2 / fourth if fourth > 0 else 0.0
    return Design(max(together / max(alone, 1e-300), 1.0), max(weight, _FEWEST) - 1.0)


def alike(clusters: np.ndarray) -> float:
    """The design effect of rows that are all alike within their clusters: the mean size of a
    cluster, as a row sees it.
    """
    sizes = np.bincount(clusters).astype(np.float64)
    return float((sizes**2).sum() / sizes.sum())


def of_share(hits: np.ndarray, of: np.ndarray, clusters: np.ndarray | None) -> Design:
    """The design effect of a share: of the rows of `of` those that are `hits` too; boolean, shape
    (rows,).

    Few clusters show too little of how alike rows are, and where by chance none is all wrong, a
    share looks high and sure at once. So some are taken to be there that are alike.
    """
    if clusters is None:
        return INDEPENDENT
    inside, belonging = hits[of].astype(np.float64), clusters[of]
    if not len(inside):
        return design_of(inside, belonging)
    moved = inside - inside.mean()
    found, most, rows = design_of(moved, belonging), alike(belonging), len(inside)
    together = found.factor * rows + _UNSEEN * most**2
    return Design(together / (rows + _UNSEEN * most), found.freedom)
