"""What has surely fallen below a promise: recall, precision, Brier score, groups, anchor."""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from sluice.monitor import quality
from sluice.monitor.day import SCORE_BINS, Day, Outcomes
from sluice.monitor.quality import Measured, Promise, least, live_quality, matured, performance

START = datetime.date(2026, 1, 5)
PROMISE = Promise(
    recall=Measured(0.75, 7_000),
    precision=Measured(0.70, 7_500),
    brier=Measured(0.20, 14_900),
    groups={("age", "young"): Measured(0.75, 3_000)},
)


def day(
    at: int, found: int, missed: int, false: int, rest: int, young: tuple[int, int] = (0, 0)
) -> Day:
    """A day of the year; those that were flagged have a score of 0.8, the others of 0.3."""
    positive, negative = [0] * SCORE_BINS, [0] * SCORE_BINS
    positive[80], positive[30], negative[80], negative[30] = found, missed, false, rest
    outcomes = Outcomes(
        true_positive=found,
        false_positive=false,
        false_negative=missed,
        true_negative=rest,
        positive_scores=tuple(positive),
        negative_scores=tuple(negative),
        found={"age": {"young": young[0]}},
        missed={"age": {"young": young[1]}},
    )
    name = (START + datetime.timedelta(days=at)).isoformat()
    return Day(day=name, rows=found + missed + false + rest, outcomes=outcomes)


def found_in(days: list[Day], promise: Promise = PROMISE, *, drifted: bool = False) -> list[str]:
    labels = matured(days, START, START + datetime.timedelta(days=len(days) - 1))
    findings = performance(labels, promise, 0.05, 0.02, 0.02, 0.05, drifted=drifted)
    assert all(finding.severity == "act" for finding in findings)
    return [finding.sentence for finding in findings]


def test_a_kept_promise_raises_nothing() -> None:
    assert found_in([day(at, 30, 10, 13, 30, (15, 5)) for at in range(200)]) == []


def test_a_fall_of_recall_says_since_when_and_what_was_promised() -> None:
    days = [day(at, 30, 10, 13, 30) for at in range(60)]
    days += [day(at, 26, 14, 11, 30) for at in range(60, 120)]
    assert found_in(days) == [
        "Live recall is 0.700 of 4,800 positives, 0.650 in the last four weeks; at least 0.730 is"
        " required, because the release had 0.750."
    ]


def test_a_fall_of_precision_is_found_where_recall_stays() -> None:
    [sentence] = found_in([day(at, 30, 10, 20, 120) for at in range(90)])
    assert sentence.startswith("Live precision is 0.600 of 4,500 flagged rows")


def test_probabilities_that_no_longer_fit_are_found() -> None:
    promise = replace(PROMISE, brier=Measured(0.05, 14_900))
    [sentence] = found_in([day(at, 30, 10, 12, 30) for at in range(90)], promise)
    assert sentence.startswith(f"The Brier score since {START} is 0.2017")


def test_a_group_that_loses_is_named_where_the_whole_stays() -> None:
    days = [day(at, 30, 10, 12, 30, (8, 12)) for at in range(90)]
    [sentence] = found_in(days)
    assert sentence.startswith("Live recall of age = young is 0.400 of 1,800 positives")


def test_the_anchor_is_asked_too() -> None:
    """Each release promises a little less: only the anchor shows the slow decline."""
    low = replace(PROMISE, recall=Measured(0.66, 7_000), anchor=Measured(0.75, 7_000))
    [sentence] = found_in([day(at, 26, 14, 11, 30, (15, 5)) for at in range(90)], low)
    assert "because the anchor had 0.750" in sentence


@pytest.mark.parametrize(("drifted", "kind"), [(True, "performance"), (False, "concept")])
def test_a_fall_without_drift_is_one_of_concept(drifted: bool, kind: str) -> None:
    labels = matured(
        [day(at, 20, 20, 8, 30) for at in range(90)], START, START + datetime.timedelta(days=90)
    )
    findings = performance(labels, PROMISE, 0.05, 0.02, 0.02, 0.05, drifted=drifted)
    assert {found.kind for found in findings} - {kind} <= {"performance"}
    assert findings[0].kind == kind


def test_the_limit_of_a_promise_leaves_room_for_how_it_was_measured() -> None:
    assert least(Measured(0.75, 7_000), 0.02, 0.001) == pytest.approx(0.73)
    small = least(Measured(0.75, 200), 0.02, 0.001)
    assert 0.63 < small < 0.66
    assert least(Measured(0.0, 200), 0.02, 0.001) == 0.0
    assert least(Measured(1.0, 200), 0.02, 0.001) < 0.98


def test_only_days_between_the_limits_count() -> None:
    days = [day(at, 3, 1, 1, 4) for at in (-1, 0, 5, 6)]
    labels = matured(days, START, START + datetime.timedelta(days=5))
    assert labels.positives.tolist() == [4, 0, 0, 0, 0, 4]
    live, below = live_quality(labels, 0.05)
    assert (live.labelled, live.positives, live.recall) == (18, 8, 0.75)
    assert below.shape == (6,)


def test_before_anything_has_matured_nothing_is_known() -> None:
    labels = matured([day(0, 3, 1, 1, 4)], START, START - datetime.timedelta(days=20))
    live, _ = live_quality(labels, 0.05)
    assert (live.labelled, live.recall, live.precision, live.brier, live.below) == (
        0,
        None,
        None,
        None,
        1.0,
    )
    assert performance(labels, PROMISE, 0.05, 0.02, 0.02, 0.05, drifted=False) == []


def test_the_parts_of_the_level_are_the_whole() -> None:
    parts = [
        getattr(quality, name)
        for name in (
            "RECALL",
            "PRECISION",
            "BRIER",
            "GROUPS",
            "ANCHOR",
            "PROMISES",
        )
    ]
    assert sum(parts) == pytest.approx(1.0)
    assert quality.LOSSES.shape == (2 * SCORE_BINS,)
    assert np.isclose(quality.LOSSES[80], (1 - 0.805) ** 2)
