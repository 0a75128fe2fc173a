"""Which pictures evidence has the numbers for: a part that is missing draws nothing."""

import numpy as np
import pytest

from flows.evidence.drawn_parts import PICTURES, draw, floors
from flows.evidence.pictures import Floors
from sluice.gitops.evidence import Evidence
from sluice.model.fit.tuning_file import Trial, Tuning
from sluice.model.quality.diagnostics import curve_points
from sluice.model.quality.diagnostics_file import Diagnostics, Importance, LearningPoint
from sluice.model.quality.metrics import confusion, cross_validation, intervals, measure
from sluice.model.quality.metrics_file import Metrics, ScoredRows

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, 2, 300)
CURVES = curve_points(LABELS, RANDOM.random(300), 0.9)
TRIAL = Trial(0, "a", {"C": 1}, 0.8, 0.01, (0.8,), (0.9,))
SHARES = measure(LABELS, RANDOM.random(300), 0.5)
METRICS = Metrics(
    model="a",
    threshold=0.5,
    rows=ScoredRows(train=1, validation=1, holdout=300, holdout_positives=int(LABELS.sum())),
    holdout=SHARES,
    intervals=intervals(LABELS, RANDOM.random(300), 0.5, 0.9),
    confusion=confusion(LABELS, LABELS == 1),
    validation=SHARES,
    cross_validation=cross_validation(TRIAL),
    segments={},
)
OF_CURVES = {"precision_recall", "roc", "calibration", "scores"}


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw(Evidence()) == {}


def test_curves_alone_draw_the_pictures_of_curves() -> None:
    evidence = Evidence(diagnostics=Diagnostics(CURVES, (), ()))
    assert set(draw(evidence)) == OF_CURVES


def test_each_part_adds_its_picture() -> None:
    parts = Diagnostics(CURVES, (Importance("Age", 0.1, 0.0),), (LearningPoint(100, 0.8, 0.7),))
    tuning = Tuning(winner=TRIAL, trials=(TRIAL,))
    drawn = draw(Evidence(diagnostics=parts, tuning=tuning))
    assert set(drawn) == OF_CURVES | {"importance", "learning", "tuning"}
    assert list(drawn) == [name for name in PICTURES if name in drawn]
    assert draw(Evidence(diagnostics=parts, tuning=tuning)) == drawn


def test_a_search_without_trials_is_not_drawn() -> None:
    assert draw(Evidence(tuning=Tuning(winner=TRIAL, trials=()))) == {}


def test_a_picture_that_is_known_stays_as_it_is() -> None:
    evidence = Evidence(diagnostics=Diagnostics(CURVES, (), ()))
    known = {"roc": "<svg>known</svg>", "confusion": "<svg>kept</svg>"}
    drawn = draw(evidence, known)
    assert {name: drawn[name] for name in known} == known
    assert set(drawn) == OF_CURVES | {"confusion"}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"recall_floor": 0.7, "precision_floor": 0.6}, Floors(0.7, 0.6)),
        ({"recall_floor": 0.7}, None),
        ({"precision_floor": 0.6}, None),
        ({}, None),
    ],
)
def test_floors_are_drawn_where_the_verdict_names_both(
    limits: dict[str, float], expected: Floors | None
) -> None:
    rules = [
        {"rule": name, "state": "met", "sentence": "s", "limit": limit}
        for name, limit in limits.items()
    ]
    verdict: dict[str, object] = {"verdict": "PROMOTE", "sentence": "s", "rules": rules}
    assert floors(Evidence(verdict=verdict)) == expected


def test_a_floor_of_lift_is_drawn_as_the_precision_that_it_asks_for() -> None:
    limits = {"recall_floor": 0.7, "lift_floor": 1.4}
    rules = [
        {"rule": name, "state": "met", "sentence": "s", "limit": limit}
        for name, limit in limits.items()
    ]
    verdict: dict[str, object] = {"verdict": "PROMOTE", "sentence": "s", "rules": rules}
    drawn = floors(Evidence(verdict=verdict, metrics=METRICS))
    assert drawn == Floors(0.7, pytest.approx(1.4 * LABELS.mean()))
    assert floors(Evidence(verdict=verdict)) is None
