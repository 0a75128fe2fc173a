"""The benchmark of strange tables: how a table is cut, and one that is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import deliveries, gate_cases, parcels, strange_tables

from benchmarks.tables import __main__ as tables
from sluice.served.contract import Contract

MAKE: dict[str, Callable[[int], bytes]] = {
    "plain": strange_tables.churn,
    "a mark": strange_tables.machines,
    "UTF-16": strange_tables.tabbed_utf16,
    "ends of lines in cells": strange_tables.from_excel,
}


@pytest.mark.parametrize("name", MAKE)
def test_the_older_table_is_the_beginning_of_the_newer(name: str) -> None:
    whole = MAKE[name](500)
    encoding, records = tables.pieces(whole)
    assert len(records) == 501
    _, cut = tables.pieces(tables.older(whole))
    assert cut == records[:401]
    assert tables.older(whole).decode(encoding) == "".join(cut)


def test_a_table_that_is_refused_has_no_wrong_end(tmp_path: Path) -> None:
    made = tables.TABLES["titled"]
    story = tables.told("titled", made, tmp_path)
    assert (story.wrong, story.edits) == ("", 0)
    assert story.keystrokes == len("sluice init titled.csv --yes\n")
    assert made.told in story.told
    assert "| titled | 29 | 0 |" in tables.table([story])


def test_another_end_is_named(tmp_path: Path) -> None:
    story = tables.told("titled", tables.Table(strange_tables.churn, "a sentence"), tmp_path)
    assert story.wrong.startswith("init: 0: ")
    assert "| WRONG |" in tables.table([story])


@pytest.mark.parametrize(
    ("contract", "answer", "possible"),
    [
        (gate_cases.contract(), {"prediction": 1, "probability": 0.7}, True),
        (gate_cases.contract(), {"prediction": 2, "probability": 0.7}, False),
        (gate_cases.contract(), {"prediction": 1, "probability": 1.7}, False),
        (parcels.contract(), {"prediction": "late", "probability": 0.7}, True),
        (parcels.contract(), {"prediction": "lost", "probability": 0.7}, False),
        (deliveries.contract(), {"value": 31.5}, True),
        (deliveries.contract(), {"value": -1.0}, False),
    ],
)
def test_an_answer_is_one_of_those_that_the_target_has(
    contract: Contract, answer: dict[str, Any], possible: bool
) -> None:
    assert tables.possible(contract, answer) is possible
