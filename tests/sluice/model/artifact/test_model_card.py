"""The model card: what it says follows from what it was made of, and no text breaks out of it."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import contract, small
from support.model_artifacts import trained_metrics

from sluice.model.artifact.model_card import model_card
from sluice.model.fit.tuning_file import Trial, Tuning
from sluice.served.contract import Column, Contract

WINNER = Trial(1, "gradient_boosting", {"depth": 3, "rate": 0.1}, 0.8, 0.01, (0.8,), (0.9,))
OTHER = Trial(0, "logistic_regression", {"strength": 1.0}, 0.7, 0.02, (0.7,), (0.8,))
TUNING = Tuning(winner=WINNER, trials=(OTHER, WINNER, OTHER))
POLICY = {"gate": {"recall_floor": 0.72}, "data": {"minimum_rows": 100}}
SECTIONS = [
    "Intended use",
    "Not to be used for",
    "How to use",
    "What it looks at",
    "What it is not shown",
    "Training data",
    "Training procedure",
    "Evaluation on validation rows",
    "Limits",
    "Fairness and duties",
    "Policy",
    "Lineage",
]


def card(of: Contract, lineage: dict[str, object] | None = None) -> str:
    return model_card(of, trained_metrics(), TUNING, POLICY, lineage or {"data": "sha256:1"})


def sections(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


@pytest.mark.parametrize("of", [contract(), small()], ids=["shipped", "small"])
def test_the_sections_are_all_there_in_their_order(of: Contract) -> None:
    text = card(of)
    assert text.startswith(f"# {of.title}\n")
    assert sections(text) == SECTIONS
    assert text.endswith("\n")
    assert text == card(of)  # the second card is the first one, to the byte


def test_a_section_without_content_is_left_out() -> None:
    text = model_card(small(), trained_metrics(), TUNING, {}, {})
    assert sections(text) == SECTIONS[:-2]


def test_every_column_is_in_one_list_of_the_card() -> None:
    text = card(small())
    shown, excluded = text.split("## What it is not shown")
    for column in small().features:
        assert f"| {column.name} |" in shown
    for line in ("Sex: protected, only used to compare groups", "Note: ignored"):
        assert f"- {line}" in excluded
    assert "- Customer ID: identifies a row" in excluded


def test_numbers_have_the_digits_of_a_reader() -> None:
    text = card(small())
    assert "From 0.5000 on a row is flagged" in text
    assert "| Train | 100 |" in text
    assert "| ROC-AUC | 0.5000 | 0.5000 ± 0.1000 |" in text
    assert "| Recall | 0.5000 |  |" in text
    assert "| Spend | a number from 0 to 1000000; missing becomes 12.5 |" in text


def test_the_search_is_told_with_all_its_families() -> None:
    text = card(small())
    assert (
        "Searched by cross-validation for the best average precision: 1 of gradient boosting, 2 of"
        " logistic regression." in text
    )
    assert "| Family | gradient boosting |\n| depth | 3 |\n| rate | 0.1 |" in text


HOSTILE = "a | b\n## Verdict\n<script>alert(1)</script> `code` & more"


def test_no_text_of_a_contract_makes_a_section_a_cell_or_a_tag() -> None:
    columns = tuple(
        replace(column, text=HOSTILE) if column.key == "age" else column
        for column in small().columns
    )
    statements = replace(small().statements, limits=(HOSTILE,))
    hostile = replace(small(), title=HOSTILE, text=HOSTILE, columns=columns, statements=statements)
    text = card(hostile, {HOSTILE: HOSTILE})
    assert sections(text) == SECTIONS
    assert "<script" not in text
    [row] = [line for line in text.splitlines() if line.startswith("| Age |")]
    assert row.replace("\\|", "").count("|") == 4


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_a_lineage_holds_is_one_row_of_a_table(label: str, value: str) -> None:
    text = card(small(), {label: value})
    table = text.split("## Lineage\n\n")[1].rstrip("\n").split("\n")
    assert len(table) == 3
    assert table[2].replace("\\|", "").count("|") == 3


def test_a_card_has_no_verdict_and_nothing_of_the_holdout() -> None:
    words = card(contract()).casefold()
    for word in ("promote", "reject", "holdout row", "champion"):
        assert word not in words


def test_a_protected_column_adds_the_duty_to_look_at_groups() -> None:
    without = replace(small(), columns=tuple(c for c in small().columns if c.role != "protected"))
    duty = "Not fed to the model: Sex. Other columns can stand in for that"
    assert duty in card(small())
    assert duty not in card(without)


def test_metrics_of_another_threshold_change_the_card() -> None:
    other = msgspec.structs.replace(trained_metrics(), threshold=0.25)
    changed = model_card(small(), other, TUNING, POLICY, {"data": "sha256:1"})
    assert "From 0.2500 on a row is flagged" in changed


def test_it_says_which_rows_belong_together_and_until_when_they_were() -> None:
    plain, of = card(small()), small()
    assert "The split is by time" not in plain
    dated = replace(
        of,
        columns=(*of.columns, Column("Seen", "seen", "category", "ignored")),
        as_of="Seen",
    )
    grouped = replace(
        dated, columns=(*dated.columns, Column("House", "house", "category", "group"))
    )
    metrics = msgspec.structs.replace(trained_metrics(), made_until="2026-11-20T00:00:00.000000")
    text = model_card(grouped, metrics, TUNING, POLICY, {"data": "sha256:1"})
    assert "Seen: when a row was" in text
    assert "House: rows of one are in one part of the split, and intervals know" in text
    assert "The split is by time: no row is later than 2026-11-20, and later ones judge." in text
