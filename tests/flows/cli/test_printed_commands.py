"""Every command that a sentence of ours names is taken by the command line as it stands."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from support.command_line import parse

from flows.cli import main
from flows.project.root import ROOT

ROOMS = ("flows", "sluice", "gx", "bento", "scripts", "sluice_command")
# In backticks, after a colon, or before a full stop.
NAMED = re.compile(
    r"`(sluice [^`]+)`|(?:: |^|\. )(sluice [a-z][^`.;]*?)(?: shows|[.;`]|$)", re.MULTILINE
)


def texts(path: Path) -> Iterator[str]:
    """What a module says: its texts, `1` where a value is put in; and the help of its commands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: set[int] = set()
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inside | docs:
            yield str(node.value)


def printed() -> list[tuple[str, str]]:
    """Each command that is named, with the module that does."""
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for text in texts(path):
                for match in NAMED.finditer(text):
                    found.add(((match[1] or match[2]).strip(), path.relative_to(ROOT).as_posix()))
    return sorted(found)


def examples() -> list[str]:
    """The example of every command, and of those below it."""
    found = []

    def collect(command: object) -> None:
        found.extend(re.findall(r"Example: (sluice.*)", getattr(command, "help", "") or ""))
        for below in getattr(command, "commands", {}).values():
            collect(below)

    collect(typer.main.get_command(main.app))
    return found


@pytest.fixture(autouse=True)
def of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one is meant is asked where words are taken, and there are several here."""
    monkeypatch.setenv("SLUICE_MODEL", "any")


def test_there_are_commands_to_look_at() -> None:
    assert len(printed()) > 15
    assert len(examples()) > 20


@pytest.mark.parametrize(("words", "module"), printed())
def test_a_command_in_a_sentence_is_taken_as_it_stands(words: str, module: str) -> None:
    parse(shlex.split(words)[1:])


@pytest.mark.parametrize("words", examples())
def test_an_example_is_taken_as_it_stands_and_fits_in_a_line(words: str) -> None:
    parse(shlex.split(words)[1:])
    assert len(f"  Example: {words}") <= 80


@pytest.mark.parametrize("words", [["unheard"], ["plan", "--unheard"], ["quarantine", "lift"]])
def test_what_is_wrong_would_be_found(words: list[str]) -> None:
    with pytest.raises(typer.exceptions.TyperException):
        parse(words)
