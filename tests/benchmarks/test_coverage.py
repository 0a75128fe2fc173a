"""The draws of the benchmark are those of the gate, and its statistic is the gate's."""

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.coverage import Cell, Drawn, Rate
from sluice.gate.paired import Pairs, at_equal_counts, recall_difference, top

ROWS, DRAWS, POPULATION = 400, 3_000, 20_000


def population() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the scores of two models, the first worse than the second."""
    random = np.random.default_rng(1)
    odds = random.standard_normal(POPULATION)
    labels = random.random(POPULATION) < 1 / (1 + np.exp(-odds))
    candidate, other = (odds + noise * random.standard_normal(POPULATION) for noise in (0.9, 0.5))
    return labels, candidate, other


def test_its_draws_are_those_of_rows_cut_by_the_gate() -> None:
    labels, candidate, other = population()
    group = np.arange(POPULATION) % 5 == 0
    world = coverage._counted(labels, candidate, other, group, ROWS)
    random = np.random.default_rng(2)
    found, _ = coverage.drawn(world, ROWS, DRAWS, random)
    threshold = np.sort(other)[-int(coverage.FLAGGED * labels.sum())]
    ones = []
    for _ in range(DRAWS):
        rows = random.integers(0, POPULATION, ROWS)
        theirs = other[rows] >= threshold
        mine = top(candidate[rows], np.arange(ROWS, dtype=np.uint64), int(theirs.sum()))
        pairs = at_equal_counts(labels[rows].astype(np.int64), mine, theirs)
        ones.append((pairs.gained, pairs.lost, pairs.rows, pairs.side))
    drawn = np.array([found.gained, found.lost, found.rows, found.side]).T
    expected = np.array(ones)
    spread = expected.std(axis=0) / np.sqrt(DRAWS / 2)
    assert (np.abs(drawn.mean(axis=0) - expected.mean(axis=0)) < 4 * spread).all()
    found_by_gate = np.cov(expected.T)
    variances = np.diag(found_by_gate)
    # Four standard errors of the difference of two estimated covariances.
    reach = 4 * np.sqrt(2 * (np.outer(variances, variances) + found_by_gate**2) / DRAWS)
    assert (np.abs(np.cov(drawn.T) - found_by_gate) < reach).all()
    differences = (drawn[:, 0] - drawn[:, 1]) / drawn[:, 2]
    assert differences.mean() == pytest.approx(world.recall, abs=0.003)
    assert world.recall < 0


def test_rows_that_are_tied_at_the_cut_are_dealt() -> None:
    at_cut = np.array([[3, 0, 2, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 9]])
    taken = coverage._dealt(at_cut, np.array([4, 0]), np.random.default_rng(3))
    assert taken.sum(axis=1).tolist() == [4, 0]
    assert (taken <= at_cut).all()


@pytest.mark.parametrize("side", [None, 40])
def test_its_statistic_is_the_gates(side: int | None) -> None:
    pairs = Pairs(12, 20, 400, side)
    limits = recall_difference(pairs, 0.05)
    sides = None if side is None else np.array([side])
    one = Drawn(np.array([12]), np.array([20]), np.array([400]), sides)
    assert one.pairs(0) == pairs
    for true in np.linspace(-0.1, 0.1, 41):
        assert coverage.held(one, true) == (limits.low <= true, limits.high >= true)
    coverage.checked(one, -0.01)


def test_a_limit_that_the_statistic_does_not_know_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Drawn(np.array([12]), np.array([20]), np.array([400]), np.array([40]))
    monkeypatch.setattr(coverage, "held", lambda *_: (0.5, 0.5))
    with pytest.raises(AssertionError, match=r"at a true difference of -0\.01"):
        coverage.checked(one, -0.01)


def test_bounds_are_missed_on_either_side() -> None:
    def cell(side: float, low: float, high: float) -> bool:
        return Cell("whole", 0.5, 300, side, 0.0, low, high, 0.9, 0.9).met

    assert cell(100, 0.94, 0.965)
    assert not cell(100, 0.939, 0.95)
    assert not cell(100, 0.95, 0.966)
    assert cell(99, 0.95, 0.999)

    def rate(exact: float, least: float | None, most: float | None) -> bool:
        return Rate("as good", 0.5, 300, 0.1, 0.05, exact, 0.0, least, most).met

    assert rate(0.05, None, 0.051)
    assert not rate(0.052, None, 0.051)
    assert rate(0.9, 0.85, None)
    assert not rate(0.8, 0.85, None)
    assert rate(0.1, None, None)


def test_a_model_as_good_is_exactly_as_good() -> None:
    labels, candidate, other = population()
    both = np.append(candidate, other), np.append(other, candidate)
    group = np.arange(2 * POPULATION) % 5 == 0
    world = coverage._counted(np.append(labels, labels), *both, group, ROWS)
    assert world.recall == 0.0
    assert world.rows.sum() == pytest.approx(1.0)
    assert world.as_shipped < 0
