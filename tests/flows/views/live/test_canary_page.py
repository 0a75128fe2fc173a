"""The evidence of a canary as a page: what the real judge said of simulated requests."""

import datetime
import re

import pytest
from support import judged_canaries, rollouts
from support.rollouts import Document

from flows.canary.following import Found
from flows.views.live.canary_page import picture, render
from sluice.canary.ending import ending
from sluice.canary.progress import progress
from sluice.canary.verdict import Verdict

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
NOW = datetime.datetime(2026, 11, 28, 22, 0, tzinfo=datetime.UTC)


def found(verdicts: list[tuple[int, Verdict]], status: Document) -> Found:
    seen = judged_canaries.seen(verdicts, status, OLD, NEW)
    ended = ending(seen, NEW, NOW, 1e6)
    return Found("attrition", 7, "2" * 16, NEW, ended, progress(seen), "", NOW.isoformat())


@pytest.fixture(scope="module")
def harmful() -> Found:
    bad = judged_canaries.judged(0.45, 4, looks=8)
    return found(bad, rollouts.aborted(rollouts.FAILED))


@pytest.fixture(scope="module")
def healthy() -> Found:
    return found(judged_canaries.judged(0.31, 4), rollouts.healthy())


def test_the_bounds_close_in_until_it_is_decided(harmful: Found) -> None:
    looks = harmful.progress.looks
    drawn = picture(looks, over=True)
    assert drawn is not None and drawn.decided is not None
    assert (drawn.decided.word, drawn.decided.x) == ("fail", drawn.points[-1].x)
    widths = [point.low - point.high for point in drawn.points]
    assert widths[-1] < widths[0] / 2
    # Wholly beyond the line that takes it back, and not before.
    beyond = [point.low <= drawn.tolerated[0] + 1.0 for point in drawn.points]
    assert beyond == [False] * (len(beyond) - 1) + [True]
    assert [part.name for part in drawn.stretches] == ["5 %", "25 %"]
    page = render(harmful)
    assert "HARMFUL" in page
    assert "decided here: fail" in page
    assert page.count('class="bar"') == len(looks) == len(drawn.points)


def test_a_canary_that_passed_ends_between_the_lines(healthy: Found) -> None:
    drawn = picture(healthy.progress.looks, over=True)
    assert drawn is not None and drawn.decided is not None
    last = drawn.points[-1]
    assert drawn.decided == last
    assert drawn.alarming[0] < last.high < last.low < drawn.alarming[1]
    page = render(healthy)
    assert "PASSED" in page and "All 4 of its analyses passed." in page
    for measure in healthy.progress.measures:
        assert f'<th scope="row">{measure.name}</th>' in page


def test_what_was_foretold_is_where_the_lines_lie() -> None:
    going_on = found(judged_canaries.judged(0.36, 2, expected=0.05), rollouts.going_on(5, 25))
    looks = going_on.progress.looks
    assert looks[-1].flagged is not None
    assert looks[-1].flagged.expected == 0.05
    drawn = picture(looks, over=False)
    assert drawn is not None and drawn.decided is None
    [zero] = [y for y, text in drawn.grid if text == "0"]
    assert drawn.expected < zero
    assert "GOING ON" in render(going_on)


def test_before_a_look_it_says_so() -> None:
    page = render(found([], rollouts.going_on(0)))
    assert "The judge has not looked at it yet" in page
    assert 'id="bounds"' not in page


def test_it_is_one_file_that_asks_for_nothing_and_prints(healthy: Found) -> None:
    page = render(healthy)
    assert not re.findall(r"(?:src|href)=|<script|url\(", page)
    assert "default-src 'none'" in page
    assert "@page { size: A4" in page


def test_text_of_others_stays_text() -> None:
    status = rollouts.going_on(0, phase="<b>\x1b[2J")
    page = render(found([], status))
    assert "<b>" not in page and "\x1b" not in page
