"""The reference keeps counts and no person; drawn out again it shows no drift, and a changed column
shows.
"""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from flows.adapters.drift import measure, titled
from models.attrition import sample
from sluice.drift.verdict import judge
from sluice.model.artifact.reference import (
    OTHER,
    Numbers,
    Reference,
    Texts,
    histogram,
    read_reference,
    rows_from,
)
from sluice.policy import DriftPolicy
from sluice.served.contract import Contract, load_contract

CONTRACT = Path(__file__).parents[3] / "models" / "attrition" / "contract.toml"
LIMITS = DriftPolicy()
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
    return written(histogram(contract, table))


def written(reference: Reference) -> Reference:
    """The reference as an artifact carries it, read again."""
    return read_reference(json.dumps(msgspec.to_builtins(reference)).encode())


def numbers(cell: Numbers | Texts) -> Numbers:
    assert isinstance(cell, Numbers)
    return cell


def texts(cell: Numbers | Texts) -> Texts:
    assert isinstance(cell, Texts)
    return cell


def test_the_reference_has_every_feature_and_nothing_else(
    contract: Contract, reference: Reference
) -> None:
    assert list(reference) == [column.key for column in contract.features]


def test_no_cell_is_small_and_every_row_is_counted(reference: Reference) -> None:
    for cell in reference.values():
        counts = cell.counts if isinstance(cell, Numbers) else list(cell.values.values())
        assert min(counts) >= 5 and len(counts) <= 20
        assert sum(counts) + cell.missing == 8000


def test_edges_are_round_and_no_extreme_person_shows(contract: Contract, table: Table) -> None:
    table = {**table, "monthly_income": table["monthly_income"].copy()}
    table["monthly_income"][:3] = [48_765, 1_003, 1_004]
    cell = numbers(histogram(contract, table)["monthly_income"])
    assert cell.edges == tuple(sorted(set(cell.edges)))
    assert cell.edges[-1] < 40_000 and cell.edges[0] > 1_050
    assert all((edge + 0.5) % 100 == 0 for edge in cell.edges)
    assert sum(cell.counts) == 8000


def test_rare_values_are_pooled(contract: Contract, table: Table) -> None:
    values = table["job_role"].copy()
    values[:] = "Media"
    values[:3], values[3:6], values[6:106] = "Finance", "Education", "Technology"
    cell = texts(histogram(contract, {**table, "job_role": values})["job_role"])
    assert cell.values == {"Media": 7894, "Technology": 100, OTHER: 6}
    values[3:6] = "Media"
    other = texts(histogram(contract, {**table, "job_role": values})["job_role"])
    assert OTHER not in other.values


def test_rows_come_out_as_they_went_in(
    contract: Contract, table: Table, reference: Reference
) -> None:
    rows = rows_from(reference, 8000)
    again = written(histogram(contract, rows))
    for key, cell in reference.items():
        if isinstance(cell, Texts):
            assert again[key] == cell
        else:
            counts = np.histogram(rows[key][~np.isnan(rows[key])], cell.edges)[0]
            assert tuple(counts.tolist()) == cell.counts
            assert np.isnan(rows[key]).sum() == cell.missing
            assert np.nanmean(rows[key]) == pytest.approx(np.nanmean(table[key]), rel=0.05)


def test_rows_are_always_the_same_and_as_many_as_asked(reference: Reference) -> None:
    first, again = rows_from(reference, 123), rows_from(reference, 123)
    for key, values in first.items():
        assert len(values) == 123
        assert np.array_equal(values.astype(str), again[key].astype(str))


def test_few_rows_make_no_bins(contract: Contract, table: Table) -> None:
    few = histogram(contract, {key: values[:4] for key, values in table.items()})
    assert numbers(few["age"]).counts == () and texts(few["job_role"]).values == {}
    assert np.isnan(rows_from(few, 7)["age"]).all()


def test_one_value_only_is_one_bin(contract: Contract, table: Table) -> None:
    cell = numbers(histogram(contract, {**table, "age": np.full(8000, 30.0)})["age"])
    assert cell.edges == (29.5, 30.5) and cell.counts == (8000,)


def test_the_same_rows_and_the_rows_drawn_out_show_no_drift(
    contract: Contract, table: Table, reference: Reference
) -> None:
    for current in (table, rows_from(reference, 3000)):
        distances, html = measure(reference, current, contract, LIMITS, rows=3000)
        assert [each.column for each in distances] == [c.name for c in contract.features]
        assert max(each.distance for each in distances) < 0.03
        assert judge(distances, LIMITS).verdict == "none"
        assert (
            html.lstrip().lower().startswith(("<html", "<!doctype html")) and len(html) > 1_000_000
        )


def test_a_changed_column_is_far_and_a_strong_change_is_farther(
    contract: Contract, table: Table, reference: Reference
) -> None:
    raised = {**table, "monthly_income": np.round(table["monthly_income"] * 1.09)}
    some = judge(measure(reference, raised, contract, LIMITS)[0], LIMITS)
    assert some.verdict == "some"
    assert [each.column for each in some.drifted] == ["Monthly Income"]
    overtime = np.where(np.arange(8000) % 10 < 7, "Yes", "No").astype(object)
    outside = {**table, "overtime": overtime, "monthly_income": np.full(8000, 50_000.0)}
    strong = judge(measure(reference, outside, contract, LIMITS)[0], LIMITS)
    assert strong.verdict == "strong"
    assert {each.column for each in strong.drifted} == {"Overtime", "Monthly Income"}


def test_the_limits_of_the_policy_change_the_page_and_no_distance(
    contract: Contract, table: Table, reference: Reference
) -> None:
    raised = {**table, "monthly_income": np.round(table["monthly_income"] * 1.09)}
    usual, page = measure(reference, raised, contract, LIMITS, rows=2000)
    wide, other = measure(reference, raised, contract, DriftPolicy(5.0, 6.0), rows=2000)
    assert usual == wide
    assert page != other


def test_the_page_is_titled_leads_back_and_is_the_same_for_the_same_rows(
    contract: Contract, table: Table, reference: Reference
) -> None:
    pages = [measure(reference, table, contract, LIMITS, 500)[1] for _ in range(2)]
    assert pages[0] == pages[1]
    title = f"{contract.title}: drift from the training data of the champion"
    assert f"<head><title>{title}</title>" in pages[0]
    assert '<a href="evidence.html">' in pages[0]


def test_a_title_cannot_become_markup() -> None:
    page = titled("<html><head></head><body></body></html>", "<script>alert(1)</script>")
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


MARKUP = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "<!--<script>",
    "</style></head></html>",
    "<svg/onload=document.title='taken'>",
    "]]><script>",
    "&lt;script&gt;",
    "</SCRIPT >",
    "turned \u202e around",
    "\u2028'];document.title='taken'//",
)


def test_no_value_of_the_data_and_no_name_of_a_column_is_markup_of_the_page(
    contract: Contract, table: Table
) -> None:
    names = {"job_role": "</script><", "company_size": "‹/script›<"}
    columns = [replace(c, name=names.get(c.key, c.name)) for c in contract.columns]
    hostile = replace(contract, columns=tuple(columns))
    values = np.array([MARKUP[row % len(MARKUP)] for row in range(8000)], dtype=object)
    changed = {**table, "job_role": values}
    before = written(histogram(contract, table))
    page = measure(before, table, contract, LIMITS, rows=1_000)[1]
    distances, other = measure(before, changed, hostile, LIMITS, rows=1_000)
    assert [each.column for each in distances] == [c.name for c in hostile.features]
    assert max(each.distance for each in distances) > LIMITS.strong
    assert [text for text in MARKUP if text in other] == []
    for markup in ("<", ">"):
        assert other.count(markup) == page.count(markup)
