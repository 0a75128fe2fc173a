"""What a reader must know: the statements of the contract, one more for protected columns."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import small

from sluice.served.statements import statements
from sluice.served.words import NEUTRAL_STATEMENTS, Statements, Words

LISTS = st.lists(st.text(max_size=10), max_size=3).map(tuple)
PROTECTED = (
    "Not fed to the model: Sex. Other columns can stand in for that: read the table of groups."
)


@given(st.builds(Statements, LISTS, LISTS, LISTS, LISTS))
def test_the_statements_of_a_contract_are_told_as_they_are(given_words: Statements) -> None:
    told = statements(replace(small(), statements=given_words))
    assert list(told) == ["use", "misuse", "limits", "duties"]
    assert told["use"] == list(given_words.use)
    assert told["misuse"] == list(given_words.misuse)
    assert told["limits"] == list(given_words.limits)
    assert told["duties"] == [PROTECTED, *given_words.duties]


def test_without_protected_columns_there_is_no_such_duty() -> None:
    columns = tuple(column for column in small().columns if column.role != "protected")
    told = statements(replace(small(), columns=columns))
    assert told["duties"] == list(NEUTRAL_STATEMENTS.duties)


def test_two_protected_columns_are_named_together() -> None:
    [sex] = small().role("protected")
    origin = replace(sex, name="Origin", key="origin")
    told = statements(replace(small(), columns=(*small().columns, origin)))
    assert told["duties"][0].startswith("Not fed to the model: Sex and Origin. ")


def test_to_change_what_was_told_changes_no_contract() -> None:
    statements(small())["duties"].clear()
    assert statements(small())["duties"][0] == PROTECTED


@given(st.integers(0, 10**7))
def test_a_number_of_positives_has_its_form_and_its_marks(number: int) -> None:
    words = Words("loss", "losses")
    form = "loss" if number == 1 else "losses"
    assert words.counted(number) == f"{number:,} {form}"
    assert words.more(number) == f"{number:,} more {form}"
