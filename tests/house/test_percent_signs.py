"""People read `80 %` everywhere, with a blank, and never `80%`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

ROOMS = ("sluice", "gx", "bento", "flows", "models", "deploy", "docs")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")
TIGHT = re.compile(r"(?<!_BLANK)[\d}]%(?![\w(}])")  # that of the page does not break
# A length or a colour of a style sheet is written as CSS wants it.
CSS = re.compile(
    r'style="[^"]*"|<style>.*?</style>|\{[^{}]*:[^{}]*;[^{}]*\}|width="\d+%"', re.DOTALL
)
STYLED = ("width:", "color-mix(")
LENGTHS = {"gx/page.py"}  # a style sheet and a page


def in_code(text: str) -> Iterator[str]:
    """What a Python file makes people read with a tight sign: texts, and formats of numbers."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = ast.unparse(node.format_spec)
            if spec.rstrip("'\"").endswith("%"):
                yield ast.unparse(node)
        if isinstance(node, ast.JoinedStr):
            shown = ast.unparse(node)
            if TIGHT.search(shown) and not any(word in shown for word in STYLED):
                yield shown
        if isinstance(node, ast.Constant) and TIGHT.search(str(node.value)):
            yield str(node.value)


def tight(name: str, text: str) -> list[str]:
    """Where a file has a tight sign."""
    if name in LENGTHS:
        return []
    if name.endswith(".py"):
        return list(in_code(text))
    if name.endswith((".html", ".md")):
        return TIGHT.findall(CSS.sub("", text))
    return []


def files() -> list[Path]:
    found = [PROJECT / page for page in PAGES]
    for room in ROOMS:
        found += [path for path in (PROJECT / room).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in (".py", ".html", ".md"))


def test_a_share_in_per_cent_has_a_blank_before_its_sign() -> None:
    found = {}
    for path in files():
        name = path.relative_to(PROJECT).as_posix()
        where = tight(name, path.read_text(encoding="utf-8"))
        if where:
            found[name] = where
    assert found == {}


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("sluice/gate/rules.py", 'sentence = f"{share:.1%} of the rows"'),
        ("flows/views/gating/power.py", 'told = f"{100 * share:.0f}% of the time"'),
        ("flows/cli/main.py", 'help = "95% of them"'),
        ("flows/views/templates/evidence.html", "<p>{{ level }}% interval</p>"),
        ("bento/page/one.html", "<b>12%</b>"),
        ("docs/gate.md", "In 80% of the draws."),
    ],
)
def test_a_tight_sign_would_be_found(name: str, planted: str) -> None:
    assert tight(name, planted) != []


@pytest.mark.parametrize(
    ("name", "styled"),
    [
        ("gx/docs.py", 'return f"left:{start:.2f}%;width:{width:.2f}%"'),
        ("flows/views/templates/history.html", '<i style="width:{{ part }}%"></i>{% if x %}'),
        ("docs/gate.md", "At least 80 % of the draws; [a](x%20y.md)."),
        ("flows/views/gating/power.py", 'told = f"{percent(share)} of the time"'),
    ],
)
def test_what_is_no_share_is_left_alone(name: str, styled: str) -> None:
    assert tight(name, styled) == []
