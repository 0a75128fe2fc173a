"""How good a model is, as its metrics.json says it: thresholds and groups, and what older files
lack.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from support.model_artifacts import trained_metrics

from sluice.model.quality.metrics import by_segment, group_table, measure
from sluice.model.quality.operating_curve import operating_curve
from sluice.served.error_rates import Rate
from sluice.served.model_quality import ModelQuality, model_quality

THRESHOLD = 0.45


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and a group for each row; both outcomes are there."""
    random = np.random.default_rng(seed)
    labels = np.array([0, 1, *random.integers(0, 2, count - 2)])
    return labels, random.random(count), random.choice(np.array(["a", "b"], dtype=object), count)


def told(labels: np.ndarray, scores: np.ndarray, names: np.ndarray) -> ModelQuality:
    """What a metrics.json of these validation rows says."""
    measured = by_segment(labels, scores >= THRESHOLD, {"g": names}, 0.9)
    document = {
        "threshold": THRESHOLD,
        "rows": {"validation": len(labels), "validation_positives": int(labels.sum())},
        "validation": to_builtins(measure(labels, scores, THRESHOLD)),
        "curve": to_builtins(operating_curve(labels, scores)),
        "groups": to_builtins(group_table(measured, {"g": ["b", "a"]}, 20)),
    }
    return model_quality(json.loads(json.dumps(document)))


def counts(rate: Rate | None) -> tuple[int, int]:
    return (rate.count, rate.of) if rate else (0, 0)


@given(st.integers(2, 300), st.integers(0, 10_000))
@settings(max_examples=25)
def test_the_figures_are_those_of_the_rows_that_were_measured(count: int, seed: int) -> None:
    labels, scores, names = rows(count, seed)
    quality = told(labels, scores, names)
    for cut in (quality.shipped, *quality.cuts):
        flagged = scores >= cut.threshold
        assert counts(cut.flagged) == (flagged.sum(), count)
        assert counts(cut.precision) == (labels[flagged].sum(), flagged.sum())
        assert counts(cut.recall) == (labels[flagged].sum(), labels.sum())
    [segment] = quality.segments
    for group in segment.groups:
        inside = names == group.name
        flagged = inside & (scores >= THRESHOLD)
        if min(labels[inside].sum(), (1 - labels[inside]).sum()) < 20:
            assert (group.rows, group.flagged, group.precision, group.recall) == (None,) * 4
            continue
        assert group.rows == inside.sum()
        assert counts(group.flagged) == (flagged.sum(), inside.sum())
        assert counts(group.precision) == (labels[flagged].sum(), flagged.sum())
        assert counts(group.recall) == (labels[flagged].sum(), labels[inside].sum())


@given(st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=25)
def test_a_threshold_is_found_by_how_many_it_flags_and_by_a_score(
    share: float, score: float
) -> None:
    quality = _QUALITY
    cut = quality.flagging(share)
    assert cut is not None
    assert all(abs(cut.share - share) <= abs(other.share - share) for other in quality.cuts)
    above = quality.from_score(score)
    lower = [other.threshold for other in quality.cuts if other.threshold <= score]
    assert (above.threshold if above else None) == max(lower, default=None)


_QUALITY = told(*rows(1_000, 1))


def test_a_group_keeps_the_order_of_the_contract_and_a_small_one_its_name() -> None:
    quality = model_quality(to_builtins(trained_metrics()))
    [segment] = quality.segments
    assert [(group.name, group.rows) for group in segment.groups] == [
        ("Female", 80),
        ("Male", None),
    ]
    assert quality.least == 30


@pytest.mark.parametrize("none", [True, False])
def test_a_file_of_an_older_version_has_neither_thresholds_nor_groups(none: bool) -> None:
    document = to_builtins(trained_metrics())
    for name in ("curve", "groups"):
        document[name] = None
        if not none:
            del document[name]
    quality = model_quality(document)
    assert (quality.cuts, quality.segments, quality.least) == ((), (), 0)
    assert (quality.flagging(0.5), quality.from_score(0.5)) == (None, None)
    assert counts(quality.shipped.precision) == (25, 50)
