"""Commands are printed as the shell of this person finds them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.typed_command import as_typed, line, typed


@pytest.mark.parametrize(
    ("started", "found", "folder", "said"),
    [
        ("/p/.venv/bin/sluice", "/p/.venv/bin/sluice", "/p", "sluice"),
        (".venv/bin/sluice", "/p/.venv/bin/sluice", "/p", "sluice"),
        (".venv/bin/sluice", None, "/p", ".venv/bin/sluice"),
        ("/p/.venv/bin/sluice", None, "/p", ".venv/bin/sluice"),
        ("/p/.venv/bin/sluice", "/other/bin/sluice", "/p", ".venv/bin/sluice"),
        ("/p/.venv/bin/sluice", None, "/p/.venv", "bin/sluice"),
        ("./sluice", None, "/p/.venv/bin", "./sluice"),
        ("sluice", None, "/p", "sluice"),
        ("../.venv/bin/sluice", None, "/p/data", "/p/.venv/bin/sluice"),
        ("/p/.venv/bin/sluice", None, "/home/ann", "/p/.venv/bin/sluice"),
        ("/my work/.venv/bin/sluice", None, "/", "'my work/.venv/bin/sluice'"),
        ("/my work/.venv/bin/sluice", None, "/home", "'/my work/.venv/bin/sluice'"),
        ("/usr/lib/python3/pytest", None, "/p", "sluice"),
        ("-c", None, "/p", "sluice"),
    ],
)
def test_the_command_is_what_the_shell_finds(
    started: str, found: str | None, folder: str, said: str
) -> None:
    assert typed(started, found, folder) == said


@pytest.mark.parametrize("place", ["bin", "a b/bin", "it's/bin", "$HOME/bin", "ü/bin", "."])
@pytest.mark.parametrize("where", [".", "elsewhere"])
def test_what_is_said_starts_the_command(place: str, where: str, tmp_path: Path) -> None:
    """A shell really starts it, from where the person is."""
    script = tmp_path / place / "sluice"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("#!/bin/sh\necho started $1\n")
    script.chmod(0o755)
    folder = tmp_path / where
    folder.mkdir(exist_ok=True)
    words = as_typed("sluice status", typed(str(script), None, str(folder)))
    env = {"PATH": "/usr/bin:/bin"}
    ended = subprocess.run(words, shell=True, cwd=folder, env=env, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "started status\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("See `sluice history`.", "See `X history`."),
        ("Next: sluice release a --data f", "Next: X release a --data f"),
        ("sluice status", "X status"),
        ("Run it again as `sluice --debug plan`.", "Run it again as `X --debug plan`."),
        ("`sluice plan` or `sluice release`", "`X plan` or `X release`"),
        ("Sluice says no", "Sluice says no"),
        ("sluice.local/attrition", "sluice.local/attrition"),
        (".venv/bin/sluice status", ".venv/bin/sluice status"),
        ("work pool 'sluice' does", "work pool 'sluice' does"),
        ("it is no setting of sluice", "it is no setting of sluice"),
        ("user@sluice status", "user@sluice status"),
    ],
)
def test_commands_and_nothing_else_are_written_so(text: str, said: str) -> None:
    assert as_typed(text, "X") == said


def test_what_was_written_so_is_not_written_again() -> None:
    once = as_typed("See `sluice history`.", ".venv/bin/sluice")
    assert as_typed(once, ".venv/bin/sluice") == once


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc"))), max_size=4))
def test_a_shell_reads_the_arguments_back(words: list[str]) -> None:
    assert shlex.split(line(["release", *words])) == ["sluice", "release", *words]


def test_a_process_knows_how_it_was_started(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "sluice"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "from flows.adapters.plain_text import say\n"
        "import sys\n"
        "say('See `sluice history`.', sys.stdout)\n"
    )
    script.chmod(0o755)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(["bin/sluice"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    assert said.stdout == "See `bin/sluice history`.\n"
