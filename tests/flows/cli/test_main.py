"""Every file of a command is registered, and each command is in the file of its name."""

import re
from pathlib import Path

import typer

from flows.cli import main
from flows.project.root import ROOT

# what a command is made of, and no command itself
PARTS = {"__init__", "main", "options"}


def commands() -> set[str]:
    return set(typer.main.get_command(main.app).commands)  # type: ignore[attr-defined]


def test_each_command_has_a_file_of_its_name() -> None:
    files = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    assert files - PARTS == commands()


def test_each_command_has_its_row_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `sluice ([a-z]+)", text, re.MULTILINE)) == commands()
