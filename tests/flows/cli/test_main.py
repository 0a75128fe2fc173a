"""Every file of a command is registered, and each command is in the file of its name."""

from pathlib import Path

import typer

from flows.cli import main

# what a command is made of, and no command itself
PARTS = {"__init__", "main", "options"} | {
    f"predict_{part}" for part in ("answers", "file", "json_lines", "prompts")
}


def test_each_command_has_a_file_of_its_name() -> None:
    files = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    commands = set(typer.main.get_command(main.app).commands)  # type: ignore[attr-defined]
    assert files - PARTS == commands
