"""Text of others in a terminal: it is shown, and does nothing."""

import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from flows.views import terminal
from flows.views.escape import escape

# What a name of others may try: colours, links, and characters that steer a terminal.
PIECES = st.sampled_from(["[red]", "[/]", "[bold", "\\", "\\[", "]", "\x1b[31m", "\x9b", "\u202e"])
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join)


def printed(text: str) -> str:
    """What a terminal with colours gets for a text that was made safe."""
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, highlight=False, emoji=False, soft_wrap=True, width=10_000
    )
    console.print(escape(text), end="")
    return out.getvalue()


@given(TEXTS)
@settings(deadline=None)
def test_nothing_but_line_ends_and_tabs_steers_the_terminal(text: str) -> None:
    categories = {unicodedata.category(sign) for sign in printed(text) if sign not in "\n\t"}
    assert not {category for category in categories if category.startswith("C")}


@given(st.text(alphabet="ab[]/\\ #=0=:", max_size=12))
@settings(deadline=None)
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert printed(text) == text


def test_the_console_makes_no_picture_of_a_word_between_colons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.console(stderr=False).print(escape("team:a: :smile:"))
    assert capsys.readouterr().out == "team:a: :smile:\n"


@given(st.integers(0, 4))
@settings(deadline=None)
def test_backslashes_at_the_end_neither_vanish_nor_keep_a_style_open(count: int) -> None:
    out = io.StringIO()
    console = Console(file=out, highlight=False, soft_wrap=True)
    name = "a" + "\\" * count
    console.print(f"[red]{escape(name)}[/] and {escape(name)}", end="")
    assert out.getvalue() == f"{name} and {name}"


PIECES = st.text(alphabet="a/[]\\#@ ", max_size=6)


@given(st.lists(PIECES, max_size=4))
def test_no_text_closes_a_bracket_that_another_opened(pieces: list[str]) -> None:
    """`[/nothing` is no markup, and becomes some where the next text of the line has a `]`."""
    out = io.StringIO()
    console = Console(file=out, highlight=False, soft_wrap=True)
    console.print("".join(map(escape, pieces)), end="")
    assert out.getvalue() == "".join(pieces)


@given(st.text(alphabet=st.characters(categories=["L", "N"]), max_size=20))
@settings(deadline=None)
def test_letters_and_numbers_of_all_languages_stay(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x07", "\\x07"),
        ("\r", "\\r"),
        ("\x1b]8;;http://x\x1b\\", "\\x1b]8;;http://x\\x1b\\"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("\U000e0041", "\\U000e0041"),
        ("\u00a0", "\\xa0"),
    ],
)
def test_a_character_that_is_not_seen_is_written_out(text: str, seen: str) -> None:
    assert printed(text) == seen


def test_a_very_long_text_is_shown_whole() -> None:
    assert escape("[x]" * 10_000).replace("\\", "") == "[x]" * 10_000
