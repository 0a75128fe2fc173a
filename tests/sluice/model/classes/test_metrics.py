"""What probabilities of several classes are worth, held to scikit-learn's figures."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference

from sluice.model.classes import metrics
from sluice.model.classes.ranking import of_each_class, ranked
from sluice.model.classes.recall import mean_of, mean_recall
from sluice.model.quality.statistics import wilson_low

NAMES = ("a", "b", "c")


def made(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and answers of a model that knows something."""
    chance = np.random.default_rng(seed)
    labels = chance.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.int8)
    lean = chance.normal(size=(rows, 3)) + 1.5 * np.eye(3)[labels]
    shares = np.exp(lean) / np.exp(lean).sum(axis=1, keepdims=True)
    return labels, shares, shares.argmax(axis=1)


def test_measures_are_means_over_the_classes() -> None:
    labels, shares, answered = made()
    found = metrics.measure(labels, shares, answered)
    assert found.recall == pytest.approx(reference.recall_score(labels, answered, average="macro"))
    assert found.precision == pytest.approx(
        reference.precision_score(labels, answered, average="macro")
    )
    assert found.f1 == pytest.approx(reference.f1_score(labels, answered, average="macro"))
    assert found.accuracy == pytest.approx(reference.accuracy_score(labels, answered))
    assert found.roc_auc == pytest.approx(
        reference.roc_auc_score(labels, shares, multi_class="ovr", average="macro")
    )
    assert found.average_precision == pytest.approx(
        reference.average_precision_score(np.eye(3)[labels], shares, average="macro")
    )


def test_the_brier_score_of_two_classes_is_that_of_one() -> None:
    labels, scores = np.array([0, 1, 1]), np.array([0.2, 0.7, 0.4])
    both = np.column_stack([1 - scores, scores])
    np.testing.assert_allclose(metrics.brier_rows(labels, both), (scores - labels) ** 2)


def test_each_class_has_its_counts_and_what_it_is_taken_for() -> None:
    labels, answered = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 0])
    found = metrics.by_class(labels, answered, NAMES, 0.9)
    assert (found["b"].rows, found["b"].answered, found["b"].found) == (3, 3, 2)
    assert (found["c"].recall, found["c"].precision) == (0.0, 0.0)
    assert metrics.confusion(labels, answered, NAMES)["b"] == {"a": 1, "b": 2, "c": 0}


def test_a_class_that_no_fold_taught_has_no_probability() -> None:
    whole = of_each_class(np.array([[0.3, 0.7]]), np.array([0, 2]), 3)
    assert whole.tolist() == [[0.3, 0.0, 0.7]]


def test_a_class_without_rows_says_nothing_of_the_ranking() -> None:
    labels, shares, _ = made()
    two = labels < 2
    precision, area = ranked(labels[two], shares[two])
    areas = [
        reference.roc_auc_score(labels[two] == place, shares[two][:, place]) for place in (0, 1)
    ]
    assert area == pytest.approx(np.mean(areas))
    assert 0 < precision < 1


def test_the_mean_of_one_part_has_the_limits_of_that_part() -> None:
    labels, answered = np.zeros(40, dtype=int), np.repeat([0, 1], [30, 10])
    mean = mean_recall(labels, answered, 0.05)
    assert mean.value == 0.75
    assert mean.low == pytest.approx(wilson_low(30, 40, 0.05))
    exact = binomtest(30, 40, alternative="less").proportion_ci(0.95, "exact")
    assert mean.high == pytest.approx(exact.high, abs=0.01)
    assert mean.high >= exact.high


def test_parts_of_their_own_make_a_mean_surer_than_each() -> None:
    alone, both = mean_of([(0.5, 0.4, 0.6)], 0.05), mean_of([(0.5, 0.4, 0.6)] * 2, 0.05)
    assert both.high - both.low == pytest.approx((alone.high - alone.low) / 2**0.5)


def test_rows_that_belong_together_make_a_mean_less_sure() -> None:
    labels, _, answered = made(600)
    alone = mean_recall(labels, answered, 0.05)
    # Each row three times: as one row, it counts for no more than before.
    thrice = np.repeat(np.arange(600), 3)
    apart = mean_recall(labels[thrice], answered[thrice], 0.05)
    together = mean_recall(labels[thrice], answered[thrice], 0.05, thrice)
    assert apart.high - apart.low < 0.7 * (alone.high - alone.low)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)


@pytest.mark.parametrize("recalls", [(0.8, 0.6, 0.4), (0.9, 0.9, 0.7)])
def test_limits_hold_the_mean_as_often_as_they_say(recalls: tuple[float, ...]) -> None:
    labels = np.repeat(np.arange(3), (150, 60, 40))
    chance, true = np.random.default_rng(1), float(np.mean(recalls))
    above = below = 0
    for _ in range(400):
        right = chance.random(len(labels)) < np.array(recalls)[labels]
        mean = mean_recall(labels, np.where(right, labels, (labels + 1) % 3), 0.05)
        above += mean.low > true
        below += mean.high < true
    # Three standard errors of a share of 0.05 in 400 tries are 0.033.
    assert above / 400 <= 0.085
    assert below / 400 <= 0.085


@pytest.mark.parametrize("sizes", [(60, 60, 60, 60, 60), (1_000, 10, 10), (5_000, 400, 40, 40, 10)])
@pytest.mark.parametrize("recall", [0.4, 0.9, 0.98, 0.99, 0.995])
def test_the_upper_limit_covers_near_a_recall_of_one(sizes: tuple[int, ...], recall: float) -> None:
    """In 1,500 draws; by squares of Wilson's limits alone it missed in up to 17 %."""
    draws, chance = 1_500, np.random.default_rng(11)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    drawn = np.column_stack([chance.binomial(rows, recall, draws) for rows in sizes])
    missed = 0
    for found, times in zip(*np.unique(drawn, axis=0, return_counts=True), strict=True):
        right = np.concatenate(
            [np.arange(rows) < hits for rows, hits in zip(sizes, found, strict=True)]
        )
        answered = np.where(right, labels, (labels + 1) % len(sizes))
        missed += times * (mean_recall(labels, answered, 0.05).high < recall - 1e-12)
    # Two standard errors of a share of 0.05 in 1,500 tries are 0.011.
    assert missed / draws <= 0.06 + 0.006


def test_rows_that_are_all_answered_rightly_have_no_limit_below_one() -> None:
    labels = np.repeat([0, 1], [50, 5])
    assert mean_recall(labels, labels, 0.05).high == 1
    nothing = mean_recall(labels, 1 - labels, 0.05)
    assert nothing.low == 0
    assert 0 < nothing.high < 0.5
