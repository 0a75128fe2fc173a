"""What people are told of a number that they can act on, and of groups."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs, to_builtins
from support.model_artifacts import trained_metrics

from bento.page import quality
from bento.page.form import Mistake
from sluice.model.quality.metrics_file import Group, GroupMeasured, GroupTable, Segment
from sluice.served.model_quality import ModelQuality, model_quality


def good() -> ModelQuality:
    return model_quality(to_builtins(trained_metrics()))


@pytest.mark.parametrize(
    ("typed", "number"),
    [("", None), ("  ", None), ("1", 1), (" 25 ", 25), ("1,000", 1000), ("0007", 7)],
)
def test_a_whole_number_is_read(typed: str, number: int | None) -> None:
    assert quality.number("n", typed, 1000) == number


@given(
    st.sampled_from(["0", "-1", "+1", "1.5", "1e2", "1001", "1,0", ",", "٣", "²", "nan", "9" * 20])
    | st.text("x. -", min_size=1).filter(str.strip)
)
@settings(max_examples=40)
def test_what_is_no_such_number_is_named(typed: str) -> None:
    sentence = "How many you can act on must be a whole number from 1 to 1,000"
    assert quality.number("n", typed, 1000) == Mistake("n", sentence)


@given(st.integers(1, 1000))
@settings(max_examples=25)
def test_a_choice_is_the_nearest_number_that_was_measured(wanted: int) -> None:
    found = quality.choice(good(), wanted)
    assert found is not None
    assert found.flagged in range(100, 1001, 100)
    assert abs(found.flagged - wanted) <= max(50, 100 - wanted)
    assert found.found == found.flagged / 2  # half of those that any threshold flags are positive


def test_the_table_has_each_number_once_with_the_chosen_and_the_shipped_one() -> None:
    chosen = quality.choice(good(), 210)
    found = [(line.flagged, line.kind) for line in quality.lines(good(), chosen)]
    assert found == [(100, ""), (200, "chosen"), (300, ""), (400, ""), (500, "shipped")]
    none = [(line.flagged, line.kind) for line in quality.lines(good(), None)]
    assert none == [(100, ""), (200, ""), (300, ""), (400, ""), (500, "shipped")]


def test_without_a_curve_only_the_shipped_threshold_is_told() -> None:
    old = model_quality(to_builtins(structs.replace(trained_metrics(), curve=None, groups=None)))
    assert quality.choice(old, 100) is None
    assert [line.kind for line in quality.lines(old, None)] == ["shipped"]


def test_groups_are_named_as_worse_where_the_whole_interval_is() -> None:
    """All rows have a recall and a precision of one half."""

    def group(name: str, rows: int, recall: float, precision: float) -> GroupMeasured:
        flagged = recall * 0.5 / precision
        return GroupMeasured(name, Group(rows, rows // 2, recall, precision, flagged, (0, 1)))

    groups = (
        group("far below", 800, 0.25, 0.5),
        group("just below", 800, 0.44, 0.5),
        group("within chance", 80, 0.4, 0.5),
        group("as good", 800, 0.5, 0.5),
        group("imprecise", 800, 0.5, 0.4),
        GroupMeasured("few", None),
    )
    table = GroupTable(30, (Segment("age_band", groups),))
    found = quality.behind(
        model_quality(to_builtins(structs.replace(trained_metrics(), groups=table)))
    )
    assert found.recall == ("Age band far below (25\u00a0%)", "Age band just below (44\u00a0%)")
    assert found.precision == ("Age band imprecise (40\u00a0%)",)
