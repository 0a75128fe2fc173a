"""A unit that changes is named with its factor, and a drift is not taken for one."""

from dataclasses import replace

import numpy as np
import pytest

from sluice.model.artifact.reference import Numbers, histogram
from sluice.monitor.units import changed_unit
from sluice.served.contract import Column, Contract, Target

TARGET = Target("left", "yes", "no", "yes", "no")
YEARS = Column("Tenure", "tenure", "integer", "feature", unit="years", minimum=0, maximum=50)
INCOME = Column("Income", "income", "number", "feature", unit="euros", minimum=0, maximum=1e7)


def trained(column: Column, values: np.ndarray) -> Numbers:
    contract = Contract("", "", (column,), (), (), TARGET)
    cell = histogram(contract, {column.key: values.astype(float)})[column.key]
    assert isinstance(cell, Numbers)
    return cell


def tenures(rows: int, seed: int) -> np.ndarray:
    return np.floor(np.random.default_rng(seed).gamma(2.0, 6.0, rows)).clip(0, 50)


def incomes(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(8.5, 0.5, rows).round(2)


def test_the_same_unit_is_none() -> None:
    for seed in range(2, 12):
        assert changed_unit(YEARS, trained(YEARS, tenures(9_000, 1)), tenures(300, seed)) is None


def test_months_for_years_are_named_though_most_are_refused() -> None:
    """What is above the maximum of 50 never arrives: only those of under five years."""
    months = tenures(2_000, 2) * 12 + np.random.default_rng(3).integers(0, 12, 2_000)
    unit = changed_unit(YEARS, trained(YEARS, tenures(9_000, 1)), months[months <= 50])
    assert unit is not None
    assert (unit.factor, unit.example) == (12.0, "months for years")


@pytest.mark.parametrize("factor", [100.0, 0.01, 1000.0, 0.001])
def test_a_factor_of_an_amount_is_found(factor: float) -> None:
    unit = changed_unit(INCOME, trained(INCOME, incomes(9_000, 1)), incomes(400, 2) * factor)
    assert unit is not None
    assert unit.factor == factor


def test_a_drift_is_no_unit() -> None:
    older = (tenures(500, 2) + 15).clip(0, 50)
    assert changed_unit(YEARS, trained(YEARS, tenures(9_000, 1)), older) is None


def test_too_few_values_say_nothing() -> None:
    cell = trained(YEARS, tenures(9_000, 1))
    assert changed_unit(YEARS, cell, tenures(50, 2) * 12) is None
    assert changed_unit(YEARS, Numbers(), tenures(500, 2)) is None


def test_a_column_of_one_value_has_no_unit() -> None:
    same = np.full(9_000, 3.0)
    assert changed_unit(YEARS, trained(YEARS, same), np.full(400, 36.0)) is None


def test_a_factor_near_one_is_a_unit_only_where_the_unit_says_so() -> None:
    """Incomes that rise by 61 % are a drift; distances that do are miles."""
    distances = replace(INCOME, unit="miles")
    before, after = incomes(9_000, 1), incomes(2_000, 2) * 1.609344
    assert changed_unit(INCOME, trained(INCOME, before), after) is None
    unit = changed_unit(distances, trained(distances, before), after)
    assert unit is not None
    assert unit.example == "kilometres for miles"
