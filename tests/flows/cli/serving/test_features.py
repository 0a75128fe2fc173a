"""`sluice features`: the features of rows, as training has them."""

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from support.command_line import Sluice
from support.releases import Story

from models.attrition import sample
from sluice.model.data.table import read_table, typed
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, feature_names

ROWS = sample.to_csv(sample.generate(200))


@pytest.fixture
def contract(unreleased: Story) -> Contract:
    path = unreleased.project / "models" / "attrition" / "contract.toml"
    return load_contract(path.read_text(encoding="utf-8"))


@pytest.fixture
def rows(unreleased: Story) -> Path:
    path = unreleased.project / "employees.csv"
    path.write_bytes(ROWS)
    return path


def test_they_are_those_of_training_and_nothing_else(
    contract: Contract, rows: Path, sluice: Sluice, tmp_path: Path
) -> None:
    to = tmp_path / "features.parquet"
    ended = sluice("features", rows, "--to", to)
    assert ended.code == 0, ended.err
    assert "200 rows" in ended.out
    assert "the contract names no as_of" in ended.out
    assert to.stat().st_mode & 0o777 == 0o600
    found = pyarrow.parquet.read_table(to)
    allowed = [contract.id.key, *(column.key for column in contract.features)]
    assert found.column_names == [*allowed, *(derived.name for derived in contract.derived)]
    values = typed(read_table(ROWS, contract, "rows"), contract)
    matrix = dict(zip(feature_names(contract), encode(contract, values).T, strict=True))
    for derived in contract.derived:
        assert found[derived.name].to_numpy().tobytes() == matrix[derived.name].tobytes()
    for column in contract.features:
        assert np.array_equal(found[column.key].to_numpy(), values[column.key])


def test_a_file_without_target_and_protected_columns_is_enough(
    contract: Contract, rows: Path, sluice: Sluice, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole.parquet", tmp_path / "part.parquet"
    assert sluice("features", rows, "--to", whole).code == 0
    frame = read_table(ROWS, contract, "rows")
    needed = [contract.id.name, *(column.name for column in contract.features)]
    frame[needed].to_csv(rows, index=False)
    assert sluice("features", rows, "--to", part).code == 0
    assert part.read_bytes() == whole.read_bytes()


def test_a_missing_feature_and_a_wrong_value_write_nothing(
    contract: Contract, rows: Path, sluice: Sluice, tmp_path: Path
) -> None:
    to = tmp_path / "features.parquet"
    frame = read_table(ROWS, contract, "rows")
    frame.drop(columns="Age").to_csv(rows, index=False)
    ended = sluice("features", rows, "--to", to)
    assert (ended.code, to.exists()) == (3, False)
    assert "lacks 1 features: Age" in ended.err
    frame.astype(object).assign(Age="777").to_csv(rows, index=False)
    ended = sluice("features", rows, "--to", to)
    assert (ended.code, to.exists()) == (3, False)
    assert "age is 777" in ended.err.lower()


def test_the_file_that_is_read_is_not_written_over(rows: Path, sluice: Sluice) -> None:
    assert sluice("features", rows, "--to", rows).code == 2
    assert rows.read_bytes() == ROWS


def test_times_come_from_the_column_that_the_contract_names(
    unreleased: Story, rows: Path, sluice: Sluice, tmp_path: Path
) -> None:
    path = unreleased.project / "models" / "attrition" / "contract.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("schema = 1\n", 'schema = 1\nas_of = "Day"\n', 1)
    path.write_text(text + '\n[columns."Day"]\nrole = "ignored"\n')
    lines = ROWS.decode().splitlines()
    days = ["Day", *["2026-11-20T01:00:00+02:00"] * (len(lines) - 1)]
    rows.write_text("\n".join(f"{line},{day}" for line, day in zip(lines, days, strict=True)))
    ended = sluice("features", rows, "--to", tmp_path / "features.parquet")
    assert ended.code == 0, ended.err
    found = pyarrow.parquet.read_table(tmp_path / "features.parquet")
    assert str(found["as_of"][0]) == "2026-11-19 23:00:00"
