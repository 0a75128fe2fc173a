"""How far answers are off: the false alarms of many years, and falls that are seen."""

import itertools

import numpy as np
import pytest

from sluice.monitor.falls import DAYS
from sluice.monitor.number_falls import (
    Off,
    error_evidence,
    skill_evidence,
    skill_surely_below,
)

LEVEL = 0.05
MIDDLE, HIGH = 50.0, 200.0  # of a range from 0 on
REACH = HIGH - MIDDLE


def off(answers: np.ndarray, outcomes: np.ndarray) -> Off:
    """The sums of days; answers and outcomes have the shape (..., days, rows)."""
    error, nothing = np.abs(answers - outcomes), np.abs(outcomes - MIDDLE)
    return Off(
        np.full(error.shape[:-1], float(error.shape[-1])),
        error.sum(axis=-1),
        (error**2).sum(axis=-1),
        nothing.sum(axis=-1),
        (nothing**2).sum(axis=-1),
        (error * nothing).sum(axis=-1),
    )


def years(noise: np.ndarray, tail: str, count: int, rows: int = 20, seed: int = 5) -> Off:
    """So many years of rows whose answers are off by noise of this size, shape (days,), and this
    shape; sums of the shape (years, days).
    """
    chance, shape = np.random.default_rng(seed), (count, len(noise), rows)
    outcomes = np.clip(chance.lognormal(np.log(MIDDLE), 0.6, shape), 0.0, HIGH)
    shapes = {
        "normal": chance.normal(0.0, 1.0, shape),
        "far": chance.standard_t(2, shape),
        "rare": np.where(chance.random(shape) < 0.02, 25.0, 0.4),
    }
    answers = np.clip(outcomes + noise[:, None] * shapes[tail], 0.0, HIGH)
    return off(answers, outcomes)


def truth(tail: str, noise: float) -> tuple[float, float]:
    """Mean absolute error and skill, of so many rows that chance is no matter."""
    many = years(np.full(400, noise), tail, 1, rows=2_000, seed=99)
    error, nothing = many.off.sum() / many.rows.sum(), many.nothing.sum() / many.rows.sum()
    return float(error), float(1 - error / nothing)


@pytest.mark.parametrize("tail", ["normal", "far", "rare"])
def test_of_years_without_a_fall_few_ever_alarm_whatever_the_shape_of_the_errors(tail: str) -> None:
    """The level is of a whole year that is looked at every day; of 200 years 10 are expected."""
    error, skill = truth(tail, 8.0)
    days = years(np.full(DAYS, 8.0), tail, 200)
    of_error = error_evidence(days, error).max(axis=-1) >= 1 / LEVEL
    of_skill = skill_evidence(days, skill, REACH).max(axis=-1) >= 1 / LEVEL
    assert of_error.sum() <= 10
    assert of_skill.sum() <= 10


def test_one_step_of_any_bet_is_expected_to_gain_nothing() -> None:
    """Exactly: outcomes with their probabilities, of answers that just keep the limit."""
    answers, outcomes = np.array([40.0, 60.0, 120.0]), np.array([0.0, 50.0, 70.0, 200.0])
    for weights in ([0.2, 0.4, 0.3, 0.1], [0.02, 0.02, 0.9, 0.06], [0.5, 0.0, 0.0, 0.5]):
        pairs = list(itertools.product(range(3), range(4)))
        chances = np.array([weights[place] / 3 for _, place in pairs])
        single = off(
            np.array([[answers[at]] for at, _ in pairs]),
            np.array([[outcomes[place]] for _, place in pairs]),
        )
        error = float(chances @ single.off)
        skill = 1 - error / float(chances @ single.nothing)
        of_error, of_skill = 0.0, 0.0
        for row, chance in enumerate(chances):
            day = Off(*(values[row : row + 1] for values in vars(single).values()))
            of_error += chance * float(error_evidence(day, error)[0])
            of_skill += chance * float(skill_evidence(day, skill, REACH)[0])
        assert of_error <= 1 + 1e-12
        assert of_skill <= 1 + 1e-12


def test_a_fall_is_seen_and_how_far_is_bounded() -> None:
    _, before = truth("normal", 8.0)
    _, after = truth("normal", 14.0)
    days = years(np.array([8.0] * 60 + [14.0] * 120), "normal", 20)
    reached = skill_evidence(days, before, REACH) >= 1 / LEVEL
    first = np.where(reached.any(axis=-1), reached.argmax(axis=-1), 999)
    assert ((first >= 60) & (first < 90)).sum() >= 19
    one = Off(*(values[0] for values in vars(days).values()))
    below = skill_surely_below(one, REACH, LEVEL)
    assert np.all(np.diff(below) <= 0)
    assert after - 0.001 <= below[-1] < before


def test_one_row_that_is_far_off_is_no_fall() -> None:
    chance = np.random.default_rng(8)
    outcomes = np.clip(chance.normal(50.0, 15.0, (60, 20)), 0.0, HIGH)
    answers = outcomes + chance.normal(0.0, 3.0, outcomes.shape)
    answers[10, 0] = HIGH
    outcomes[10, 0] = 0.0
    days = off(answers, outcomes)
    assert error_evidence(days, 3.0).max() < 1 / LEVEL
    assert skill_evidence(days, 0.7, REACH).max() < 1 / LEVEL


def test_without_labels_nothing_is_sure() -> None:
    nothing = off(np.zeros((10, 0)), np.zeros((10, 0)))
    assert error_evidence(nothing, 3.0) == pytest.approx(np.ones(10))
    assert skill_evidence(nothing, 0.5, REACH) == pytest.approx(np.ones(10))
    assert skill_surely_below(nothing, REACH, LEVEL).tolist() == [1.0] * 10
