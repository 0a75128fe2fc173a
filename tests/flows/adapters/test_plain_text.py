"""Text of others that is printed as it is: it is shown, it does nothing, and it can be read."""

import ast
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flows.adapters import plain_text
from flows.project.root import ROOT

CONTROLS = [chr(code) for code in (*range(32), *range(127, 160))]
STEERING = [*CONTROLS, "\u200e", "\u202e", "\u2066", "\u2028", "\ufeff", "\U000e0041", "\ud800"]


def steers(text: str) -> set[str]:
    return {sign for sign in text if unicodedata.category(sign)[0] == "C" and sign not in "\n\t"}


@pytest.mark.parametrize("sign", STEERING, ids=lambda sign: f"U+{ord(sign):04X}")
def test_no_character_steers_a_terminal(sign: str) -> None:
    out = io.StringIO()
    plain_text.say(f"a{sign}b", out)
    assert not steers(out.getvalue())
    assert out.getvalue().startswith("a")


@given(st.text(st.characters()))
def test_a_line_is_visible_and_what_was_visible_is_unchanged(text: str) -> None:
    shown = plain_text.visible(text)
    assert not steers(shown)
    assert plain_text.visible(shown) == shown
    if not steers(text) and all(sign.isprintable() for sign in text):
        assert shown == text


@given(st.lists(st.text("ab-/.", min_size=1, max_size=30)), st.integers(1, 60))
def test_lines_are_broken_between_words_and_no_word_is_cut(words: list[str], width: int) -> None:
    text = plain_text.broken(" ".join(words), width)
    assert text.split() == words
    assert all(len(line) <= width or " " not in line for line in text.split("\n"))


def test_what_is_indented_goes_on_below_itself_and_short_lines_stay() -> None:
    text = "Error: it is\n  Name another one with --port.\n\n  a  b"
    assert plain_text.broken(text, 20) == (
        "Error: it is\n  Name another one\n  with --port.\n\n  a  b"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_lines_and_a_file_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen, file = Terminal(), io.StringIO()
    sentence = "the server was not ready after 120 seconds"
    for stream in (screen, file):
        plain_text.say(sentence, stream)
    assert file.getvalue() == f"{sentence}\n"
    assert screen.getvalue() == "the server was not\nready after 120\nseconds\n"


DOCUMENTS = st.recursive(
    st.text(st.characters()) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(DOCUMENTS)
def test_json_is_visible_and_means_the_same(document: object) -> None:
    text = plain_text.as_json(document)
    assert not steers(text)
    assert json.loads(text) == document


def test_a_letter_stays_a_letter_in_json() -> None:
    assert plain_text.as_json(["Zoë"]) == '[\n "Zoë"\n]'


DRAWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = [
    "![x](http://evil.example/y)",
    "[Promoted](http://evil.example)",
    "[a][b]",
    "[a]: http://evil.example 'x'",
    "<img src=x onerror=1>",
    "<http://evil.example>",
    "<!-- gone",
    "&lt;b&gt; &copy;",
    "**Promoted.** _x_ __y__ *z*",
    "~~no~~",
    "# Promoted",
    "- one",
    "+ one",
    "1. one",
    "2) one",
    "> quoted",
    "```sh",
    "~~~",
    "---",
    "===",
    "a | b\n|---|---|\n| c | d |",
    "a\n\n# Promoted\n\nb",
    "\\*a\\* \\[b](c) \\\\",
    "\u202ecba \x1b[2J",
    "@team fixes #12",
    "recall_floor is 0.74 [0.7387, 0.7557]; `sluice plan` is next.",
]
QUIET = {"text", "text_special", "code_inline", "softbreak"}


def drawn_text(markdown: str) -> str:
    """What a reader sees of Markdown that is one paragraph; anything but text in it fails."""
    tokens = DRAWN.parse(f"# Head\n\n{markdown}\n\n# Foot\n")
    kinds = [token.type for token in tokens]
    inline = [token for token in tokens if token.type == "inline"]
    assert kinds.count("heading_open") == 2
    if len(inline) == 2:
        return ""
    assert kinds[3:6] == ["paragraph_open", "inline", "paragraph_close"], markdown
    parts = inline[1].children or []
    assert {part.type for part in parts} <= QUIET, markdown
    return "".join(f"`{part.content}`" if part.markup == "`" else part.content for part in parts)


@pytest.mark.parametrize("text", MARKUP)
def test_no_text_is_markup(text: str) -> None:
    shown = plain_text.in_markdown(text)
    assert drawn_text(shown) == plain_text.visible(" ".join(text.split()))
    [row] = re.findall(r"(?m)^<td>(.*)</td>$", DRAWN.render(f"| a |\n|---|\n| {shown} |\n"))
    assert "<" not in row.replace("<code>", "").replace("</code>", "")
    assert not re.search(r"(^|\W)@\w|#\d", shown.replace("&#", ""))


@given(text=st.text(st.sampled_from("ab1 \n.!\"#&'()*+-:;<=>@[\\]^_{|}~/\u202e\x1b"), max_size=40))
def test_no_sequence_of_signs_is_markup(text: str) -> None:
    shown = plain_text.in_markdown(text)
    assert drawn_text(shown) == plain_text.visible(" ".join(text.split()))


# The answers of a file are poured, JSON of `json.dumps` holds no such character, and a child of a
# drill talks to its parent.
OTHER_DOORS = {"flows/adapters/plain_text.py", "flows/drills/crash/race.py"}


def test_nothing_is_printed_by_another_door() -> None:
    found = []
    for path in sorted((ROOT / "flows").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or name in OTHER_DOORS:
                continue
            called = ast.unparse(node.func)
            if called.endswith(("stdout.write", "stderr.write", "typer.echo")):
                found.append(f"{name}:{node.lineno}")
            safe = node.args and ast.unparse(node.args[0]).startswith("json.dumps(")
            if called == "print" and not (safe and "ensure_ascii" not in ast.unparse(node)):
                found.append(f"{name}:{node.lineno}")
    assert found == []


def test_rich_consoles_are_made_in_one_place() -> None:
    made = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "flows").rglob("*.py"))
        if re.search(r"\bConsole\(", path.read_text(encoding="utf-8"))
    ]
    assert made == ["flows/views/terminal.py"]


# A header of the contract beside columns that it does not know.
REFUSED = "Age,Gender,Ag\u0113 \u2019\n1,2,3\n"
ENCODINGS = ["ascii", "latin-1", "koi8-r"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_refusal_stays_one_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    """Exit code 3 stays 3, and the table of findings is there."""
    data = tmp_path / "people.csv"
    data.write_text(REFUSED, encoding="utf-8")
    words = [sys.executable, "-c", "from flows.cli.main import main; main()"]
    ended = subprocess.run(
        [*words, "validate", "attrition", "--data", str(data)],
        env={**os.environ, "PYTHONIOENCODING": encoding, "SLUICE_HOME": str(tmp_path / "home")},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    said = (ended.stdout + ended.stderr).decode(encoding)
    assert ended.returncode == 3, said
    assert "\\u2019" in said
    assert not steers(said)
