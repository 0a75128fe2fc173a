"""Which contracts and policies a fleet takes, and the contract that ships with it."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from support import fleets

from sluice.errors import UsageError
from sluice.fleet.keys import by_key, contract_of, require_fleet, too_few
from sluice.policy import Policy, load_policy
from sluice.served.contract import Contract, load_contract

POLICY = Path(__file__).parents[3] / "models" / "attrition" / "policy.toml"
KEYS = ["Bern", "Genf", "Ulm"]


@pytest.fixture
def contract() -> Contract:
    return load_contract(tomli_w.dumps(fleets.contract(KEYS)), "contract.toml")


@pytest.fixture
def policy() -> Policy:
    """That of the shipped model, with all figures told."""
    shipped = load_policy(POLICY.read_text(encoding="utf-8"))
    return replace(shipped, gate=replace(shipped.gate, told="figures"))


def test_a_listed_category_names_the_models(contract: Contract, policy: Policy) -> None:
    assert require_fleet(contract, policy, "Shop").values == tuple(KEYS)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Nowhere", "is no column"),
        ("No", "has the role id"),
        ("F0", "is of kind number"),
    ],
)
def test_another_column_names_none(
    contract: Contract, policy: Policy, name: str, what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        require_fleet(contract, policy, name)


def test_what_a_fleet_does_not_do_is_said_before_anything_is_done(
    contract: Contract, policy: Policy
) -> None:
    others = {
        "positive_weight": replace(policy, search=replace(policy.search, positive_weight=2.0)),
        "by is": replace(policy, split=replace(policy.split, by="time")),
        "states costs": replace(
            policy, gate=replace(policy.gate, cost_of_a_miss=5.0, cost_of_a_false_alarm=1.0)
        ),
        "told is": replace(policy, gate=replace(policy.gate, told="words")),
        "families leaves out": replace(
            policy, search=replace(policy.search, families=("random_forest",))
        ),
    }
    for what, other in others.items():
        with pytest.raises(UsageError, match=what):
            require_fleet(contract, other, "Shop")


def test_the_contract_that_ships_takes_the_keys_that_are_served_and_no_other(
    contract: Contract,
) -> None:
    column = next(one for one in contract.features if one.name == "Shop")
    text = contract_of(tomli_w.dumps(fleets.contract(KEYS)), column, ["Genf", "Ulm"], "it")
    shipped = load_contract(text, "it")
    named = next(one for one in shipped.features if one.name == "Shop")
    assert named.values == ("Genf", "Ulm")
    assert named.coded
    assert tomllib.loads(text)["columns"]["Shop"]["example"] == "Genf"


def test_rows_are_found_by_their_key_whatever_their_order() -> None:
    values = np.array(["b", "a", "b", "c", "a"], dtype=object)
    found = {key: rows.tolist() for key, rows in by_key(values).items()}
    assert found == {"a": [1, 4], "b": [0, 2], "c": [3]}


def test_a_model_needs_both_classes_in_each_part_and_in_each_fold() -> None:
    enough = np.array([0, 1] * 5)
    assert too_few({"train": enough, "validation": enough}, 5) == ""
    said = too_few({"train": np.array([0] * 9 + [1] * 4), "validation": enough}, 5)
    assert said == (
        "its train rows have 4 positives and 9 negatives; at least 5 of each are required"
    )
    assert "validation rows have 0 positives" in too_few(
        {"train": enough, "validation": np.zeros(6)}, 5
    )
