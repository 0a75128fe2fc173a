"""The reference keeps counts and no person; drawn out again it shows no drift, and a changed column
shows.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.adapters.drift import drift
from models.attrition import sample
from sluice.model.reference import OTHER, Reference, histogram, rows_from
from sluice.served.contract import Contract, load_contract

CONTRACT = Path(__file__).parents[3] / "models" / "attrition" / "contract.toml"
Table = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(CONTRACT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def table(contract: Contract) -> Table:
    frame = sample.generate(8000)
    random = np.random.default_rng(4)
    columns = {
        c.key: np.array(frame[c.name], dtype=float if c.numeric else object)
        for c in contract.features
    }
    columns["distance_from_home"][random.random(8000) < 0.1] = np.nan
    return columns


@pytest.fixture(scope="module")
def reference(contract: Contract, table: Table) -> Reference:
    made: Reference = json.loads(json.dumps(histogram(contract, table)))
    return made


def test_the_reference_has_every_feature_and_nothing_else(
    contract: Contract, reference: Reference
) -> None:
    assert list(reference) == [column.key for column in contract.features]


def test_no_cell_is_small_and_every_row_is_counted(reference: Reference) -> None:
    for cell in reference.values():
        counts = cell["counts"] if cell["kind"] == "number" else list(cell["values"].values())
        assert min(counts) >= 5 and len(counts) <= 20
        assert sum(counts) + cell["missing"] == 8000


def test_edges_are_round_and_no_extreme_person_shows(contract: Contract, table: Table) -> None:
    table = {**table, "monthly_income": table["monthly_income"].copy()}
    table["monthly_income"][:3] = [48_765, 1_003, 1_004]
    cell = histogram(contract, table)["monthly_income"]
    assert cell["edges"] == sorted(set(cell["edges"]))
    assert cell["edges"][-1] < 40_000 and cell["edges"][0] > 1_050
    assert all((edge + 0.5) % 100 == 0 for edge in cell["edges"])
    assert sum(cell["counts"]) == 8000


def test_rare_values_are_pooled(contract: Contract, table: Table) -> None:
    values = table["job_role"].copy()
    values[:] = "Media"
    values[:3], values[3:6], values[6:106] = "Finance", "Education", "Technology"
    cell = histogram(contract, {**table, "job_role": values})["job_role"]
    assert cell["values"] == {"Media": 7894, "Technology": 100, OTHER: 6}
    values[3:6] = "Media"
    assert OTHER not in histogram(contract, {**table, "job_role": values})["job_role"]["values"]


def test_rows_come_out_as_they_went_in(
    contract: Contract, table: Table, reference: Reference
) -> None:
    rows = rows_from(reference, 8000)
    again = json.loads(json.dumps(histogram(contract, rows)))
    for key, cell in reference.items():
        if cell["kind"] == "text":
            assert again[key] == cell
        else:
            counts = np.histogram(rows[key][~np.isnan(rows[key])], cell["edges"])[0]
            assert counts.tolist() == cell["counts"]
            assert np.isnan(rows[key]).sum() == cell["missing"]
            assert np.nanmean(rows[key]) == pytest.approx(np.nanmean(table[key]), rel=0.05)


def test_rows_are_always_the_same_and_as_many_as_asked(reference: Reference) -> None:
    first, again = rows_from(reference, 123), rows_from(reference, 123)
    for key, values in first.items():
        assert len(values) == 123
        assert np.array_equal(values.astype(str), again[key].astype(str))


def test_few_rows_make_no_bins(contract: Contract, table: Table) -> None:
    few = histogram(contract, {key: values[:4] for key, values in table.items()})
    assert few["age"]["counts"] == [] and few["job_role"]["values"] == {}
    assert np.isnan(rows_from(few, 7)["age"]).all()


def test_one_value_only_is_one_bin(contract: Contract, table: Table) -> None:
    cell = histogram(contract, {**table, "age": np.full(8000, 30.0)})["age"]
    assert cell["edges"] == [29.5, 30.5] and cell["counts"] == [8000]


def test_the_same_rows_and_the_rows_drawn_out_show_no_drift(
    contract: Contract, table: Table, reference: Reference
) -> None:
    for current in (table, rows_from(reference, 3000)):
        found, html = drift(reference, current, contract, rows=3000)
        assert found["verdict"] == "none" and found["share"] == 0.0
        assert len(found["columns"]) == len(contract.features)
        assert max(column["distance"] for column in found["columns"]) < 0.03
        assert found["sentence"].startswith("None of 20 columns")
        assert (
            html.lstrip().lower().startswith(("<html", "<!doctype html")) and len(html) > 1_000_000
        )


def test_a_changed_column_is_named_and_strength_is_told_apart(
    contract: Contract, table: Table, reference: Reference
) -> None:
    some, _ = drift(
        reference, {**table, "monthly_income": np.round(table["monthly_income"] * 1.09)}, contract
    )
    assert some["verdict"] == "some"
    assert some["columns"][0] == {**some["columns"][0], "column": "Monthly Income", "drifted": True}
    assert "Monthly Income" in some["sentence"]
    overtime = np.where(np.arange(8000) % 10 < 7, "Yes", "No").astype(object)
    outside = np.full(8000, 50_000.0)
    strong, _ = drift(
        reference, {**table, "overtime": overtime, "monthly_income": outside}, contract
    )
    assert strong["verdict"] == "strong"
    assert {c["column"] for c in strong["columns"] if c["drifted"]} == {
        "Overtime",
        "Monthly Income",
    }
    assert json.loads(json.dumps(strong)) == strong
