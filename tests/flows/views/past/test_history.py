"""The history of a model on the terminal: a line for each event, and what is live."""

import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from support.history_rows import RELEASE_ROW

from flows.audit.history import Before, Counts, History, Row
from flows.views.past import history
from sluice.gitops.history import KINDS

LIVE = f"sha256:{'a' * 64}"


def row(**changed: object) -> Row:
    return msgspec.structs.replace(RELEASE_ROW, **changed)


def of(*rows: Row, live: Row | None = None, digest: str = "", **counts: int) -> History:
    numbers = Counts(**{"release": 0, "rollback": 0, "verdict": 0, **counts})
    return History(1, "attrition", live, digest, "2026-11-20T13:24:07", numbers, list(rows), [])


def printed(seen: History, limit: int = 20) -> list[str]:
    out = io.StringIO()
    history.history(Console(file=out, highlight=False, soft_wrap=True), seen, limit)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (
            RELEASE_ROW,
            "▲ release 3    1111111111111111  PROMOTE  recall 0.7500 0.7400 to 0.7600  live",
        ),
        (
            row(approved="Ben <b@x>", live=False, measured={}),
            "▲ release 3    1111111111111111  PROMOTE  merged by Ben",
        ),
        (
            row(kind="verdict", verdict="REJECT", measured={}, live=False),
            "✕ release 3    1111111111111111  REJECT  Better than the champion.",
        ),
        (
            row(kind="canary", outcome="healthy", sentence="All passed.", live=False),
            "● canary       1111111111111111  release 3 healthy  All passed.",
        ),
        (
            row(kind="verdict", verdict="SOMETHING NEW", measured={}, live=False),
            "? release 3    1111111111111111  SOMETHING NEW  Better than the champion.",
        ),
        (
            row(kind="reserved", sentence="Took its number."),
            "? release 3     Took its number.",
        ),
        (
            row(kind="rollback", before=Before(4, "t"), sentence="Worse."),
            "↩ rollback     1111111111111111  to release 3 from release 4, by Anna Meyer  live"
            "  Worse.",
        ),
        (
            row(kind="rollback", who="", live=False, sentence=""),
            "↩ rollback     1111111111111111  to release 3, by somebody  ",
        ),
        (
            row(kind="edit", moves=True, live=False, sentence="Set it"),
            "✎ by hand      Anna Meyer set 1111111111111111  Set it",
        ),
        (
            row(kind="edit", moves=False, live=False, sentence="More replicas"),
            "✎ by hand      Anna Meyer  More replicas",
        ),
        (
            row(kind="quarantine", tag="", sentence="Flags everybody."),
            "⊘ quarantine   aaaaaaaaaaaa  Anna Meyer  Flags everybody.",
        ),
        (
            row(kind="lift", tag="", digest="", sentence="It was the data."),
            "○ lift         Anna Meyer  It was the data.",
        ),
        (
            row(measured={}, live=False, overlay="staging"),
            "▲ release 3    1111111111111111  PROMOTE  in staging",
        ),
    ],
)
def test_each_kind_of_event_is_told_in_its_words(seen: Row, line: str) -> None:
    first, _ = printed(of(seen))
    assert first == f"2026-11-20 13:24 UTC  {line}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_a_history_knows_can_be_shown(kind: str) -> None:
    assert len(printed(of(row(kind=kind)))) == 2


@given(st.integers(0, 30), st.integers(0, 40))
@settings(deadline=None)
def test_at_most_the_limit_is_shown_and_the_rest_counted(events: int, limit: int) -> None:
    lines = printed(of(*[row(release=number) for number in range(events)]), limit)
    shown = [line for line in lines if "▲" in line]
    assert len(shown) == min(events, limit)
    earlier = f"{events - limit} earlier: sluice history --limit {events}"
    assert (earlier in lines) == (0 < limit < events)


def test_the_newest_event_is_the_last_line_before_the_one_that_matters() -> None:
    lines = printed(of(row(release=1), row(release=2), row(release=7)), limit=2)
    assert ["release 2" in lines[1], "release 7" in lines[2]] == [True, True]


def test_a_long_sentence_is_cut_at_a_word_and_a_short_one_is_whole() -> None:
    long = "x" * 89 + " " + "y" * 30
    first, _ = printed(of(row(kind="verdict", sentence=long)))
    assert first.endswith(f"  {'x' * 89}...")
    first, _ = printed(of(row(kind="verdict", sentence="z" * 90)))
    assert first.endswith("z" * 90)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (of(), "Nothing of attrition is live yet: sluice release attrition"),
        (of(verdict=1), "Nothing of attrition is live yet: 1 candidate not released."),
        (
            of(live=RELEASE_ROW, digest=LIVE, release=2, verdict=3, rollback=1),
            "Live: release 3 of attrition, since 2026-11-20 13:24 UTC; 2 releases, 3 candidates not"
            " released, 1 rollback.",
        ),
        (
            of(digest=LIVE, release=1),
            "Live: aaaaaaaaaaaa, by hand, since 2026-11-20 13:24 UTC; 1 release.",
        ),
    ],
)
def test_the_last_line_says_what_is_live_and_how_often_what_happened(
    seen: History, sentence: str
) -> None:
    assert history.last(seen) == sentence
    assert printed(seen)[-1] == sentence


def test_the_page_is_named_where_one_was_written() -> None:
    lines = printed(msgspec.structs.replace(of(), page="/home/anna/[b]history.html"))
    assert lines[0] == "Page  /home/anna/[b]history.html"


@pytest.mark.parametrize("kind", ["rollback", "edit", "quarantine", "verdict", "reserved"])
def test_no_text_of_a_commit_sets_a_colour(kind: str) -> None:
    odd = row(kind=kind, sentence="[red]a[/]", who="[b]Eve[/] <e@x>", overlay="[i]", live=False)
    first, _ = printed(of(odd))
    assert "[red]a[/]" in first
    assert first.endswith("in [i]")
    assert ("[b]Eve[/]" in first) == (kind in ("rollback", "edit", "quarantine"))
