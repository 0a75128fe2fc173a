"""The reference of the contract's language: up to date, complete, and its example is a contract."""

import re
from pathlib import Path

import pytest

from scripts import contract_reference
from sluice.served import contract, expressions
from sluice.served.contract import load_contract

AROUND = """
schema = 2

[target]
column = "Ends"
positive = "yes"
negative = "no"

[columns."Nr"]
role = "id"
kind = "category"

[columns."Ends"]
role = "target"
kind = "category"
values = ["no", "yes"]

"""


def test_it_is_up_to_date() -> None:
    assert contract_reference.main(["--check"]) == 0


def test_a_stale_page_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contract_reference, "ROOT", tmp_path)
    monkeypatch.setattr(contract_reference, "PAGE", tmp_path / "contract.md")
    assert contract_reference.main(["--check"]) == 1
    assert "Run: python -m scripts.contract_reference" in capsys.readouterr().err
    assert contract_reference.main([]) == 0
    assert contract_reference.main(["--check"]) == 0


def test_another_argument_is_a_usage_error() -> None:
    assert contract_reference.main(["--chek"]) == 2


@pytest.mark.parametrize(
    "name", [*contract.COLUMN_KEYS, *contract.KINDS, *contract.ROLES, *expressions.FUNCTIONS]
)
def test_each_word_of_the_language_has_a_line(name: str) -> None:
    assert f"\n| `{name}` | " in contract_reference.page()


@pytest.mark.parametrize("declared", [("a", "b"), ("a",), ("a", "b", "c")])
def test_a_word_without_a_sentence_or_the_reverse_ends_in_an_error(
    declared: tuple[str, ...],
) -> None:
    said = {"a": ("one",), "b": ("two",)}
    if set(declared) == set(said):
        assert "| `a` | one |" in contract_reference._rows(("h", "i"), declared, said)
    else:
        with pytest.raises(ValueError, match="declared without a sentence"):
            contract_reference._rows(("h", "i"), declared, said)


def test_its_example_is_read() -> None:
    [example] = re.findall(r"```toml\n(.+?)```", contract_reference.page(), re.S)
    found = load_contract(AROUND + example)
    assert {column.kind for column in found.features} == {"date", "category"}
    assert len(found.derived) == 2
