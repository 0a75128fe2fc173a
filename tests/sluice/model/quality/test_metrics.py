"""What scores are worth: the numbers of scikit-learn, intervals that hold them, and groups one by
one.
"""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from sluice.model.fit.tuning_file import Trial
from sluice.model.quality.metrics import (
    at_threshold,
    by_segment,
    confusion,
    cross_validation,
    group_table,
    intervals,
    measure,
    two_sided,
    worst_group,
)
from sluice.model.quality.metrics_file import Confusion, Group, Spread
from sluice.model.quality.statistics import wilson


def scored(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.random(rows).round(2)
    return (random.random(rows) < scores).astype(np.int8), scores


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.99, 1.0])
def test_the_headline_numbers_are_those_of_scikit_learn(threshold: float) -> None:
    labels, scores = scored()
    flagged = scores >= threshold
    found = structs.asdict(measure(labels, scores, threshold))
    assert found == pytest.approx(
        {
            "accuracy": accuracy_score(labels, flagged),
            "precision": precision_score(labels, flagged, zero_division=0),
            "recall": recall_score(labels, flagged),
            "f1": f1_score(labels, flagged, zero_division=0),
            "share_flagged": flagged.mean(),
            "roc_auc": roc_auc_score(labels, scores),
            "average_precision": average_precision_score(labels, scores),
            "brier": brier_score_loss(labels, scores),
        }
    )
    counts = confusion(labels, flagged)
    negatives, positives = confusion_matrix(labels, flagged)
    assert [counts.true_negative, counts.false_positive] == negatives.tolist()
    assert [counts.false_negative, counts.true_positive] == positives.tolist()
    json.dumps(found, allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=40))
@settings(deadline=None)
def test_the_four_counts_cover_every_row(rows: list[tuple[int, bool]]) -> None:
    labels, flagged = (
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows], dtype=bool),
    )
    counts = confusion(labels, flagged)
    assert counts.rows == sum(structs.astuple(counts)) == len(rows)
    assert counts.positives == labels.sum() == len(rows) - counts.negatives
    assert counts.flagged == flagged.sum()
    assert all(0 <= share <= 1 for share in structs.astuple(at_threshold(counts)))
    assert counts == confusion(labels.astype(bool), flagged.astype(np.int8))


def test_a_share_of_nothing_is_nothing() -> None:
    nothing = Confusion(0, 0, 0, 0)
    assert set(structs.astuple(at_threshold(nothing))) == {0.0}
    assert at_threshold(structs.replace(nothing, false_negative=3)).precision == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_intervals_hold_what_they_are_about_and_more_rows_make_them_smaller(seed: int) -> None:
    widths = []
    for rows in (200, 2_000):
        labels, scores = scored(rows, seed)
        found = structs.asdict(intervals(labels, scores, 0.5, 0.9))
        value = structs.asdict(measure(labels, scores, 0.5))
        assert found.pop("level") == 0.9
        assert set(found) == {"recall", "precision", "accuracy", "roc_auc"}
        assert all(0 <= low < value[name] < high <= 1 for name, (low, high) in found.items())
        widths.append({name: high - low for name, (low, high) in found.items()})
    assert all(widths[1][name] < width for name, width in widths[0].items())


def test_an_interval_counts_what_its_share_counts() -> None:
    labels, scores = scored()
    counts = confusion(labels, scores >= 0.3)
    found = intervals(labels, scores, 0.3, 0.95)
    hit = counts.true_positive
    assert found.recall == wilson(hit, hit + counts.false_negative)
    assert found.precision == wilson(hit, hit + counts.false_positive)
    assert found.accuracy == wilson(hit + counts.true_negative, 400)


def test_each_group_is_measured_alone() -> None:
    labels, scores = scored()
    groups = np.array(["a", "b", "b", "c"], dtype=object)[np.arange(400) % 4]
    segments = {"g": groups, "all": np.full(400, "x", dtype=object)}
    found = by_segment(labels, scores >= 0.5, segments, 0.9)
    assert {name: group.rows for name, group in found["g"].items()} == {
        "a": 100,
        "b": 200,
        "c": 100,
    }
    for name, group in found["g"].items():
        inside = groups == name
        alone = measure(labels[inside], scores[inside], 0.5)
        assert (group.recall, group.precision, group.share_flagged) == pytest.approx(
            (alone.recall, alone.precision, alone.share_flagged)
        )
        assert group.positives == labels[inside].sum()
        assert group.recall_interval[0] <= group.recall <= group.recall_interval[1]
    whole = measure(labels, scores, 0.5)
    assert found["all"]["x"].recall == whole.recall
    json.dumps(msgspec.to_builtins(found), allow_nan=False)


def test_a_group_without_positives_says_so() -> None:
    found = by_segment(
        np.array([0, 0, 1]),
        np.array([True, False, True]),
        {"g": np.array(["n", "n", "p"], dtype=object)},
        0.9,
    )
    assert (found["g"]["n"].positives, found["g"]["n"].recall) == (0, 0.0)
    assert found["g"]["n"].recall_interval == (0.0, 1.0)


def test_cross_validation_is_mean_and_spread_of_the_winner() -> None:
    winner = Trial(0, "logistic_regression", {}, 0.75, 0.05, (0.7, 0.8), (0.75, 0.75))
    found = cross_validation(winner)
    assert found.average_precision.mean == pytest.approx(0.75)
    assert found.average_precision.std == pytest.approx(0.05)
    assert found.average_precision.folds == (0.7, 0.8)
    assert found.roc_auc == Spread(mean=0.75, std=0.0, folds=(0.75, 0.75))


@pytest.mark.parametrize(("least", "shown"), [(1, "abc"), (10, "bc"), (11, "b"), (60, "")])
def test_groups_are_in_order_and_small_ones_are_named_without_a_number(
    least: int, shown: str
) -> None:
    """`a` has five of either outcome, `b` fifty; `c` has ten positives among 110 rows."""
    counts = {"a": (5, 5), "b": (50, 50), "c": (10, 100), "d": (4, 90), "e": (90, 4)}
    labels = np.concatenate([np.repeat([1, 0], both) for both in counts.values()])
    names = np.repeat(np.array(list(counts), dtype=object), [sum(both) for both in counts.values()])
    measured = by_segment(labels, np.full(len(labels), True), {"g": names}, 0.9)
    found = group_table(measured, {"g": ["e", "c", "b", "a", "d", "none"], "h": ["x"]}, least)
    assert found.least == max(least, 5)
    assert [segment.name for segment in found.segments] == ["g", "h"]
    assert [group.name for group in found.segments[0].groups] == ["e", "c", "b", "a", "d"]
    for group in found.segments[0].groups:
        assert (group.measured == measured["g"][group.name]) == (group.name in shown)
        assert (group.measured is None) == (group.name not in shown)
    assert found.segments[1].groups == ()


def group(recall: float, low: float, high: float, positives: int = 100) -> Group:
    return Group(2 * positives, positives, recall, 0.5, 0.5, (low, high))


def test_the_worst_group_is_the_one_whose_interval_ends_lowest() -> None:
    """Three rows of which none is found tell less than a hundred of which twenty are."""
    segments = {
        "team": {"a": group(0.8, 0.7, 0.9), "few": group(0.0, 0.0, 0.6, 3)},
        "level": {"senior": group(0.2, 0.14, 0.28), "none": group(0.0, 0.0, 0.1, 0)},
    }
    assert worst_group(segments, 0.75) == ("level", "senior", segments["level"]["senior"])


def test_no_group_is_the_worst_where_none_is_shown_to_be() -> None:
    assert (
        worst_group({"team": {"a": group(0.7, 0.6, 0.8), "b": group(0.8, 0.7, 0.9)}}, 0.75) is None
    )
    assert worst_group({}, 0.75) is None


@pytest.mark.parametrize(("level", "wide"), [(0.05, 0.9), (0.025, 0.95), (0.0005, 0.999)])
def test_two_limits_at_a_level_make_an_interval_of_what_is_left(level: float, wide: float) -> None:
    assert two_sided(level) == wide
