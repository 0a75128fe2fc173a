"""The page of a history: where things are drawn, what is left out, and text of others on it."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_rows import RELEASE_ROW

from flows.audit.history import Counts, History, Row
from flows.views.past.history_page import Chart, chart, render
from sluice.gitops.history import KINDS

VERDICTS = ("PROMOTE", "HOLD", "REJECT", "INSUFFICIENT", "SOMETHING NEW")
ROW = msgspec.structs.replace(
    RELEASE_ROW,
    digest="sha256:a",
    measured={"recall": (0.75, 0.74, 0.76), "precision": (0.6, 0.5, 0.7)},
    sentence="Better.",
    who="Anna <a@x>",
    live=False,
)


def row(**changed: object) -> Row:
    return msgspec.structs.replace(ROW, **changed)


def measured(recall: float, margin: float = 0.01) -> dict[str, tuple[float, float, float]]:
    return {"recall": (recall, max(0.0, recall - margin), min(1.0, recall + margin))}


def drawn(*rows: Row) -> Chart:
    picture = chart(rows)
    assert picture is not None
    return picture


def of(rows: list[Row], live: Row | None = None, digest: str = "") -> History:
    return History(1, "attrition", live, digest, "2026-11-20", Counts(1, 2, 1), rows, [])


@st.composite
def events(draw: st.DrawFn) -> Row:
    kind = draw(st.sampled_from(KINDS))
    recall = draw(st.none() | st.floats(0, 1))
    margin = draw(st.floats(0, 0.5))
    return row(
        kind=kind,
        verdict=draw(st.sampled_from(VERDICTS)),
        measured={} if recall is None else measured(recall, margin),
        moves=kind in ("release", "rollback", "edit") and draw(st.booleans()),
        digest=draw(st.sampled_from(["sha256:a", "sha256:b", "sha256:c"])),
    )


@given(st.lists(events(), max_size=80))
@settings(max_examples=40, deadline=None)
def test_whatever_happened_is_drawn_inside_the_picture(rows: list[Row]) -> None:
    picture = chart(rows)
    if picture is None:
        kept = [row for row in rows if row.recall or row.moves][-60:]
        assert sum(1 for row in kept if row.recall) < 2
        return
    heights = [height for point in picture.points for height in (point.y, point.low, point.high)]
    heights += [height for height, _ in picture.grid]
    assert all(0 < height < picture.height for height in heights)
    places = [point.x for point in picture.points] + [place for place, _ in picture.backs]
    assert all(picture.left < place < picture.width - picture.right for place in places)


@given(st.lists(events(), max_size=80))
@settings(max_examples=40, deadline=None)
def test_a_point_stands_between_the_ends_of_its_interval_and_right_of_the_one_before(
    rows: list[Row],
) -> None:
    picture = chart(rows)
    points = picture.points if picture else ()
    # the height grows downwards
    assert all(point.high <= point.y <= point.low for point in points)
    assert [point.x for point in points] == sorted({point.x for point in points})


@given(st.floats(0.01, 0.9), st.floats(0.001, 0.09))
@settings(deadline=None)
def test_a_higher_recall_is_drawn_higher(recall: float, more: float) -> None:
    low, high = drawn(row(measured=measured(recall)), row(measured=measured(recall + more))).points
    assert high.y < low.y


@given(st.floats(0, 0.98), st.floats(0.001, 1))
@settings(deadline=None)
def test_the_grid_has_few_lines_at_round_shares(recall: float, margin: float) -> None:
    picture = drawn(row(measured=measured(recall, margin)), row(measured=measured(recall, margin)))
    labels = [label for _, label in picture.grid]
    assert len(labels) <= 5
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"\d+(\.\d)? %", label) for label in labels)


@pytest.mark.parametrize("count", [0, 1])
def test_one_candidate_makes_no_picture(count: int) -> None:
    assert chart([row()] * count) is None
    assert "<svg class=" not in render(of([row()] * count))


def test_a_rejected_candidate_far_below_does_not_flatten_the_others() -> None:
    good = [row(measured=measured(0.75)), row(measured=measured(0.76))]
    bad = row(kind="verdict", verdict="REJECT", measured=measured(0.1), moves=False)
    alone, with_bad = drawn(*good), drawn(*good, bad)
    assert [point.y for point in with_bad.points[:2]] == [point.y for point in alone.points]
    assert with_bad.points[2].y == with_bad.height - 26


def test_where_all_were_rejected_they_set_the_scale() -> None:
    rows = [
        row(kind="verdict", verdict="REJECT", measured=measured(recall), moves=False)
        for recall in (0.1, 0.2)
    ]
    low, high = drawn(*rows).points
    assert 16 < high.y < low.y < 224
    assert (low.mark, high.mark) == ("reject", "reject")


def test_what_was_live_is_a_line_that_steps_where_another_came() -> None:
    first, second = row(measured=measured(0.75)), row(digest="sha256:b", measured=measured(0.8))
    held = row(kind="verdict", verdict="HOLD", moves=False)
    picture = drawn(first, held, second)
    low, _, high = picture.points
    assert picture.live == f"M{low.x} {low.y}H{high.x}V{high.y}H946"


def test_the_line_ends_where_a_person_set_an_image_that_nobody_measured() -> None:
    unknown = row(kind="edit", digest="sha256:x", measured={})
    first, second = row(), row(digest="sha256:b")
    assert drawn(first, second, unknown).live.count("M") == 1
    assert not drawn(first, second, unknown).live.endswith("H946")
    again = drawn(first, unknown, second)
    assert again.live.count("M") == 2
    assert again.backs[0][1] == "2026-11-20 13:24 UTC, Changed by hand, release 3"


def test_of_a_long_history_the_newest_sixty_are_drawn() -> None:
    rows = [row(release=number, date=f"2026-01-{number % 28 + 1:02}") for number in range(100)]
    picture = drawn(*rows)
    assert len(picture.points) == 60
    assert picture.left_out == 40
    assert picture.points[0].title.endswith("release 40, recall 75.0 %")
    assert (picture.first, picture.last) == (rows[40].date, rows[-1].date)


def test_of_a_long_history_the_newest_three_hundred_are_in_the_table() -> None:
    page = render(of([row(release=number) for number in range(302)]))
    assert page.count('<tr class="release">') == 300
    assert "The newest 300 are shown; 2 earlier ones are in the JSON of this command." in page
    assert page.index('<span class="tag">301</span>') < page.index('<span class="tag">2</span>')
    assert '<span class="tag">1</span>' not in page


@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_history_that_fits_says_nothing_of_earlier_ones(count: int) -> None:
    assert "earlier ones" not in render(of([row()] * count))


@pytest.mark.parametrize(
    ("live", "digest", "title"),
    [
        (None, "", "Nothing is live yet"),
        (None, "sha256:b", "Live: set by hand"),
        (ROW, "sha256:a", "Live: release 3"),
    ],
)
def test_the_title_says_what_is_live(live: Row | None, digest: str, title: str) -> None:
    assert re.findall("<h1>(.*)</h1>", render(of([], live, digest))) == [title]


def test_an_empty_history_says_so() -> None:
    assert '<p class="lead">Nothing yet.</p>' in render(of([]))


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_others_is_text_on_the_page(kind: str) -> None:
    odd = '<script>alert(1)</script>"'
    page = render(of([row(kind=kind, sentence=odd, who=odd, approved=odd, overlay=odd, tag=odd)]))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;" in page


def test_the_page_fetches_nothing() -> None:
    page = render(of([row(), row()], ROW, "sha256:a"))
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ("HOLD", "Held"),
        ("REJECT", "Rejected"),
        ("INSUFFICIENT", "Too little data"),
        ("PROMOTE", "Not delivered"),
        ("SOMETHING NEW", "Ended"),
    ],
)
def test_a_candidate_that_was_not_released_says_how_it_ended(verdict: str, word: str) -> None:
    page = render(of([row(kind="verdict", verdict=verdict)]))
    assert f" {word}</span></th>" in page


def rejected(recall: float, margin: float = 0.01) -> Row:
    return row(
        kind="verdict", verdict="REJECT", measured=measured(recall, margin), moves=False, release=9
    )


NEAR = [row(measured=measured(0.75)), row(measured=measured(0.76))]


@pytest.mark.parametrize(
    ("recall", "beyond", "edge", "label"),
    [(0.807, "above", 16, "80.7 %"), (0.35, "below", 224, "35.0 %"), (0.755, "", None, "")],
)
def test_a_recall_outside_of_the_axis_stands_at_its_edge_with_an_arrow_and_its_value(
    recall: float, beyond: str, edge: float | None, label: str
) -> None:
    rows = [*NEAR, rejected(recall)]
    point = drawn(*rows).points[2]
    assert (point.beyond, point.label) == (beyond, label)
    assert edge is None or point.y == edge
    page = render(of(rows))
    assert page.count('class="arrow"') == bool(beyond)
    assert (f">{label}</text>" in page) is bool(beyond)
    assert ("An arrow with a number is a recall outside of the axis." in page) is bool(beyond)


def test_an_end_of_an_interval_outside_of_the_axis_is_marked() -> None:
    high, low = rejected(0.765, 0.05), rejected(0.745, 0.006)
    picture = drawn(*NEAR, high, low)
    assert [(point.cut_high, point.cut_low) for point in picture.points] == [
        (False, False),
        (False, False),
        (True, True),
        (False, False),
    ]
    assert render(of([*NEAR, high])).count('class="cut"') == 2


@given(st.lists(events(), max_size=80))
@settings(max_examples=40, deadline=None)
def test_what_has_no_arrow_lies_within_the_axis(rows: list[Row]) -> None:
    """A height at the edge is a value at the edge, or there is an arrow."""
    picture = chart(rows)
    for point in picture.points if picture else ():
        assert bool(point.label) is bool(point.beyond)
        if not point.beyond:
            assert 16 <= point.y <= 224
        if point.beyond == "above":
            assert point.y == 16 and point.cut_high
        if point.beyond == "below":
            assert point.y == 224 and point.cut_low


def test_the_page_names_the_confidence_of_its_intervals() -> None:
    assert "interval that its commit states: 90 %" in render(of(NEAR))


def test_the_end_of_a_canary_is_marked_in_the_picture() -> None:
    passed = row(kind="canary", outcome="healthy", measured={}, moves=False)
    rows = [row(measured=measured(0.75)), passed, row(measured=measured(0.8))]
    picture = drawn(*rows)
    low, high = picture.points
    [(x, words)] = picture.canaries
    assert low.x < x < high.x
    assert words == "2026-11-20 13:24 UTC, Canary passed, release 3"
    page = render(of(rows))
    assert page.count("dotted: a canary ended") == 1
    assert "dotted" not in render(of([row(), row()]))
