"""The profile of a table: every cell is counted once, and small groups keep their outcome."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support import deliveries
from support.gate_cases import small

from gx.profile import FEW, Bar, ColumnProfile, Profile, profile
from sluice.model.data.table import read_table

GOOD = {
    "Customer ID": "c1",
    "Age": "40",
    "Weight": "70.5",
    "Spend": "3",
    "Visits": "2",
    "Tier": "High",
    "Region": "N",
    "Pays-Late?": "Yes",
    "Sex": "F",
    "Note": "a",
    "Churn": "No",
}


def counted(rows: int, **columns: Sequence[object]) -> Profile:
    """The profile of so many good rows, in which these columns hold something else."""
    cells: dict[str, Sequence[object]] = {name: [text] * rows for name, text in GOOD.items()}
    cells |= columns
    return profile(small(), pd.DataFrame(cells, dtype=object))


def column(summary: Profile, name: str) -> ColumnProfile:
    return next(each for each in summary.columns if each.column.name == name)


def strength(summary: Profile, name: str) -> float:
    return next(link.value for link in summary.links if link.name == name)


CELLS = st.lists(
    st.integers(-5, 90).map(str) | st.sampled_from(["91", "x", "1e3", "4.5"]) | st.none(),
    min_size=1,
    max_size=80,
)


@settings(max_examples=20)
@given(CELLS)
def test_every_cell_is_in_a_bar_missing_or_refused(cells: list[str | None]) -> None:
    age = column(counted(len(cells), Age=cells), "Age")
    good = [cell for cell in cells if cell and cell.lstrip("-").isdigit() and int(cell) <= 90]
    assert sum(bar.count for bar in age.bars) == len(good)
    assert age.missing == cells.count(None)
    assert age.refused == len(cells) - len(good) - age.missing
    assert age.distinct == len({cell for cell in cells if cell is not None})
    assert len(age.bars) <= 25


@settings(max_examples=20)
@given(st.lists(st.integers(-5, 90), min_size=1, max_size=80))
def test_a_bar_of_whole_numbers_holds_what_its_label_says(ages: list[int]) -> None:
    bars = column(counted(len(ages), Age=[str(age) for age in ages]), "Age").bars
    for bar in bars:
        first, _, last = bar.label.partition(" to ")
        inside = [age for age in ages if int(first) <= age <= int(last or first)]
        assert bar.count == len(inside)


@settings(max_examples=20)
@given(st.lists(st.integers(-5, 90), min_size=1, max_size=80))
def test_the_middle_of_whole_numbers_is_a_value_that_is_there(ages: list[int]) -> None:
    middle = column(counted(len(ages), Age=[str(age) for age in ages]), "Age").middle
    assert middle
    assert list(middle) == sorted(middle)
    assert set(middle) <= set(ages)


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_the_outcome_of_a_small_group_is_not_told(left: list[bool], data: st.DataObject) -> None:
    size = st.sampled_from(["Low", "Mid", "High"])
    tiers = data.draw(st.lists(size, min_size=len(left), max_size=len(left)))
    churn = ["Yes" if each else "No" for each in left]
    summary = counted(len(left), Tier=tiers, Churn=churn)
    assert summary.positives == sum(left)
    for bar in column(summary, "Tier").bars:
        here = [outcome for tier, outcome in zip(tiers, left, strict=True) if tier == bar.label]
        told = sum(here) if len(here) >= FEW else None
        assert bar == Bar(bar.label, len(here), told)


def test_the_values_of_an_id_are_not_looked_at_and_ignored_columns_are_not_there() -> None:
    summary = counted(3, **{"Customer ID": ["Jane", "Joe", None]})
    person = column(summary, "Customer ID")
    assert (person.bars, person.middle, person.distinct, person.missing) == ((), None, 2, 1)
    assert "Jane" not in str(summary)
    assert "Note" not in {each.column.name for each in summary.columns}


def test_a_table_without_a_column_is_counted_all_the_same() -> None:
    frame = pd.DataFrame({name: [text] * 3 for name, text in GOOD.items() if name != "Age"})
    summary = profile(small(), frame.astype(object))
    assert summary.rows == 3
    assert "Age" not in {each.column.name for each in summary.columns}


def test_a_column_of_which_nothing_is_right_has_no_bars() -> None:
    age = column(counted(4, Age=["x", "y", None, "1000"]), "Age")
    assert (age.bars, age.middle, age.missing, age.refused) == ((), None, 1, 3)


def test_one_value_alone_is_one_bar() -> None:
    [bar] = column(counted(12), "Age").bars
    assert bar == Bar("40", 12, 0)
    [wide] = column(counted(12), "Weight").bars
    assert wide.count == 12


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_a_link_without_an_order_is_cramers_v(rows: list[tuple[bool, bool]]) -> None:
    region = ["N" if north else "Süd" for north, _ in rows]
    churn = ["Yes" if left else "No" for _, left in rows]
    value = strength(counted(len(rows), Region=region, Churn=churn), "Region")
    table = pd.crosstab(pd.Series(region), pd.Series(churn)).to_numpy()
    expected = 0.0
    if min(table.shape) > 1:
        expected = stats.contingency.association(table, method="cramer")
    assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_link_with_an_order_is_spearmans(seed: int) -> None:
    random = np.random.default_rng(seed)
    ages = random.integers(-5, 90, 60)
    left = random.random(60) < (ages + 20) / 120
    churn = ["Yes" if each else "No" for each in left]
    summary = counted(60, Age=[str(age) for age in ages], Churn=churn)
    expected = stats.spearmanr(ages, left).statistic
    assert strength(summary, "Age") == pytest.approx(expected)
    assert summary.correlations.loc["Age", "Churn"] == pytest.approx(expected)


def test_the_strongest_link_comes_first_and_a_constant_has_none() -> None:
    churn = ["Yes", "No"] * 10
    summary = counted(20, Churn=churn, Region=["N", "Süd"] * 10, Age=["20", "30"] * 10)
    assert {summary.links[0].name, summary.links[1].name} == {"Region", "Age"}
    assert strength(summary, "Age") == pytest.approx(-1.0)
    assert strength(summary, "Region") == pytest.approx(1.0)
    values = [abs(link.value) for link in summary.links]
    assert values == sorted(values, reverse=True)
    assert strength(summary, "Weight") == 0.0
    assert not {"Churn", "Customer ID", "Note"} & {link.name for link in summary.links}


def test_correlations_are_symmetric_and_within_their_limits() -> None:
    random = np.random.default_rng(5)
    summary = counted(
        50,
        Age=[str(age) for age in random.integers(0, 90, 50)],
        Visits=[str(count) for count in random.integers(0, 9, 50)],
        Churn=random.choice(["Yes", "No"], 50).tolist(),
    )
    values = summary.correlations.to_numpy()
    assert np.allclose(values, values.T)
    assert (np.abs(values) <= 1 + 1e-12).all()
    assert list(summary.correlations)[-1] == "Churn"
    assert "Region" not in summary.correlations  # it has no order


def of_classes(**columns: Sequence[object]) -> Profile:
    """The profile of rows of three classes, in which these columns hold something else."""
    target = replace(small().target, positive="", negative="", classes=("a", "b", "c"))
    columns_of = [
        replace(one, values=("a", "b", "c")) if one.role == "target" else one
        for one in small().columns
    ]
    contract = replace(small(), target=target, columns=tuple(columns_of))
    rows = len(columns["Churn"])
    cells: dict[str, Sequence[object]] = {name: [text] * rows for name, text in GOOD.items()}
    return profile(contract, pd.DataFrame({**cells, **columns}, dtype=object))


def test_of_several_classes_each_is_counted_and_an_outcome_that_is_none_is_in_no_class() -> None:
    summary = of_classes(Churn=["a"] * 12 + ["b"] * 6 + ["c"] * 5 + ["?", None])
    assert (summary.rows, summary.positives, summary.classes) == (25, 0, (12, 6, 5))
    [bar] = column(summary, "Age").bars
    assert (bar.count, bar.positives, bar.classes) == (25, None, (12, 6, 5))


def test_what_tells_the_class_goes_with_it_wholly_and_a_constant_not_at_all() -> None:
    churn = ["a", "b", "c"] * 10
    regions = {"a": "N", "b": "Süd", "c": "N"}
    ages = {"a": "20", "b": "70", "c": "45"}
    summary = of_classes(
        Churn=churn, Region=[regions[one] for one in churn], Age=[ages[one] for one in churn]
    )
    assert strength(summary, "Age") == pytest.approx(1)
    assert strength(summary, "Region") == pytest.approx(1)
    assert strength(summary, "Visits") == 0
    assert "Churn" not in summary.correlations
    assert not any(link.ordered for link in summary.links)
    spread = [kruskal(churn, [20, 70, 45] * 10), strength(summary, "Age") ** 2]
    assert spread[0] == pytest.approx(spread[1] * (len(churn) - 1))


def kruskal(churn: Sequence[str], ages: Sequence[int]) -> float:
    """The H of Kruskal and Wallis, with ties corrected: the squared ratio times the rows less 1."""
    of = [[age for age, one in zip(ages, churn, strict=True) if one == name] for name in "abc"]
    return float(stats.kruskal(*of).statistic)


def test_of_a_number_bars_tell_how_many_lie_above_its_median() -> None:
    known = deliveries.contract()
    frame = read_table(deliveries.to_csv(1_000), known, "deliveries.csv")
    summary = profile(known, frame)
    minutes = frame["Minutes"].astype(float)
    assert summary.median == pytest.approx(minutes.median())
    assert summary.positives == int((minutes > minutes.median()).sum())
    zone = next(one for one in summary.columns if one.column.name == "Zone")
    city = zone.bars[0]
    assert (city.label, city.count) == ("city", int((frame["Zone"] == "city").sum()))
    assert city.positives == int(((frame["Zone"] == "city") & (minutes > minutes.median())).sum())
    links = {link.name: link for link in summary.links}
    assert links["Distance km"].ordered
    assert links["Distance km"].value == pytest.approx(
        frame["Distance km"].astype(float).corr(minutes, method="spearman")
    )
    assert not links["Zone"].ordered
    assert 0 < links["Zone"].value < links["Distance km"].value
    assert summary.correlations.columns[-1] == "Minutes"


def test_a_number_that_no_row_has_is_no_number() -> None:
    known = deliveries.contract()
    frame = read_table(deliveries.to_csv(20), known, "deliveries.csv").assign(Minutes="none")
    summary = profile(known, frame)
    assert summary.positives == 0
    assert summary.median is not None
    assert math.isnan(summary.median)
    assert {link.value for link in summary.links} == {0.0}
