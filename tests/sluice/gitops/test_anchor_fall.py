"""How far a release falls behind the anchor is told measure by measure, and bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gitops.anchor_fall import Fall, Measured, falls, measured
from sluice.gitops.evidence import Evidence
from sluice.model.classes.metrics_file import ClassMetrics, Intervals, Measures, ScoredRows
from sluice.model.classes.metrics_file import Group as ClassGroup
from sluice.model.quality.diagnostics_file import (
    CalibrationCell,
    Curves,
    Diagnostics,
    PrecisionRecall,
    Roc,
    ScoreHistogram,
)
from sluice.model.quality.metrics_file import CrossValidation, Group, Spread
from sluice.policy import AnchorPolicy

POLICY = AnchorPolicy(recall_fall=0.02, precision_fall=0.03, calibration_fall=0.01, group_fall=0.05)
LEAST = 50


def group(recall: float, positives: int = 100) -> Group:
    return Group(1000, positives, recall, 0.7, 0.5, (recall - 0.05, recall + 0.05))


BEFORE = Measured(0.75, 0.70, 0.02, {"Site: north": group(0.8), "Site: south": group(0.7)})


def told(after: Measured, before: Measured = BEFORE) -> dict[str, Fall]:
    return {fall.measure: fall for fall in falls(before, after, POLICY, LEAST)}


def changed(
    recall: float | None = 0.75,
    precision: float | None = 0.70,
    calibration: float | None = 0.02,
    **groups: Group,
) -> Measured:
    found = {f"Site: {name}": value for name, value in groups.items()}
    return Measured(recall, precision, calibration, {**BEFORE.groups, **found})


@pytest.mark.parametrize(
    ("after", "far"),
    [
        (changed(), []),
        (changed(recall=0.9, precision=0.9, calibration=0.0, north=group(0.99)), []),
        (changed(recall=0.73), []),
        (changed(recall=0.7299), ["recall"]),
        (changed(precision=0.67), []),
        (changed(precision=0.6699), ["precision"]),
        (changed(calibration=0.03), []),
        (changed(calibration=0.0301), ["calibration gap"]),
        (changed(north=group(0.75)), []),
        (changed(north=group(0.7499)), ["recall of Site: north"]),
        (changed(north=group(0.1, positives=49)), []),
        (changed(north=group(0.1, positives=50)), ["recall of Site: north"]),
        (
            changed(recall=0.5, precision=0.5, calibration=0.2, south=group(0.2)),
            ["recall", "precision", "calibration gap", "recall of Site: south"],
        ),
    ],
)
def test_each_measure_has_a_bound_of_its_own(after: Measured, far: list[str]) -> None:
    assert [name for name, fall in told(after).items() if fall.too_far] == far


def test_what_is_shown_names_both_and_how_far_it_may_fall() -> None:
    after = changed(recall=0.74, precision=0.71, calibration=None, north=group(0.5, positives=9))
    assert [str(fall) for fall in told(after).values()] == [
        "recall 0.7500 to 0.7400, 0.0100 worse; at most 0.02 may be",
        "precision 0.7000 to 0.7100, no worse",
        "calibration gap is unknown: it was 0.0200, and the release that becomes the anchor has"
        " none",
        "recall of Site: north 0.8000 to 0.5000, too few positives to judge",
        "recall of Site: south 0.7000 to 0.7000, no worse",
    ]


def test_a_group_that_only_one_of_them_has_is_unknown() -> None:
    shown = told(changed(west=group(0.6)))["recall of Site: west"]
    assert str(shown) == (
        "recall of Site: west is unknown: it is 0.6000, and the anchor before has none"
    )
    assert not shown.too_far


def test_without_evidence_only_the_record_speaks_and_the_rest_is_unknown() -> None:
    record = measured(0.7, 0.0, None)
    assert (record.recall, record.precision, record.calibration) == (0.7, None, None)
    assert [str(fall) for fall in told(record, record).values()][1:] == [
        "precision is unknown: neither release has it",
        "calibration gap is unknown: neither release has it",
        "recall of groups is unknown: neither release has it",
    ]


def test_the_calibration_gap_is_the_mean_distance_of_all_rows() -> None:
    cells = tuple(
        CalibrationCell(score, share, rows, (0.0, 1.0))
        for score, share, rows in [(0.2, 0.3, 100), (0.6, 0.6, 200), (0.9, 0.7, 100)]
    )
    curves = Curves(
        PrecisionRecall((), ()), Roc((), ()), cells, ScoreHistogram((), (), ()), 400, 200
    )
    found = measured(0.7, 0.7, Evidence(diagnostics=Diagnostics(curves, (), ())))
    assert found.calibration == pytest.approx((0.1 * 100 + 0.2 * 100) / 400)


share = st.floats(0.01, 0.99)


@given(share, share)
def test_whatever_falls_further_than_it_may_is_refused_and_nothing_else(
    before: float, after: float
) -> None:
    [fall] = [
        fall
        for fall in falls(
            Measured(before, None, None, {}), Measured(after, None, None, {}), POLICY, LEAST
        )
        if fall.measure == "recall"
    ]
    assert fall.too_far == (before - after > POLICY.recall_fall + 1e-9)


def of_classes(recall: float, rows: int) -> Evidence:
    """The evidence of a model of several classes with one group."""
    measures = Measures(0.8, 0.7, 0.75, 0.7, 0.9, 0.8, 0.1)
    spread = Spread(0.9, 0.0, (0.9,))
    return Evidence(
        class_metrics=ClassMetrics(
            model="parcels",
            weights={"a": 1.0},
            rows=ScoredRows(10, 10, rows),
            holdout=measures,
            intervals=Intervals(0.9, (0.7, 0.8), (0.7, 0.9)),
            classes={},
            confusion={},
            validation=measures,
            cross_validation=CrossValidation(spread, spread),
            segments={"Site": {"north": ClassGroup(rows, recall, (0.5, 0.9))}},
        )
    )


@pytest.mark.parametrize(("rows", "far"), [(500, ["recall of Site: north"]), (49, [])])
def test_groups_of_a_model_of_several_classes_may_not_fall_further(
    rows: int, far: list[str]
) -> None:
    before = measured(0.75, 0.7, of_classes(0.8, 500))
    after = measured(0.75, 0.7, of_classes(0.7, rows))
    assert [name for name, fall in told(after, before).items() if fall.too_far] == far
