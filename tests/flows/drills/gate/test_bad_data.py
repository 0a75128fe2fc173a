"""Bad data sets: each has the fault that it is named after, and no other."""

import io
from functools import cache

import numpy as np
import pandas as pd
import pytest
from support.gate_cases import SMALL
from support.model_artifacts import MODEL

from flows.drills.gate.bad_data import BadData, data
from models.attrition import sample
from sluice.model.data.table import read_table
from sluice.served.contract import Contract, load_contract

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
SMALL_CONTRACT = load_contract(SMALL)
FAULTS = list(data(CONTRACT))
# Faults of the whole table; all others change one column.
OF_TABLES = ("rows twice", "a column left out", "a column that nobody described")
FEW = "too few rows to begin with"


@cache
def table() -> pd.DataFrame:
    return read_table(sample.to_csv(sample.generate(200)), CONTRACT, "rows.csv").astype(object)


def small() -> pd.DataFrame:
    lines = ["Customer ID,Age,Weight,Spend,Visits,Tier,Region,Pays-Late?,Sex,Note,Churn"]
    for number in range(90):
        answer = "Yes" if number % 3 else "No"
        lines.append(f"c{number},{20 + number % 50},70.5,3,1,Mid,N,No,F,a,{answer}")
    text = "\n".join(lines)
    return pd.read_csv(io.StringIO(text), dtype=str)


def named(name: str, contract: Contract = CONTRACT) -> BadData:
    [fault] = [fault for fault in data(contract) if fault.name == name]
    return fault


def cells(frame: pd.DataFrame, column: str) -> list[object]:
    return list(frame[column])


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 13


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_good_table_is_left_as_it_was(fault: BadData) -> None:
    good = table().copy()
    before = good.copy()
    bad = fault.change(good)
    pd.testing.assert_frame_equal(good, before)
    assert not bad.equals(before)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_same_table_gives_the_same_fault(fault: BadData) -> None:
    pd.testing.assert_frame_equal(fault.change(table()), fault.change(table()))


@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if fault.name not in (*OF_TABLES, FEW)],
    ids=lambda fault: fault.name,
)
def test_the_column_that_is_to_be_named_is_the_only_one_that_changed(fault: BadData) -> None:
    bad = fault.change(table())
    assert list(bad.columns) == list(table().columns)
    changed = [name for name in table().columns if not bad[name].equals(table()[name])]
    assert changed == [fault.column]


def test_years_become_months() -> None:
    bad = named("Years at Company in months").change(table())
    years = [int(float(str(cell))) for cell in cells(table(), "Years at Company")]
    assert cells(bad, "Years at Company") == [str(12 * year) for year in years]


def test_every_tenth_age_is_one_above_what_is_allowed() -> None:
    bad = named("Age above 65").change(table())
    assert cells(bad, "Age")[::10] == ["66"] * 20
    kept = np.arange(200) % 10 != 0
    assert cells(bad[kept], "Age") == cells(table()[kept], "Age")


def test_a_flag_that_is_counted_loses_no_row() -> None:
    bad = named("opportunities counted from 1 to 3").change(table())
    assert cells(bad, "Leadership Opportunities")[:4] == ["1", "2", "3", "1"]


def test_places_in_another_order_are_still_one_text_for_each_value() -> None:
    bad = named("Education Level as places in another order").change(table())
    pairs = set(zip(cells(table(), "Education Level"), cells(bad, "Education Level"), strict=True))
    values = CONTRACT.find("Education Level")
    assert values is not None
    assert dict(pairs) == dict(zip(values.values, ["1", "4", "3", "2", "5"], strict=True))


def test_rows_that_come_twice_are_the_first_five() -> None:
    bad = named("rows twice").change(table())
    assert cells(bad, "Employee ID")[200:] == cells(table(), "Employee ID")[:5]


def test_the_answer_as_numbers_says_the_same_as_before() -> None:
    bad = named("the answer as 0 and 1").change(table())
    left = [str(int(cell == "Left")) for cell in cells(table(), "Attrition")]
    assert cells(bad, "Attrition") == left
    assert set(left) == {"0", "1"}


def test_one_answer_for_all_is_one() -> None:
    assert set(cells(named("one answer for all").change(table()), "Attrition")) == {"Left"}


@pytest.mark.parametrize("rows", [0, 1, 49, 50, 51])
def test_too_few_rows_are_at_most_fifty(rows: int) -> None:
    assert len(named(FEW).change(table().head(rows))) == min(rows, 50)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_table_without_a_row_is_no_crash(fault: BadData) -> None:
    assert len(fault.change(table().head(0))) == 0


def test_an_empty_cell_stays_empty_where_the_others_change() -> None:
    holed = table().copy()
    holed.loc[3, "Years at Company"] = None
    bad = named("Years at Company in months").change(holed)
    assert bad["Years at Company"].isna().tolist() == holed["Years at Company"].isna().tolist()


def test_another_contract_has_the_faults_that_its_columns_can_have() -> None:
    """The columns are found by their kind; nothing here knows the names of one use case."""
    names = [fault.name for fault in data(SMALL_CONTRACT)]
    assert names[:2] == ["Age in months", "Age above 90"]
    assert "opportunities counted from 1 to 3" in names
    assert "Tier has a value nobody listed" in names
    for fault in data(SMALL_CONTRACT):
        assert not fault.change(small()).equals(small()), fault.name
        assert fault.column in ("", *small().columns)


def test_an_order_of_three_values_has_no_second_and_fourth_to_change() -> None:
    bad = named("Tier as places in another order", SMALL_CONTRACT).change(small())
    assert set(cells(bad, "Tier")) == {"2"}
