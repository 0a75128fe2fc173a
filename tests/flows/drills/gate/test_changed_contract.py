"""A contract whose values changed places: which column, and what lies in the artifact then."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from support.gate_cases import SMALL
from support.model_artifacts import MODEL, small_artifact

from flows.drills.gate.changed_contract import _swap, ordered
from sluice.served.contract import Contract, load_contract
from sluice.served.scoring import load_model

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("artifact") / "model")


def without(contract: Contract, *names: str) -> Contract:
    columns = tuple(column for column in contract.columns if column.name not in names)
    return replace(contract, columns=columns)


def test_the_column_that_is_well_known_is_preferred() -> None:
    column = ordered(CONTRACT)
    assert column is not None
    assert column.name == "Education Level"


def test_without_it_the_first_ordered_column_with_four_values_is_taken() -> None:
    column = ordered(without(CONTRACT, "Education Level"))
    assert column is not None
    assert column.name == "Work-Life Balance"


def test_a_contract_whose_orders_are_short_has_none() -> None:
    assert ordered(load_contract(SMALL)) is None


def swapped(artifact: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in artifact.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    _swap(CONTRACT, folder)
    return folder


def test_two_values_change_places_and_everything_else_stays(artifact: Path, tmp_path: Path) -> None:
    folder = swapped(artifact, tmp_path / "model")
    before = tomllib.loads((artifact / "contract.toml").read_text(encoding="utf-8"))
    after = tomllib.loads((folder / "contract.toml").read_text(encoding="utf-8"))
    values = before["columns"]["Education Level"]["values"]
    values[1], values[3] = values[3], values[1]
    assert after == before
    for file in artifact.iterdir():
        if file.name != "contract.toml":
            assert (folder / file.name).read_bytes() == file.read_bytes()


def test_done_twice_it_is_as_done_once(artifact: Path, tmp_path: Path) -> None:
    """The order comes from the contract that is handed in, so a second run undoes nothing."""
    once = swapped(artifact, tmp_path / "once")
    twice = swapped(once, tmp_path / "twice")
    name = "contract.toml"
    assert (twice / name).read_bytes() == (once / name).read_bytes()


def test_the_changed_artifact_can_still_be_served(artifact: Path, tmp_path: Path) -> None:
    model = load_model(swapped(artifact, tmp_path / "model"))
    column = model.contract.find("Education Level")
    shipped = CONTRACT.find("Education Level")
    assert column is not None
    assert shipped is not None
    assert sorted(column.values) == sorted(shipped.values)
    assert column.values != shipped.values


def test_a_contract_without_such_a_column_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text(SMALL, encoding="utf-8")
    _swap(load_contract(SMALL), tmp_path)
    assert (tmp_path / "contract.toml").read_text(encoding="utf-8") == SMALL
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == '["contract.toml"]'
