"""Every test that SECURITY.md names for a control is there."""

import re
from pathlib import Path

import pytest

PROJECT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PAGE = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.count("|") == 4 and "`test_" in line]
NAMES = sorted({name for row in ROWS for name in re.findall(r"`(test_\w+)`", row)})


def written() -> set[str]:
    """The names of all test functions."""
    sources = (file.read_text(encoding="utf-8") for file in (PROJECT / "tests").rglob("test_*.py"))
    return {
        name
        for source in sources
        for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", source, re.MULTILINE)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_test_that_is_named_is_there(name: str) -> None:
    assert name in written()


def test_every_threat_names_a_test() -> None:
    table = PAGE.split("## Threats, controls, tests")[1].split("## What is not covered")[0]
    threats = [
        line
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith("| threat ")
    ]
    assert threats
    assert threats == ROWS
