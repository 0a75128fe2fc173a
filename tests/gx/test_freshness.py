"""How old the newest row is, on a day that is handed in."""

import datetime

import pandas as pd
import pytest

from gx.freshness import Asked, with_freshness
from gx.report import Example, Report
from sluice.errors import UsageError
from sluice.model.data.table import read_table
from sluice.served.contract import Contract, load_contract

TODAY = datetime.date(2026, 11, 29)
TEXT = """
schema = 2
as_of = "Day"
target = { column = "Gone", positive = "yes", negative = "no" }
[columns]
"Number" = { kind = "category", role = "id" }
"Age" = { kind = "integer", role = "feature", minimum = 0, maximum = 99 }
"Day" = { role = "ignored" }
"Gone" = { kind = "category", role = "target", values = ["no", "yes"] }
"""
CONTRACT = load_contract(TEXT)


def frame(*days: str) -> pd.DataFrame:
    lines = [f"r{place},30,{day},no" for place, day in enumerate(days)]
    content = "\n".join(["Number,Age,Day,Gone", *lines]).encode()
    return read_table(content, CONTRACT, "rows.csv")


def judged(table: pd.DataFrame, newest_days: int = 30, contract: Contract = CONTRACT) -> Report:
    before = Report(len(table), (), ())
    return with_freshness(before, contract, table, Asked(TODAY, newest_days), "contract.toml")


@pytest.mark.parametrize("newest", ["2026-10-30", "2026-11-29T23:59:59", "2026-11-30"])
def test_rows_are_fresh_up_to_the_limit(newest: str) -> None:
    report = judged(frame("2019-01-01", newest))
    assert not report.findings
    assert [(check.column, check.rule, check.passed) for check in report.checks] == [
        ("Day", "stale data", True)
    ]


def test_a_day_more_is_stale_and_names_both_numbers() -> None:
    [finding] = judged(frame("2026-10-29", "2019-01-01")).findings
    assert (finding.column, finding.rule, finding.severity) == ("Day", "stale data", "critical")
    assert finding.count == 2
    assert finding.fix == "The newest row is 31 days old; at most 30 is required. Export again."
    assert judged(frame("2026-10-29")).refused


def test_without_a_limit_the_days_are_read_all_the_same() -> None:
    assert not judged(frame("2019-01-01"), newest_days=0).findings
    [finding] = judged(frame("29.11.2026", "2026-11-29", ""), newest_days=0).findings
    assert (finding.rule, finding.count) == ("wrong type", 2)
    assert finding.examples == (Example("r0", "29.11.2026"), Example("r2", "(empty)"))


def test_one_wrong_year_does_not_make_old_rows_fresh() -> None:
    [finding] = judged(frame("2019-01-01", "2062-01-01")).findings
    assert (finding.rule, finding.count) == ("day to come", 1)


def test_a_time_with_a_zone_is_taken_in_utc() -> None:
    assert not judged(frame("2026-11-30T01:00:00+02:00"), newest_days=1).findings
    [finding] = judged(frame("2026-11-28T01:00:00+02:00"), newest_days=1).findings
    assert finding.fix.startswith("The newest row is 2 days old;")


def test_a_table_without_the_column_is_refused() -> None:
    [finding] = judged(frame("2026-11-29").drop(columns="Day")).findings
    assert (finding.column, finding.rule) == ("Day", "missing column")


def test_a_limit_without_a_column_of_days_is_a_mistake_of_the_settings() -> None:
    without = load_contract(TEXT.replace('as_of = "Day"\n', ""))
    with pytest.raises(UsageError, match=r"newest_days is 30, and contract\.toml names no column"):
        judged(frame("2026-11-29"), contract=without)
    assert judged(frame("x"), newest_days=0, contract=without).checks == ()


@pytest.mark.parametrize("name", ['"Age"', '"Gone"', '"Nobody"', "7", "[]"])
def test_only_a_column_that_nothing_is_learnt_from_has_days(name: str) -> None:
    with pytest.raises(UsageError, match=r'as_of is .*\n.*with role = "ignored"'):
        load_contract(TEXT.replace('as_of = "Day"', f"as_of = {name}"))


LATE = TEXT.replace('as_of = "Day"', 'as_of = "Day"\nknown_at = "Known"')
LATE = LATE.replace('"Day" = {', '"Known" = { role = "ignored" }\n"Day" = {')


def known(*times: str) -> Report:
    contract = load_contract(LATE)
    lines = [f"r{place},30,2026-11-20,{time},no" for place, time in enumerate(times)]
    content = "\n".join(["Number,Age,Day,Known,Gone", *lines]).encode()
    return judged(read_table(content, contract, "rows.csv"), contract=contract)


def test_what_was_written_after_the_day_of_a_row_is_refused() -> None:
    assert not known("2026-11-20T23:59", "2019-01-01", "").findings
    [finding] = known("2026-11-20", "2026-11-21", "2026-11-20T23:30:00-02:00").findings
    assert (finding.column, finding.rule, finding.count) == ("Known", "known too late", 2)
    assert finding.examples[0] == Example("r1", "2026-11-21")
    assert "sluice data merge" in finding.fix


def test_a_time_that_cannot_be_read_and_a_column_that_is_not_there_are_refused() -> None:
    [finding] = known("2026-11-20", "soon").findings
    assert (finding.rule, finding.count) == ("wrong type", 1)
    [finding] = judged(frame("2026-11-29"), contract=load_contract(LATE)).findings
    assert (finding.column, finding.rule) == ("Known", "missing column")
