"""The model of customers is what `sluice init` drafts of their table, read by a person."""

import pytest
from support.cancelled_contracts import table

from flows.project.models import model_folder
from flows.project.root import ROOT
from sluice.draft.drafting import Draft, draft
from sluice.draft.proposals import Choices
from sluice.policy import load_policy
from sluice.served.contract import load_contract

MODEL = "cancellation"


@pytest.fixture(scope="module")
def drafted() -> Draft:
    return draft(table(), f"{MODEL}.csv", MODEL, Choices())


def shipped(name: str) -> str:
    return (model_folder(MODEL, ROOT) / name).read_text(encoding="utf-8")


def test_a_person_corrected_no_role_kind_value_or_limit(drafted: Draft) -> None:
    """What was edited is words and units, and the line that says who answers for it."""
    now, then = load_contract(shipped("contract.toml")), load_contract(drafted.contract)
    for mine, theirs in zip(now.columns, then.columns, strict=True):
        assert (mine.name, mine.role, mine.kind) == (theirs.name, theirs.role, theirs.kind)
        assert (mine.values, mine.minimum, mine.maximum) == (
            theirs.values,
            theirs.minimum,
            theirs.maximum,
        )
    assert now.reading == then.reading


def test_the_leak_was_found_before_anything_was_trained(drafted: Draft) -> None:
    assert [look.name for look in drafted.looks if look.leak] == ["Farewell letter"]


def test_its_floors_are_those_of_a_draft(drafted: Draft) -> None:
    now, then = load_policy(shipped("policy.toml")).gate, load_policy(drafted.policy).gate
    assert now.recall_floor == pytest.approx(then.recall_floor, abs=0.05)
    assert now.lift_floor == pytest.approx(then.lift_floor, abs=0.2)


def test_generated_rows_are_made_from_the_counts_of_the_table(drafted: Draft) -> None:
    assert shipped("sample.toml") == drafted.sample
