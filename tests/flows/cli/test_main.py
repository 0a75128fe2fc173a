"""Every file of a command is registered, and each command is in the file of its name."""

import errno
import re
import unicodedata
from pathlib import Path

import pytest
import typer
from support.command_line import Sluice

from flows.adapters.process import CommandFailed, Result
from flows.cli import main
from flows.project.root import ROOT
from sluice.errors import Refused, Retryable, SluiceError, UsageError

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


HOSTILE = "[red]\x1b]0;x\x07\x1b[2J\x9b[/nothing]\u202e\\"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SluiceError(HOSTILE, HOSTILE), 1),
        (Retryable(HOSTILE), 1),
        (UsageError(HOSTILE), 2),
        (Refused(HOSTILE), 3),
        (CommandFailed(["git", HOSTILE], Result(1, HOSTILE, HOSTILE)), 1),
        (ValueError(HOSTILE), 1),
        (OSError(errno.ENOSPC, HOSTILE, HOSTILE), 1),
        (UnicodeEncodeError("ascii", HOSTILE, 0, 1, HOSTILE), 1),
        (KeyError(HOSTILE), 1),
        (RecursionError(HOSTILE), 1),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("command", sorted(commands()))
def test_no_error_of_a_command_steers_the_terminal(
    command: str, error: Exception, code: int, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever others wrote into it, and whichever command it ends."""

    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fails)
    ended = sluice(command)
    assert ended.code == code
    assert ended.err.startswith("Error: ")
    assert "[red]" in ended.err
    steering = {sign for sign in ended.out + ended.err if unicodedata.category(sign)[0] == "C"}
    assert steering <= {"\n", "\t"}
