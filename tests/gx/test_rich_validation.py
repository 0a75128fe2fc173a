"""What validation says of dates, categories of any text, weights and cells that may be empty."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rich_contract import rich, rows

from gx.docs import Source, render
from gx.profile import profile
from gx.validation import validate
from sluice.errors import Refused
from sluice.model.data.table import read_table, typed
from sluice.served.encoding import encode

ROWS = rows(60)


def table(**changed: Any) -> pd.DataFrame:
    """Sixty rows, in the first of which these cells are changed."""
    frame = pd.DataFrame(ROWS).astype(object)
    for name, value in changed.items():
        frame.loc[0, name.replace("_", " ")] = value
    return read_table(frame.to_csv(index=False).encode(), rich(), "rows.csv")


def critical(frame: pd.DataFrame) -> list[tuple[str, str]]:
    report = validate(rich(), frame, minimum_rows=10)
    return [(one.column, one.rule) for one in report.findings if one.severity == "critical"]


def test_what_may_be_missing_is_no_finding() -> None:
    assert critical(table()) == []
    assert any(row["Charges"] is None for row in ROWS)


WRONG = {
    "no day": ({"Begins": "2021-02-29"}, ("Begins", "wrong type")),
    "a time": ({"Begins": "2021-02-28 12:00"}, ("Begins", "wrong type")),
    "a zone": ({"Last_seen": "2021-02-28T00:00Z"}, ("Last seen", "wrong type")),
    "a day too early": ({"Begins": "1999-12-30"}, ("Begins", "out of range")),
    "no day at all": ({"Begins": None}, ("Begins", "missing value")),
    "an endless text": ({"Place": "x" * 201}, ("Place", "text too long")),
    "an empty category": ({"Place": None}, ("Place", "missing value")),
    "a weight below nothing": ({"Weight": -1}, ("Weight", "out of range")),
    "no weight": ({"Weight": None}, ("Weight", "missing value")),
    "infinity": ({"Charges": "inf"}, ("Charges", "wrong type")),
    "no number": ({"Charges": "nan"}, ("Charges", "wrong type")),
    "a broken rule": (
        {"Begins": "2030-01-01", "Last_seen": "2000-01-01"},
        ("", "rule seen"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found(case: str) -> None:
    changed, expected = WRONG[case]
    assert critical(table(**changed)) == [expected]


def test_a_date_that_is_none_is_told_how_to_write_it() -> None:
    report = validate(rich(), table(Begins="2021-02-29"), minimum_rows=10)
    [finding] = [one for one in report.findings if one.rule == "wrong type"]
    assert [example.value for example in finding.examples] == ["2021-02-29"]
    assert finding.fix == (
        "Write a date from 1999-12-31 to 2030-02-28, without a time or a time zone, as YYYY-MM-DD."
    )


def test_many_texts_that_are_not_listed_are_a_warning() -> None:
    frame = pd.DataFrame(ROWS)
    frame["Shop"] = [f"kiosk {number}" for number in range(len(frame))]
    read = read_table(frame.to_csv(index=False).encode(), rich(), "rows.csv")
    report = validate(rich(), read, minimum_rows=10)
    [finding] = [one for one in report.findings if one.column == "Shop"]
    assert (finding.rule, finding.severity, finding.count) == ("many others", "warning", 60)
    assert "100 % count as other" in finding.fix


def test_the_page_shows_days_as_days_and_few_bars_of_many_values() -> None:
    found = profile(rich(), table())
    begins = next(one for one in found.columns if one.column.name == "Begins")
    assert all(bar.label[:2] == "20" and "-" in bar.label for bar in begins.bars)
    report = validate(rich(), table(), minimum_rows=10)
    page = render(rich(), found, report, Source("rows.csv", "0" * 64, "2026-11-20"))
    assert "date, 1999-12-31 to 2030-02-28" in page
    assert "Median 20" in page


CELLS = {
    "Charges": st.sampled_from(["", "?", "12.5", "1e999", "-inf", "nan", "abc"]),
    "Begins": st.sampled_from(["2020-01-01", "", "2020-02-30", "01.02.2020", "9999-99-99"]),
    "Last seen": st.sampled_from(["2020-01-01", "", "NA", "2020-01-01T01:00", "x" * 500]),
    "Place": st.sampled_from(["place 3", "", "?", "Ω" * 201, "new", " place 3 "]),
    "Maker": st.sampled_from(["a", "", "?", "unknown", "a" * 300]),
    "Months": st.sampled_from(["3", "", "91", "3.5"]),
}


@given(st.fixed_dictionaries(CELLS))
@settings(max_examples=30, deadline=None)
def test_every_row_that_is_valid_can_be_encoded_and_no_other(cells: dict[str, str]) -> None:
    frame = table(**{name.replace(" ", "_"): cell for name, cell in cells.items()})
    try:
        encoded = bool(len(encode(rich(), typed(frame, rich()))))
    except Refused:
        encoded = False
    assert encoded == (critical(frame) == [])
    if encoded:
        assert not np.isinf(encode(rich(), typed(frame, rich()))).any()
