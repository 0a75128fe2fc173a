"""What a holdout of several classes can tell, beside what the test of a gain finds."""

import numpy as np
import pytest

from sluice.gate import power
from sluice.gate.classes.paired import better, tables_of
from sluice.gate.classes.power import report, worth


def test_equal_classes_tell_of_their_mean_what_all_rows_tell_of_one() -> None:
    assert worth([200, 200, 200]) == pytest.approx(600)
    assert worth([5_000, 50]) == pytest.approx(4 / (1 / 5_000 + 1 / 50))
    assert worth([100, 0]) == 0
    told = report({"a": 300, "b": 300}, 0.05)
    assert told.at_level == power.detectable(600, 0.1, 0.05)
    assert [one.at_level for one in told.classes] == [power.detectable(300, 0.1, 0.05)] * 2


def test_a_class_without_rows_lets_nothing_be_found() -> None:
    told = report({"a": 300, "b": 0}, 0.05)
    assert (told.at_level, told.at_use, told.wanted) == (None, None, ())


def test_the_smallest_gain_is_found_as_often_as_it_says() -> None:
    """Rows differ on a tenth of each class, and the candidate has this gain in each of them."""
    rows = {"a": 900, "b": 300, "c": 150}
    told = report(rows, 0.05)
    assert told.at_level is not None
    labels = np.repeat(np.arange(3), tuple(rows.values()))
    chance = np.random.default_rng(5)
    gained = (0.1 + told.at_level) / 2
    found = 0
    for _ in range(300):
        drawn = chance.random(len(labels))
        mine = np.where(drawn < 1 - (0.1 - gained), labels, (labels + 1) % 3)
        theirs = np.where(drawn < 1 - 0.1, labels, (labels + 1) % 3)
        theirs = np.where(drawn >= 1 - (0.1 - gained), labels, theirs)
        found += better(tables_of(labels, mine, theirs)) <= 0.05
    # Three standard errors of 0.8 in 300 draws are 0.07.
    assert found / 300 == pytest.approx(told.power, abs=0.08)
