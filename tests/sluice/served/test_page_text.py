"""What is not seen and would turn around, split or end what is read is written out on pages."""

import ast
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from flows.project.root import ROOT
from sluice.served.page_text import on_page

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
SPLITTING = "\u200b\u2060\ufeff\u00ad\u2028\u2029\u180e\u2063\U000e0041\ufff9\ufffe\ud800"
STEERING = "\x00\x08\x0b\x1b\x7f\x85\x9b"
# Letters of every script, and what their words and emoji are joined by.
WORDS = [
    "Söhne",
    "שלום",
    "سلام",
    "می\u200cخواهم",
    "क्\u200dष",
    "👩\u200d💻",
    "12\u00a0%",
    "a\tb\r\nc",
]


@pytest.mark.parametrize("sign", TURNING + SPLITTING + STEERING, ids=lambda it: f"U+{ord(it):04X}")
def test_no_unseen_character_comes_to_a_page(sign: str) -> None:
    template = Environment(autoescape=True, finalize=on_page).from_string('<p title="{{ it }}">')
    page = template.render(it=f"exe.{sign}<b>fdp")
    assert sign not in page
    assert "&lt;b&gt;" in page
    assert "\\" in page


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_as_it_was(word: str) -> None:
    assert on_page(word) == word


@given(text=st.text(st.characters(categories=["L", "N", "P", "S", "Cc", "Cf", "Zl", "Zp", "Zs"])))
def test_what_stays_is_seen_or_joins(text: str) -> None:
    shown = on_page(text)
    assert on_page(shown) == shown
    kept = {sign for sign in shown if unicodedata.category(sign) in ("Cc", "Zl", "Zp")}
    assert kept <= set("\t\n\r")
    assert not set(shown) & set(TURNING + SPLITTING)


def test_markup_stays_markup_and_what_is_no_text_is_left() -> None:
    assert isinstance(on_page(Markup("<b>\u202e</b>")), Markup)
    assert on_page(Markup("<b>\u202e</b>")) == "<b>\\u202e</b>"
    for value in (1, 0.5, None, ["\u202e"]):
        assert on_page(value) is value


def test_every_template_is_filled_through_it() -> None:
    made: list[Path] = []
    for room in ("bento", "flows", "gx", "scripts", "sluice"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called not in ("Environment", "jinja2.Environment", "Template"):
                    continue
                assert isinstance(node, ast.Call)
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert (words.get("autoescape"), words.get("finalize")) == ("True", "on_page"), path
                made.append(path)
    assert len(made) == 7
