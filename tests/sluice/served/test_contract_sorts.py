"""What a contract may say of dates, weights, categories of any text and missing numbers, and how a
mistake in it is named.
"""

import numpy as np
import pytest
from support.rich_contract import PLACES, RICH, rich

from sluice.errors import UsageError
from sluice.model.data.table import read_table, typed
from sluice.model.data.times import TIME
from sluice.served.contract import load_contract
from sluice.served.days import written
from sluice.served.encoding import feature_names, numeric_features


def test_what_is_said_is_what_is_read() -> None:
    found = rich()
    assert found.weight is not None
    assert (found.weight.name, found.weight.role) == ("Weight", "weight")
    begins, seen = found.find("begins"), found.find("last_seen")
    assert begins is not None
    assert seen is not None
    assert (begins.minimum, begins.example, begins.numeric) == (10956.0, "2020-02-29", True)
    assert (seen.kept, begins.kept) == (True, False)
    assert begins.allowed == ("a date from 1999-12-31 to 2030-02-28, without a time or a time zone")
    place = found.find("place")
    assert place is not None
    assert (place.coded, place.allowed) == (True, "a text of at most 200 characters")


def test_the_matrix_has_no_column_for_a_date_and_one_more_for_what_may_be_missing() -> None:
    names = feature_names(rich())
    assert names[:8] == (
        "charges",
        "charges is missing",
        "calls",
        "calls is missing",
        "months",
        "shop",
        "place",
        "maker",
    )
    assert "begins" not in names
    assert "last_seen is missing" in names
    flags = dict(zip(names, numeric_features(rich()), strict=True))
    assert not flags["charges is missing"]
    assert not flags["unseen"]
    assert flags["begins_year"]


def changed(before: str, after: str) -> str:
    assert before in RICH
    return RICH.replace(before, after, 1)


GERMAN = '[reading]\ndate = "DD.MM.YYYY"'
BEGINS = 'kind = "date"\nrole = "feature"\nminimum = 1999-12-31'
WRONG = {
    "a date as a text": (
        ("minimum = 1999-12-31", 'minimum = "1999-12-31"'),
        'column "Begins", minimum is 1999-12-31',
        "minimum = 2026-01-31",
    ),
    "a date with a time": (
        ("minimum = 1999-12-31", "minimum = 1999-12-31T10:00:00"),
        "minimum is 1999-12-31",
        "without quotes",
    ),
    "a number as a date": (
        ("minimum = 1999-12-31", "minimum = 1999"),
        "minimum is 1999",
        "days",
    ),
    "no limit": (("minimum = 1999-12-31\n", ""), "minimum is missing", "days"),
    "limits of dates in the wrong order": (
        ("maximum = 2030-02-28", "maximum = 1999-12-31"),
        "maximum is 1999-12-31",
        "above 1999-12-31",
    ),
    "an example that is no day": (
        ("example = 2020-02-29", 'example = "2021-02-29"'),
        "example is '2021-02-29'",
        "a date from",
    ),
    "an example out of range": (
        ("example = 2020-02-29", "example = 2031-01-01"),
        "example is '2031-01-01'",
        "a date from",
    ),
    "a protected date": (
        (BEGINS, BEGINS.replace("feature", "protected")),
        "role is protected with kind date",
        "year(",
    ),
    "a date that is filled": (
        (BEGINS, f'{BEGINS}\nmissing = "impute"\nfill = "2020-01-01"'),
        'missing is "impute" with kind date',
        "keep",
    ),
    "values of a date": (
        (BEGINS, f'{BEGINS}\nvalues = ["2020-01-01"]'),
        "values is given with kind date",
        "kind",
    ),
    "a weight that is a text": (
        (
            'kind = "number"\nrole = "weight"\nminimum = 0\nmaximum = 100',
            'kind = "category"\nrole = "weight"\nvalues = ["a", "b"]',
        ),
        "kind is category and its role is weight",
        "number",
    ),
    "a weight below nothing": (
        ('role = "weight"\nminimum = 0', 'role = "weight"\nminimum = -1'),
        "minimum is -1 and its role is weight",
        "0 or more",
    ),
    "two weights": (
        (
            'kind = "integer"\nrole = "feature"\nminimum = 0\nmaximum = 90\nmissing = "keep"',
            'kind = "integer"\nrole = "weight"\nminimum = 0\nmaximum = 90',
        ),
        "weight is given to 2 columns",
        "At most one",
    ),
    "a weight that may be missing": (
        ('role = "weight"', 'role = "weight"\nmissing = "keep"'),
        'missing is "keep" with role weight',
        "feature",
    ),
    "other that is no value": (
        ('other = "rest"', 'other = "none"'),
        "other is 'none', no entry of values",
        "values",
    ),
    "other of a number": (
        (
            'missing = "keep"\n\n[columns."Calls"]',
            'missing = "keep"\nother = "x"\n\n[columns."Calls"]',
        ),
        "other is 'x' with kind number",
        "category",
    ),
    "a minimum count without other": (
        ('other = "other"\nminimum_count = 20', "minimum_count = 20"),
        "minimum_count is 20 without other",
        "other",
    ),
    "a minimum count that is none": (
        ("minimum_count = 20", "minimum_count = -1"),
        "minimum_count is -1",
        "whole number",
    ),
    "a minimum count that is a flag": (
        ("minimum_count = 20", "minimum_count = true"),
        "minimum_count is True",
        "whole number",
    ),
    "an unknown encoding": (
        ('encoding = "target"', 'encoding = "hash"'),
        "encoding is 'hash'",
        "frequency",
    ),
    "a category that is kept": (
        ('missing = "impute"\nfill = "rest"', 'missing = "keep"'),
        'missing is "keep" with role feature and kind category',
        "impute",
    ),
    "arithmetic with a date": (
        ('"year(begins)"', '"begins + 1"'),
        "'begins' is a date; read it by year, month",
        "feature columns",
    ),
    "a comparison with a date": (
        ('"year(begins)"', "\"begins > '2020-01-01'\""),
        "'begins' is a date",
        "feature columns",
    ),
    "the year of a number": (
        ('"year(begins)"', '"year(months)"'),
        "'months' is no date; year takes columns of kind date",
        "feature columns",
    ),
    "the days to no day": (
        ("days_between('2020-01-31', begins)", "days_between('2020-02-31', begins)"),
        "\"'2020-02-31'\" is no date",
        "feature columns",
    ),
    "too many days": (
        ("days_between('2020-01-31', begins)", "days_between(begins)"),
        "days_between takes 2 arguments, not 1",
        "feature columns",
    ),
    "missing of what never misses": (
        ('is_missing(last_seen)"', 'is_missing(months)"'),
        "'months' never misses",
        "feature columns",
    ),
    "missing of a sum": (
        ('is_missing(last_seen)"', 'is_missing(charges + 1)"'),
        "'charges + 1' never misses",
        "feature columns",
    ),
    "a form of dates that nobody knows": (
        ("[reading]", '[reading]\ndate = "D.M.Y"'),
        "date is 'D.M.Y'",
        "DD.MM.YYYY",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_its_column_and_what_to_do(case: str) -> None:
    (before, after), what, fix = WRONG[case]
    with pytest.raises(UsageError) as caught:
        load_contract(changed(before, after), "rich.toml")
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_a_date_that_feeds_nothing_is_named() -> None:
    names = ("begins_year", "begins_month", "begins_weekday", "since", "stayed")
    text = RICH
    for name in names:
        start = text.index(f"[derived.{name}]")
        text = text[:start] + text[text.index("[", start + 1) :]
    text = text.replace("or days_between(begins, last_seen) >= -10000", "")
    with pytest.raises(UsageError) as caught:
        load_contract(text)
    assert 'column "Begins", role is feature, and no derived feature reads the date' in str(
        caught.value.what
    )
    assert "year(begins)" in caught.value.fix


def test_ten_thousand_values_are_read_and_no_more() -> None:
    many = ", ".join(f'"v{number}"' for number in range(10_000))
    text = changed(f'"{PLACES[0]}",', f'"{PLACES[0]}", {many},')
    with pytest.raises(UsageError, match="has 10,081 entries; at most 10,000 are read"):
        load_contract(text)


def test_a_column_may_be_called_like_a_function() -> None:
    text = changed('[columns."Months"]', '[columns."year"]').replace("months", "year")
    found = load_contract(text)
    assert found.find("year") is not None
    begins_year = next(one for one in found.derived if one.name == "begins_year")
    assert begins_year.expression.keys == ("begins",)


def test_the_days_of_the_rows_may_be_a_date_that_is_fed() -> None:
    contract = load_contract(f'as_of = "Begins"\n{changed("[reading]", GERMAN)}')
    data = ("Begins;Last seen\n" + "20.11.2026;\n" + "1.2.2020;3.2.2020\n").encode()
    rest = "".join(f";{column.name}" for column in contract.columns if column.kind != "date")
    cells = {"Place": "x", "Shop": "north", "Maker": "a", "Plan": "s", "Ends": "no"}
    lines = data.decode().splitlines()
    others = [cells.get(name, "1") for name in rest.split(";")[1:]]
    table = "\n".join([lines[0] + rest, *(line + ";" + ";".join(others) for line in lines[1:])])
    columns = typed(read_table(table.encode(), contract, "t.csv"), contract)
    assert columns[TIME].astype("datetime64[D]").astype(str).tolist() == [
        "2026-11-20",
        "2020-02-01",
    ]
    assert [written(day) for day in columns["begins"]] == ["2026-11-20", "2020-02-01"]
    assert np.isnan(columns["last_seen"]).tolist() == [True, False]
