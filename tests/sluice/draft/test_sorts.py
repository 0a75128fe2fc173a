"""Proposals for dates, categories of many values and weights: what is proposed, and what is not."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from sluice.draft import sorts
from sluice.draft.proposals import Choices, Proposal, Roles, propose
from sluice.draft.sniffing import sniff
from sluice.draft.toml_files import contract_text
from sluice.draft.updating import Change, update
from sluice.model.data.table import read_table, typed
from sluice.served.contract import load_contract
from sluice.served.encoding import encode

ROWS = 1_200


def table(**more: list[str]) -> bytes:
    """A table with a target, an id and these columns."""
    random = np.random.default_rng(5)
    columns = {
        "key": [f"K{number}" for number in range(ROWS)],
        "amount": [f"{number:.2f}" for number in random.random(ROWS) * 100],
        **more,
        "left": random.choice(["no", "yes"], ROWS, p=[0.7, 0.3]).tolist(),
    }
    return pd.DataFrame(columns).to_csv(index=False).encode()


def proposed(data: bytes) -> Roles:
    return propose(sniff(data, "t.csv").frame, Choices())


def column(data: bytes, name: str) -> Proposal:
    return next(one for one in proposed(data).columns if one.name == name)


def days(form: str, step: int = 1) -> list[str]:
    return [(date(2020, 1, 5) + timedelta(step * n)).strftime(form) for n in range(ROWS)]


def places(different: int, rare: int = 0) -> list[str]:
    frequent = [f"place {number % different}" for number in range(ROWS - rare)]
    return [*frequent, *(f"hamlet {number}" for number in range(rare))]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("%Y-%m-%d", "YYYY-MM-DD"),
        ("%d.%m.%Y", "DD.MM.YYYY"),
        ("%m/%d/%Y", "MM/DD/YYYY"),
        ("%d-%m-%Y", "DD-MM-YYYY"),
        ("%Y-%m-%d 00:00:00", "YYYY-MM-DD"),
    ],
)
def test_a_column_of_days_is_proposed_as_one(form: str, name: str) -> None:
    found = column(table(opened=days(form)), "opened")
    assert (found.role, found.kind, found.form) == ("feature", "date", name)
    assert "2020-01-05" in found.why


@pytest.mark.parametrize(
    "cells",
    [
        days("%Y-%m-%d 10:30:00"),
        days("%Y-%m-%dT00:00:00Z"),
        [*days("%Y-%m-%d")[:600], *days("%d.%m.%Y")[600:]],
        ["2020-02-30"] * 10 + days("%Y-%m-%d")[10:],
    ],
    ids=["times", "zones", "two forms", "no days"],
)
def test_times_and_mixed_forms_are_ignored_with_the_reason(cells: list[str]) -> None:
    found = column(table(opened=cells), "opened")
    assert found.role == "ignored"
    assert "write days, such as 2026-11-20" in found.why


def test_a_day_that_two_forms_read_is_told() -> None:
    cells = [f"0{1 + number % 9}/0{1 + number % 8}/2020" for number in range(ROWS)]
    found = column(table(opened=cells), "opened")
    assert found.form == "DD/MM/YYYY"
    assert "correct [reading] if the month comes first" in found.why


def test_dates_in_another_form_than_most_are_ignored() -> None:
    data = table(a=days("%d.%m.%Y"), b=days("%d.%m.%Y", 2), c=days("%Y-%m-%d"))
    assert column(data, "c").role == "ignored"
    assert "another form than DD.MM.YYYY" in column(data, "c").why


def test_a_day_of_birth_is_ignored() -> None:
    assert column(table(birth_date=days("%Y-%m-%d")), "birth_date").role == "ignored"


def test_many_values_become_a_number_and_rare_ones_other() -> None:
    found = column(table(place=places(55, rare=100)), "place")
    assert (found.role, found.encoding, found.other) == ("feature", "target", "other")
    assert len(found.values) == 56
    assert not any(value.startswith("hamlet") for value in found.values)


def test_a_few_values_with_rare_ones_keep_a_column_each() -> None:
    found = column(table(place=places(12, rare=3)), "place")
    assert (found.encoding, found.other, len(found.values)) == ("", "other", 13)
    assert column(table(place=places(12)), "place").other == ""
    assert column(table(place=places(4, rare=3)), "place").other == ""


def test_keys_texts_and_attributes_of_people_are_no_features() -> None:
    keys = [f"x{number // 2}" for number in range(ROWS)]
    assert column(table(place=keys), "place").role == "ignored"
    assert column(table(nationality=places(100)), "nationality").role == "ignored"


def test_other_is_a_word_that_the_table_does_not_have() -> None:
    cells = ["other" if number % 3 else f"place {number % 60}" for number in range(ROWS)]
    assert column(table(place=[*cells[:-3], "a", "b", "c"]), "place").other == "(other)"


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("sample_weight", [f"{1 + n % 7}.5" for n in range(ROWS)], "weight"),
        ("fnlwgt", [str(100 + n % 70) for n in range(ROWS)], "weight"),
        ("weight", [str(100 + n % 70) for n in range(ROWS)], "feature"),
        ("sample_weight", [f"{n % 7 - 1}" for n in range(ROWS)], "feature"),
        ("sample_weight", ["", *[f"{1 + n % 7}" for n in range(ROWS - 1)]], "feature"),
    ],
)
def test_a_weight_is_known_by_its_name_and_its_numbers(
    name: str, cells: list[str], role: str
) -> None:
    assert column(table(**{name: cells}), name).role == role


def test_what_is_drafted_is_read_and_takes_the_table_it_came_from() -> None:
    some = [cell if place % 5 else "" for place, cell in enumerate(days("%d.%m.%Y", 2))]
    data = table(
        opened=days("%d.%m.%Y"),
        paid=some,
        place=places(55, rare=100),
        income=["" if n % 4 == 0 else f"{n}.5" for n in range(ROWS)],
        case_weight=[f"{1 + n % 3}" for n in range(ROWS)],
    )
    sniffed = sniff(data, "t.csv")
    text = contract_text("t", propose(sniffed.frame, Choices()), sniffed.reading, "t.csv")
    contract = load_contract(text)
    assert [one.name for one in contract.derived] == [
        "opened_month",
        "opened_weekday",
        "paid_month",
        "paid_weekday",
        "days_from_opened_to_paid",
    ]
    assert contract.weight is not None
    columns = typed(read_table(data, contract, "t.csv"), contract)
    assert np.isnan(encode(contract, columns)).any(axis=1).sum() > ROWS // 4
    assert update(text, "t.toml", sniffed).changes == ()


def test_newer_rows_show_values_that_are_frequent_by_now() -> None:
    cells = places(55, rare=100)
    sniffed = sniff(table(opened=days("%Y-%m-%d"), place=cells), "t.csv")
    text = contract_text("t", propose(sniffed.frame, Choices()), sniffed.reading, "t.csv")
    newer = [*["new town"] * 30, *["hamlet 200"] * 3, *cells[33:]]
    late = [*days("%Y-%m-%d")[:-1], "2099-01-01"]
    found = update(text, "t.toml", sniff(table(opened=late, place=newer), "t.csv"))
    [change] = found.changes
    assert isinstance(change, Change)
    assert (change.column, change.key) == ("place", "values")
    assert "new town" in found.text
    assert "hamlet" not in found.text
    assert found.remarks == ("opened: 2099-01-01 was seen; write a later maximum.",)


def test_names_of_derived_features_are_nobody_elses() -> None:
    taken = [
        Proposal("opened", "opened", "feature", "date"),
        Proposal("opened_year", "opened_year", "feature", "integer"),
    ]
    names = [one.name for one in sorts.derived_of(taken)]
    assert names == ["opened_year_of_date", "opened_month", "opened_weekday"]
