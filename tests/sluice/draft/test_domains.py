"""Which domain the names of columns tell of, and what a draft then says."""

import pytest
from support import strange_tables

from sluice.draft.domains import DOMAINS, NONE, domain_of
from sluice.draft.drafting import draft
from sluice.draft.proposals import Choices
from sluice.served.contract import Contract, load_contract
from sluice.served.words import NEUTRAL_STATEMENTS

NAMES = {
    "customers": ["customerID", "tenure", "MonthlyCharges", "Churn"],
    "employment": ["Employee ID", "Monthly Income", "Overtime", "Attrition"],
    "credit": ["loan_id", "amount", "Credit History", "status"],
    "health": ["encounter_id", "patient_nbr", "time_in_hospital", "readmitted"],
    "machines": ["UDI", "Torque [Nm]", "Rotational speed [rpm]", "Machine failure"],
}


@pytest.mark.parametrize("domain", NAMES)
def test_the_names_of_columns_tell_the_domain(domain: str) -> None:
    assert domain_of(NAMES[domain]) == domain


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], ["customer", "b", "c"], ["customer", "churn", "patient", "diag"]]
)
def test_one_word_or_two_domains_tell_none(names: list[str]) -> None:
    assert domain_of(names) == NONE


def drafted(table: bytes, domain: str = "") -> Contract:
    return load_contract(draft(table, "t.csv", "t", Choices(domain=domain)).contract)


def test_a_draft_has_the_words_of_its_domain() -> None:
    contract = drafted(strange_tables.churn(600))
    customers = DOMAINS["customers"]
    assert (contract.row, contract.rows) == ("customer", "customers")
    assert contract.statements.use == customers.use
    assert contract.statements.duties == customers.duties
    assert contract.statements.limits == NEUTRAL_STATEMENTS.limits


def test_what_a_person_says_goes_before_what_is_guessed() -> None:
    contract = drafted(strange_tables.churn(600), NONE)
    assert (contract.row, contract.statements) == ("row", NEUTRAL_STATEMENTS)


def test_a_row_of_many_that_belong_together_is_called_a_row() -> None:
    contract = drafted(strange_tables.stays(900))
    assert contract.group is not None
    assert contract.row == "row"
    assert contract.statements.misuse == DOMAINS["health"].misuse
