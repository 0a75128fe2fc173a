"""The further models are what `sluice init` drafts of their tables, read by a person."""

from dataclasses import dataclass

import pytest
from support import cancelled_contracts, checked_pumps

from flows.project.models import model_folder
from flows.project.root import ROOT
from sluice.draft.drafting import Draft, draft
from sluice.draft.proposals import Choices
from sluice.policy import load_policy
from sluice.served.contract import load_contract

# Model -> its table, the domain that was named, and the column that gives the answer away.
TABLES = {
    "cancellation": (cancelled_contracts.table, "", "Farewell letter"),
    "pumps": (checked_pumps.table, "machines", "Parts ordered"),
}


@dataclass(frozen=True)
class Made:
    """A model that ships and the draft of its table."""

    name: str
    draft: Draft
    leak: str

    def shipped(self, name: str) -> str:
        return (model_folder(self.name, ROOT) / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=TABLES)
def made(request: pytest.FixtureRequest) -> Made:
    name = request.param
    table, domain, leak = TABLES[name]
    return Made(name, draft(table(), f"{name}.csv", name, Choices(domain=domain)), leak)


def test_a_person_corrected_no_role_kind_value_or_limit(made: Made) -> None:
    """What was edited is words and units, and the line that says who answers for it."""
    now, then = load_contract(made.shipped("contract.toml")), load_contract(made.draft.contract)
    for mine, theirs in zip(now.columns, then.columns, strict=True):
        assert (mine.name, mine.role, mine.kind) == (theirs.name, theirs.role, theirs.kind)
        assert (mine.values, mine.minimum, mine.maximum) == (
            theirs.values,
            theirs.minimum,
            theirs.maximum,
        )
    assert now.reading == then.reading


def test_the_leak_was_found_before_anything_was_trained(made: Made) -> None:
    assert [look.name for look in made.draft.looks if look.leak] == [made.leak]


def test_its_floors_are_those_of_a_draft(made: Made) -> None:
    now, then = load_policy(made.shipped("policy.toml")), load_policy(made.draft.policy)
    assert now.gate.recall_floor == pytest.approx(then.gate.recall_floor, abs=0.05)
    assert now.gate.lift_floor == pytest.approx(then.gate.lift_floor, abs=0.2)
    assert now.classes == then.classes


def test_generated_rows_are_made_from_the_counts_of_the_table(made: Made) -> None:
    assert made.shipped("sample.toml") == made.draft.sample
