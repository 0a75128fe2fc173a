"""The page of the monitor: everything inside its pictures, text of others as text, nothing fetched;
and the same in a terminal.
"""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.monitor_reports import OF_NUMBER

from flows.monitoring.candidate import Ran, Tried
from flows.views.live.monitor import markdown, show
from flows.views.live.monitor_page import (
    flagged_lines,
    heat,
    marks,
    recall_lines,
    render,
    skill_lines,
)
from sluice.monitor.report import ACT, FINE, WATCH, Finding, Happened, Live, Promised, Report, Week
from sluice.monitor.triggers import Decision, Reason, Start

WEEK = Week(
    start="2026-01-05",
    rows=700,
    flagged=0.5,
    positives=300,
    recall=0.74,
    below=0.8,
    drift={"Age": 0.01, "Income": 0.3},
)
FOUND = Finding(
    kind="data", severity=WATCH, sentence="Age <b>has</b> drifted.", response="Look.", column="Age"
)
REPORT = Report(
    model="attrition",
    release=3,
    since="2026-01-05",
    day="2026-02-01",
    verdict=WATCH,
    sentence="Age has drifted.",
    level=0.05,
    findings=(FOUND,),
    promised=Promised(recall=0.75, precision=0.7, brier=0.2, flagged=0.5, prevalence=0.5),
    live=Live(labelled=700, positives=300, recall=0.74, precision=0.7, brier=0.2, below=0.8),
    weeks=(WEEK,),
    rows=700,
    days=7,
    notes=("An outcome counts 30 days after the answer.",),
    story=(
        Happened("2026-01-05", "Release 3: promoted."),
        Happened("2026-01-30", "A candidate began by itself, for drift: Age <i>has</i> drifted."),
    ),
)
SHARE = st.floats(0, 1)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Week, ...]:
    return tuple(
        Week(
            start=f"2026-01-{at + 1:02}",
            rows=draw(st.integers(1, 10**6)),
            flagged=draw(SHARE),
            positives=draw(st.integers(0, 500)),
            recall=draw(st.none() | SHARE),
            below=draw(SHARE),
            drift=draw(st.dictionaries(st.sampled_from(["Age", "Income"]), st.floats(0, 9))),
        )
        for at in range(draw(st.integers(0, 6)))
    )


@given(weeks(), SHARE)
@settings(max_examples=60, deadline=None)
def test_whatever_was_seen_is_drawn_inside_the_picture(
    seen: tuple[Week, ...], promised: float
) -> None:
    for lines in (recall_lines(seen, promised), flagged_lines(seen, promised)):
        if lines:
            heights = [lines.promised, *(y for _, y, _ in lines.points)]
            heights += [float(y) for y in re.findall(r" ([\d.]+)", lines.bound)]
            assert all(0 <= y <= lines.height for y in heights)
            assert all(0 <= x <= 960 for x, _, _ in lines.points)
            assert 0 <= len(lines.grid) <= 7
    picture = heat(seen)
    if picture:
        assert all(cell.x + cell.width <= 960 for cell in picture.cells)
        assert len(picture.cells) == len(picture.names) * len(seen)


def test_the_column_that_drifted_most_comes_first() -> None:
    picture = heat([WEEK])
    assert picture is not None
    assert [name for _, name in picture.names] == ["Income", "Age"]
    assert [cell.shade for cell in picture.cells] == ["strong", "none"]


def test_the_page_is_one_file_that_runs_nothing() -> None:
    page = render(REPORT)
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=", page)
    assert "Age &lt;b&gt;has&lt;/b&gt; drifted." in page
    assert "<h1>WATCH</h1>" in page
    assert "size: A4" in page
    assert page.count("<svg") >= 3
    assert render(REPORT) == page


def test_before_the_first_answer_there_is_a_page_too() -> None:
    empty = msgspec.structs.replace(
        REPORT,
        verdict=FINE,
        findings=(),
        weeks=(),
        live=Live(labelled=0, positives=0, recall=None, precision=None, brier=None),
    )
    page = render(empty)
    assert "Nothing that asks for anything." in page
    assert "unknown without labels" in page
    assert "Live recall by week" not in page


@pytest.mark.parametrize("severity", [WATCH, ACT])
def test_a_terminal_shows_findings_and_whether_a_candidate_is_due(
    severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = msgspec.structs.replace(REPORT, verdict=severity)
    reason = Reason("drift", "2026-01-30", "Age has drifted.")
    show(report, Tried(Decision(True, (reason,), ())))
    said = " ".join(capsys.readouterr().out.split())
    assert "watch Age <b>has</b> drifted." in said
    assert "A candidate is due." in said
    assert "Begin it: `sluice monitor attrition --start`" in said
    assert "drift, since 2026-01-30: Age has drifted." in said
    assert f"{severity.upper()}: release 3 of attrition. Age has drifted." in said


def test_on_the_page_of_a_run_each_finding_has_what_helps_below_it() -> None:
    text = markdown(REPORT, None, "in /home/sluice/monitor.html, on the machine of this run")
    assert text.startswith("# WATCH: release 3 of attrition\n\nAge has drifted.\n")
    assert "- **Pictures**: in /home/sluice/monitor.html, on the machine of this run\n" in text
    assert text.endswith("- **watch**: Age &lt;b&gt;has&lt;/b&gt; drifted.\n    - Look.\n")
    nothing = msgspec.structs.replace(REPORT, verdict=FINE, findings=())
    assert "What was found" not in markdown(nothing, None, "")


def test_the_page_tells_what_happened_with_text_of_others_as_text() -> None:
    page = render(REPORT)
    assert page.index("Release 3: promoted.") < page.index("A candidate began by itself")
    assert "Age &lt;i&gt;has&lt;/i&gt; drifted." in page
    assert "What happened" not in render(msgspec.structs.replace(REPORT, story=()))


def test_a_candidate_that_ran_is_told_with_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    moment = "2026-02-01T06:00:00+00:00"
    start = Start(moment, moment, "here", (Reason("drift", "2026-01-30", "Age has drifted."),), 3)
    ran = Ran(start, True, "promoted", "release 4 is committed")
    show(REPORT, Tried(Decision(False, (), ("it began before",)), ran))
    said = " ".join(capsys.readouterr().out.split())
    assert f"promoted, begun at {moment}, gone on with now: release 4 is committed." in said
    assert "drift, since 2026-01-30: Age has drifted." in said
    assert "it began before" not in said


def test_releases_canaries_and_rollbacks_are_marked_on_their_days() -> None:
    weeks = (WEEK, msgspec.structs.replace(WEEK, start="2026-01-12"))
    story = (
        Happened("2025-12-01", "Release 2: promoted.", "release", "release 2"),
        Happened("2026-01-05", "Release 3: promoted.", "release", "release 3"),
        Happened("2026-01-08", "The canary of release 3 passed.", "canary", "canary of 3"),
        Happened("2026-01-09", "Release 4: held."),
        Happened("2026-01-30", "Rolled back to release 2.", "rollback", "back to 2"),
    )
    report = msgspec.structs.replace(REPORT, weeks=weeks, story=story)
    began, canary, back = marks(report, 46)
    assert (began.words, began.x) == ("release 3", 46.0)
    # A week is 450 wide here, and three of its days have gone by.
    assert (canary.kind, canary.words, canary.x) == ("canary", "canary of 3", 238.9)
    assert (back.kind, back.x, back.anchor) == ("rollback", 946.0, "end")
    assert len({one.y for one in (began, canary, back)}) == 3
    page = render(report)
    pictures = page.count('<svg class="over')
    assert pictures == 3
    assert page.count("2026-01-08: The canary of release 3 passed.") == pictures
    assert marks(msgspec.structs.replace(REPORT, weeks=()), 46) == ()


def test_of_a_number_page_and_terminal_tell_error_and_skill(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = render(OF_NUMBER)
    assert "<h2>Live skill by week</h2>" in page
    assert "69.0 % of the error of the median is saved, 300 rows" in page
    assert "flagged by week" not in page
    show(OF_NUMBER)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Live mean absolute error 51,000 EUR, skill 0.6900, 50.0 % no more than 40,000 EUR off,"
        " bias 900 EUR, skill surely below 0.80" in said
    )
    assert "no more than 40,000 EUR off; the anchor skill 0.7000" in said
    assert "**Labels**: 900 rows" in markdown(OF_NUMBER, None, "")


def test_a_week_that_is_worse_than_the_median_is_drawn_at_the_bottom() -> None:
    worse = msgspec.structs.replace(OF_NUMBER.weeks[0], skill=-3.0)
    lines = skill_lines((worse, OF_NUMBER.weeks[0]), 0.7)
    assert lines is not None
    assert all(0 <= y <= lines.height for _, y, _ in lines.points)
    assert skill_lines((), 0.7) is None
