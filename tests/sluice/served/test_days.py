"""Days: the number of each, however it is written, and the refusal of all that is no day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.served.days import ISO, PATTERNS, day_of, number_of, written

WRITTEN = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYY/MM/DD": "%Y/%m/%d",
    "YYYYMMDD": "%Y%m%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
}


@given(st.dates(date(1000, 1, 1)), st.sampled_from(sorted(PATTERNS)))
def test_a_day_is_the_same_number_in_every_form(day: date, form: str) -> None:
    found = day_of(day.strftime(WRITTEN[form]), form)
    assert found == (day - date(1970, 1, 1)).days == number_of(day)
    assert written(found) == day.isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2025-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-1-2",
        "20.11.2026",
        "2026-11-20 ",
        "2026-11-20\n",
        "2026-11-20T10:00",
        "2026-11-20 00:00:01",
        "2026-11-20T00:00Z",
        "2026-11-20T00:00+02:00",
        "2026-11-20 00:00 UTC",
        "２０２６-11-20",
        "",
        "now",
        "9" * 10_000,
    ],
)
def test_what_is_no_day_has_no_number(text: str) -> None:
    assert day_of(text) is None


@pytest.mark.parametrize("behind", ["", " 00:00", "T00:00:00", " 00:00:00.000000"])
def test_midnight_behind_a_day_is_no_time(behind: str) -> None:
    assert day_of(f"2026-11-20{behind}") == day_of("2026-11-20", ISO)


def test_a_day_and_a_month_are_told_apart_by_the_form_alone() -> None:
    march, january = number_of(date(2026, 3, 1)), number_of(date(2026, 1, 3))
    assert (day_of("01/03/2026", "DD/MM/YYYY"), day_of("01/03/2026", "MM/DD/YYYY")) == (
        march,
        january,
    )


@pytest.mark.parametrize("number", [1e9, -1e9, 1e300])
def test_a_number_beyond_the_calendar_is_shown_as_it_is(number: float) -> None:
    assert written(number) == f"{number:.12g}"
    assert written(0) == "1970-01-01"
    assert written((date(2026, 1, 1) + timedelta(1) - date(1970, 1, 1)).days) == "2026-01-02"
