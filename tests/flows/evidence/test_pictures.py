"""Every picture is valid SVG on its own, the same bytes each time, small, and safe in a page."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flows.evidence import pictures
from flows.evidence.pictures import Floors, Point
from sluice.model.fit.training import trial_of
from sluice.model.quality.diagnostics import curve_points
from sluice.model.quality.diagnostics_file import Importance, LearningPoint
from sluice.model.quality.metrics_file import Confusion, Group

RANDOM = np.random.default_rng(7)
LABELS = RANDOM.integers(0, 2, 3000)
CURVES = curve_points(LABELS, np.clip(0.3 * LABELS + RANDOM.random(3000) * 0.7, 0, 1), 0.9)
COUNTS = Confusion(true_positive=5406, false_positive=2461, false_negative=1678, true_negative=5354)
POINT = Point(0.76, 0.69, (0.75, 0.77), (0.68, 0.7))
TRIALS = [
    trial_of(number, family, {"C": number}, [(score, score)])
    for number, (family, score) in enumerate(
        [("a", 0.79), ("b", 0.80), ("a", 0.61), ("b", 0.795), ("a", 0.8)]
    )
]
EVIL = "<script>alert('x')</script>$\\frac & \"q\""
DRAWINGS: dict[str, Callable[[], str]] = {
    "confusion": lambda: pictures.confusion(COUNTS, "Left", EVIL),
    "precision_recall": lambda: pictures.precision_recall(
        CURVES, CURVES, POINT, Floors(recall=0.72, precision=0.66)
    ),
    "precision_recall_alone": lambda: pictures.precision_recall(CURVES),
    "roc": lambda: pictures.roc(CURVES, CURVES, COUNTS),
    "roc_alone": lambda: pictures.roc(CURVES),
    "calibration": lambda: pictures.calibration(CURVES.calibration),
    "importance": lambda: pictures.importance([Importance(EVIL, 0.1, 0.01)] * 20),
    "learning": lambda: pictures.learning([LearningPoint(10**n, 0.8, 0.7) for n in (2, 3, 4)]),
    "tuning": lambda: pictures.tuning(TRIALS, 4, "average_precision"),
    "tuning_single": lambda: pictures.tuning(TRIALS[:1]),
    "scores": lambda: pictures.scores(CURVES.histogram, 0.5, "Left", EVIL),
    "segments": lambda: pictures.segments(
        {
            "gender": {
                EVIL: Group(9, 5, 0.7, 0.6, 0.5, (0.6, 0.8)),
                "few": Group(1, 0, 0.0, 0.0, 0.0, (0.0, 1.0)),
            }
        },
        0.75,
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_picture_is_one_safe_small_svg_and_always_the_same(name: str) -> None:
    svg = DRAWINGS[name]()
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert svg == DRAWINGS[name]()
    assert (
        "<script" not in svg
        and "<style" not in svg
        and "metadata" not in svg
        and "date>" not in svg
    )
    assert len(svg) < 60_000


def test_ids_of_two_pictures_do_not_meet() -> None:
    first, second = (_ids(DRAWINGS[name]()) for name in ("roc", "calibration"))
    assert first and second and not first & second


def test_text_stays_text_with_all_its_digits() -> None:
    assert ">0.8000</text>" in DRAWINGS["tuning"]()
    assert ">5,406</text>" in DRAWINGS["confusion"]()


def test_a_trial_far_below_the_rest_is_named_and_does_not_flatten_them() -> None:
    assert "↓ 0.610" in DRAWINGS["tuning"]()


def test_drawing_leaves_the_style_of_others_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    DRAWINGS["roc"]()
    assert dict(matplotlib.rcParams) == before


def _ids(svg: str) -> set[Any]:
    return {element.get("id") for element in ElementTree.fromstring(svg).iter()} - {None}
