"""The glossary explains every word that a release may end with, in alphabetical order."""

import re
from pathlib import Path

import pytest

from flows.engine.outcome import EXIT
from sluice.gate.case import BROKEN, MET, OPEN, WAIVED

PROJECT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PAGE = (PROJECT / "docs" / "glossary.md").read_text(encoding="utf-8")
VERDICTS = ("PROMOTE", "HOLD", "REJECT", "INSUFFICIENT")
MARKS = ("HIT", "MISS", "caught", "missed", "invalid")


def entries() -> list[str]:
    """The words that have an entry, as they stand there."""
    return re.findall(r"^\*\*(.+?)\*\*", PAGE, re.MULTILINE)


def words() -> set[str]:
    """Each word for itself where an entry names several, in lower case."""
    return {word.lower() for entry in entries() for word in entry.split(", ")}


@pytest.mark.parametrize("word", [*EXIT, *VERDICTS, *MARKS, MET, BROKEN, OPEN, WAIVED])
def test_a_word_that_is_printed_has_an_entry(word: str) -> None:
    assert word.lower() in words()


@pytest.mark.parametrize(
    "word", ["use", "policy", "champion", "anchor", "ledger", "seal", "override"]
)
def test_a_word_of_the_rules_has_an_entry(word: str) -> None:
    assert word.lower() in words()


def test_the_entries_are_in_alphabetical_order_and_stand_there_once() -> None:
    names = [entry.lower() for entry in entries()]
    assert names == sorted(set(names))
