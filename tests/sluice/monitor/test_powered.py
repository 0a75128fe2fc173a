"""Recall from a tenth of the labels and all scores: the level holds, and a fall is found sooner
than by the same labels alone.
"""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.few_labels import LEVEL, delays, world, years
from sluice.monitor.day import SCORE_BINS, Day, Outcomes
from sluice.monitor.falls import fall_evidence
from sluice.monitor.powered import Scored, explained, powered_evidence, surely_below
from sluice.monitor.quality import (
    RECALL,
    Measured,
    Promise,
    by_lot,
    live_quality,
    matured,
    performance,
)

START = datetime.date(2026, 1, 5)


@pytest.mark.parametrize(("useful", "share"), [(1.0, 0.1), (0.0, 0.1), (1.0, 0.02), (1.0, 1.0)])
def test_a_year_at_the_very_limit_raises_an_alarm_no_more_often_than_its_level(
    useful: float, share: float
) -> None:
    """Right scores or useless ones, few labels or all: of 200 years 2 % are 4."""
    random = np.random.default_rng(3)
    quiet = delays(random, world(useful), 200, share, 0.0, 0, tolerance=0.0)
    assert np.isfinite(quiet.powered).sum() <= 4


@pytest.mark.parametrize("week", [0, 26])
def test_a_fall_is_found_sooner_than_by_the_same_labels_alone(week: int) -> None:
    found = delays(np.random.default_rng(4), world(), 100, 0.1, 0.10, week)
    assert np.median(found.powered) < np.median(found.alone)
    assert np.isfinite(found.powered).mean() >= 0.95


def test_where_every_row_has_a_label_the_scores_change_nothing() -> None:
    drawn = years(np.random.default_rng(5), world(), 3, 1.0, 0.07, 0)
    alarms = powered_evidence(drawn, 0.73).max(axis=-1) >= 1 / (LEVEL * RECALL)
    alone = fall_evidence(drawn.found, drawn.found + drawn.missed, 0.73).max(axis=-1)
    assert alarms.tolist() == (alone >= 1 / (LEVEL * RECALL)).tolist()


def test_days_without_labels_and_years_without_rows_say_nothing() -> None:
    nothing = np.zeros((10, SCORE_BINS))
    empty = Scored(np.zeros(10), np.zeros(10), nothing, nothing, nothing, 0.5)
    assert powered_evidence(empty, 0.7).tolist() == pytest.approx([1.0] * 10)
    assert explained(empty, 0.7) == 0.0
    assert surely_below(empty, 0.02).tolist() == [1.0] * 10
    unlabelled = replace(empty, everyone=nothing + 5)
    assert powered_evidence(unlabelled, 0.7).tolist() == pytest.approx([1.0] * 10)


def test_what_recall_is_surely_below_comes_down_to_it() -> None:
    drawn = years(np.random.default_rng(6), world(), 1, 0.1, 0.2, 0)
    one = Scored(*(values[0] for values in list(vars(drawn).values())[:5]), drawn.threshold)
    below = surely_below(one, 0.02)
    assert below[0] == 1.0
    assert 0.55 <= below[-1] <= 0.65
    assert (np.diff(below) <= 0).all()


def days(count: int, found: int, missed: int, labelled_of: int) -> list[Day]:
    """Days of which one row in `labelled_of` has a label; flagged ones have a score of 0.8."""
    positive, negative, everyone = [0] * SCORE_BINS, [0] * SCORE_BINS, [0] * SCORE_BINS
    positive[80], positive[30], negative[80], negative[30] = found, missed, 2, 6
    everyone[80], everyone[30] = (found + 2) * labelled_of, (missed + 6) * labelled_of
    outcomes = Outcomes(
        true_positive=found,
        false_positive=2,
        false_negative=missed,
        true_negative=6,
        positive_scores=tuple(positive),
        negative_scores=tuple(negative),
    )
    return [
        Day(
            day=(START + datetime.timedelta(days=at)).isoformat(),
            rows=sum(everyone),
            scores=tuple(everyone),
            outcomes=outcomes,
        )
        for at in range(count)
    ]


def test_the_monitor_judges_recall_with_the_scores_where_labels_are_drawn_by_lot() -> None:
    promise = Promise(Measured(0.75, 7_000), Measured(0.70, 7_500), Measured(0.20, 14_900))
    labels = matured(days(120, 5, 3, 10), START, START + datetime.timedelta(days=119))
    found = performance(labels, promise, 0.05, 0.02, 0.02, 0.05, drifted=False, threshold=0.5)
    assert found[0].sentence.startswith("Live recall is 0.625 of 960 positives")
    live, _ = live_quality(labels, 0.05, 0.5)
    alone, _ = live_quality(labels, 0.05)
    assert live.recall == alone.recall == 0.625
    assert live.below <= alone.below < 1


def test_a_lot_that_did_not_come_in_is_told() -> None:
    labels = matured(days(60, 5, 3, 20), START, START + datetime.timedelta(days=59))
    assert by_lot(labels, 0.05) == []
    assert by_lot(labels, 0.0) == []
    [finding] = by_lot(labels, 0.1)
    assert (finding.kind, finding.severity) == ("label", "watch")
    assert finding.sentence == (
        "Rows that have an outcome are 5.0 % of 19,200; 10.0 % were to be drawn by lot."
    )
