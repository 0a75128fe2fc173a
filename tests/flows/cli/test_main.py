"""Every file of a command is registered, and each command is in the file of its name."""

import errno
import json
import re
import unicodedata
from pathlib import Path

import pytest
import typer
from support.command_line import Sluice

from flows.adapters.plain_text import visible
from flows.adapters.process import CommandFailed, Result
from flows.cli import main
from flows.project.root import ROOT
from sluice.errors import Refused, Retryable, SluiceError, UsageError

# what a command is made of, and no command itself


def commands() -> set[str]:
    return set(typer.main.get_command(main.app).commands)  # type: ignore[attr-defined]


def test_each_command_has_a_file_of_its_name_in_the_folder_of_its_section() -> None:
    files = [path for path in Path(main.__file__).parent.glob("*/*.py") if path.stem != "__init__"]
    folders = {path.stem.replace("_", "-"): path.parent.name for path in files}
    assert folders.keys() == commands()
    assert len(files) == len(folders)
    of_sections = [{folders[name] for name in names} for names in main.SECTIONS.values()]
    assert all(len(of_section) == 1 for of_section in of_sections)
    assert len(set.union(*of_sections)) == len(of_sections)


def test_each_command_has_its_row_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `sluice ([a-z-]+)", text, re.MULTILINE)) == commands()


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


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SluiceError(HOSTILE, HOSTILE), 1),
        (UsageError(HOSTILE), 2),
        (Refused(HOSTILE), 3),
        (ValueError(HOSTILE), 1),
        (OSError(errno.ENOSPC, HOSTILE, HOSTILE), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_with_json_an_error_is_one_document(
    error: Exception, code: int, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fails)
    ended = sluice("status", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["exit_code"]) == (code, code)
    assert ended.err == f"Error: {visible(document['error'])}\n"


def with_json() -> list[list[str]]:
    """Every command that prints JSON, with the group it is in."""
    found = []
    for name, command in typer.main.get_command(main.app).commands.items():  # type: ignore[attr-defined]
        if any("--json" in option.opts for option in command.params):
            found.append([name])
        for inner, below in getattr(command, "commands", {}).items():
            if any("--json" in option.opts for option in below.params):
                found.append([name, inner])
    return found


@pytest.mark.parametrize("command", with_json(), ids=" ".join)
def test_with_json_wrong_words_are_one_document_too(command: list[str], sluice: Sluice) -> None:
    ended = sluice(*command, "--json", "--unheard")
    assert ended.code == 2
    document = json.loads(ended.out)
    assert document["exit_code"] == 2
    assert "--unheard" in document["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve"], "Stopped."),
        (["--debug", "up"], "Stopped."),
        (["release"], "Interrupted. What was done is kept: run the same command again."),
        (["status", "up"], "Interrupted. What was done is kept: run the same command again."),
    ],
)
def test_a_server_is_stopped_and_a_command_interrupted(
    words: list[str], said: str, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise SystemExit(130)

    monkeypatch.setattr(main, "app", interrupted)
    ended = sluice(*words)
    assert (ended.code, ended.err) == (130, f"{said}\n")


def test_help_shows_every_command_in_a_section_with_its_whole_summary(sluice: Sluice) -> None:
    ended = sluice("--help")
    listed = ended.out.partition("Begin here:")[2]
    assert set(re.findall(r"^  ([a-z-]+)  +[A-Z].+\.$", listed, re.MULTILINE)) == commands()
    assert "..." not in listed
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    assert "SLUICE_REGISTRY" in ended.out


# Commands that show what they are at in another way, and how.
OTHER_SIGNS = {
    "release": "each step has a spinner of its own",
    "drill": "a line for each thing that is tried",
    "predict": "a bar over the rows, or questions to a person",
    "judge": "it listens at once, and prints a line for each answer",
}


@pytest.mark.parametrize("command", sorted(commands() - set(OTHER_SIGNS)))
def test_a_command_shows_that_it_is_at_work(command: str) -> None:
    (file,) = Path(main.__file__).parent.glob(f"*/{command.replace('-', '_')}.py")
    text = file.read_text(encoding="utf-8")
    assert re.search(r"^ +with working\(\"[A-Z][a-z ]+\"\):$", text, re.MULTILINE)


def test_an_error_that_nobody_expected_says_what_to_type_as_it_was_typed(
    sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise ValueError("no such column")

    monkeypatch.setattr(main, "app", broken)
    ended = sluice("release", "attrition", "--data", "my data.csv")
    assert ended.err == (
        "Error: ValueError: no such column\n"
        "  Run it again as `sluice --debug release attrition --data 'my data.csv'`.\n"
    )


def test_help_and_usage_name_the_command_as_it_is_typed(
    tmp_path: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "here", lambda: ".venv/bin/sluice")
    ended = sluice("plan", "--unheard")
    assert ended.err.startswith("Usage: .venv/bin/sluice plan ")
    assert "Try '.venv/bin/sluice plan --help'" in ended.err
