"""New rows for a table: joined as they were known, added once, corrected, or refused."""

import datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import Refused, UsageError
from sluice.model.data.merge import Merged, as_it_was, merge, require_known_in_time
from sluice.model.data.split import deciding, unseen
from sluice.model.data.table import read_columns, read_table, typed
from sluice.policy import SplitPolicy
from sluice.served.contract import load_contract

TEXT = """
schema = 2
as_of = "Day"
known_at = "Known"
target = { column = "Gone", positive = "yes", negative = "no" }
[columns]
"Number" = { kind = "category", role = "id" }
"Person" = { role = "group" }
"Age" = { kind = "integer", role = "feature", minimum = 0, maximum = 99 }
"Pay".kind = "number"
"Pay".role = "feature"
"Pay".minimum = 0
"Pay".maximum = 9
"Pay".missing = "impute"
"Pay".fill = 1
"Day" = { role = "ignored" }
"Known" = { role = "ignored" }
"Gone" = { kind = "category", role = "target", values = ["no", "yes"] }
"""
CONTRACT = load_contract(TEXT)
HELD = b"Number,Person,Age,Pay,Day,Known,Gone\na,p,30,1.5,2026-01-01,2025-12-31,no\n"


def table(content: bytes = HELD) -> pd.DataFrame:
    return read_table(content, CONTRACT, "held.csv")


def columns(text: str) -> pd.DataFrame:
    return read_columns(text.encode(), CONTRACT, "new.csv")


def merged(*lines: str) -> Merged:
    head = "Number,Person,Age,Pay,Day,Known,Gone"
    return merge(table(), columns("\n".join([head, *lines])), CONTRACT, "new.csv")


def joined(rows: str, records: str) -> list[list[Any]]:
    found = as_it_was(columns(rows), columns(records), CONTRACT, "Person", "pay.csv")
    return found.astype(object).where(found.notna(), None).to_numpy().tolist()


def test_new_rows_come_below_those_that_were_there() -> None:
    found = merged("b,q,40,2,2026-02-01,2026-01-31,yes", "c,q,41,2,2026-03-01,2026-01-31,")
    assert found.frame["Number"].tolist() == ["a", "b"]
    assert (found.added, found.unlabelled, found.repeated, found.corrected) == (1, 1, 0, 0)
    assert found.columns == ()


def test_the_same_rows_again_add_nothing_and_another_outcome_corrects() -> None:
    again = merged("a,p,30,1.5,2026-01-01,2025-12-31,no")
    assert (again.added, again.repeated, again.corrected) == (0, 1, 0)
    pd.testing.assert_frame_equal(again.frame.astype("str"), table().astype("str"))
    assert merged("a,p,30,1.50,2026-01-01,2025-12-31,no").repeated == 1
    other = merged("a,p,30,1.5,2026-01-01,2025-12-31,yes")
    assert (other.added, other.repeated, other.corrected) == (0, 0, 1)
    assert other.frame["Gone"].tolist() == ["yes"]


def test_a_known_row_with_another_value_is_refused_by_column_and_not_by_id() -> None:
    with pytest.raises(Refused, match="1 rows have an id that the table has with another Age") as r:
        merged("a,p,31,1.5,2026-01-01,2025-12-31,no")
    assert "'a'" not in str(r.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["b,q,40,2,2026-02-01,2026-01-31,"], "1 rows and a target in 0 of them"),
        ([",q,40,2,2026-02-01,2026-01-31,no"], "Number is empty in 1 rows"),
        (["b,q,40,2,2026-02-01,,no", "b,q,41,2,2026-02-01,,no"], r"twice in 1 rows \(row 2\)"),
    ],
)
def test_rows_that_cannot_be_told_apart_or_have_no_outcome_are_refused(
    lines: list[str], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        merged(*lines)


def test_a_table_with_an_id_twice_is_to_be_mended_first() -> None:
    twice = table(HELD + HELD.splitlines()[1] + b"\n")
    with pytest.raises(Refused, match="1 rows with an id that it has already"):
        merge(twice, columns(HELD.decode()), CONTRACT, "new.csv")


def test_rows_without_a_column_of_the_contract_are_refused_and_told_of_features() -> None:
    with pytest.raises(Refused, match=r"lacks 2 columns: Pay, Day\n.*--features"):
        merge(table(), columns("Number,Person,Age,Gone\nb,q,40,no\n"), CONTRACT, "new.csv")


def test_a_row_takes_the_newest_record_of_its_day_and_none_of_later() -> None:
    rows = "Number,Person,Day\n1,p,2026-03-10\n2,p,2026-03-31\n3,q,2026-03-10\n"
    records = "Person,Pay,Known\np,3,2026-03-11\np,2,2026-03-10T18:00\np,1,2026-01-01\n"
    assert joined(rows, records) == [
        ["1", "p", "2026-03-10", "2", "2026-03-10T18:00"],
        ["2", "p", "2026-03-31", "3", "2026-03-11"],
        ["3", "q", "2026-03-10", None, None],
    ]


def test_of_two_times_the_later_one_stays() -> None:
    rows = columns(
        "Number,Person,Day,Known\n1,p,2026-03-10,2026-02-01\n2,q,2026-03-10,2026-02-01\n"
    )
    records = columns("Person,Pay,Known\np,1,2026-01-01\nq,1,2026-03-01\n")
    found = as_it_was(rows, records, CONTRACT, "Person", "pay.csv")
    assert found["Known"].tolist() == ["2026-02-01", "2026-03-01"]


def test_two_records_of_one_time_are_refused() -> None:
    with pytest.raises(Refused, match=r"same Person at the same time \(row 2\)"):
        joined(
            "Number,Person,Day\n1,p,2026-03-10\n",
            "Person,Pay,Known\np,1,2026-01-01\np,2,2026-01-01\n",
        )


@pytest.mark.parametrize("time", ["", "yesterday", "10.03.2026"])
def test_a_record_without_a_time_is_refused(time: str) -> None:
    with pytest.raises(Refused, match="Known is no day or time in 1 rows"):
        joined("Number,Person,Day\n1,p,2026-03-10\n", f"Person,Pay,Known\np,1,{time}\n")


def test_a_column_in_both_files_and_a_file_of_nothing_are_mistakes() -> None:
    with pytest.raises(UsageError, match="both have Pay"):
        joined("Person,Pay,Day\np,1,2026-03-10\n", "Person,Pay,Known\np,1,2026-01-01\n")
    with pytest.raises(UsageError, match="has 0 columns besides"):
        joined("Person,Day\np,2026-03-10\n", "Person,Known\np,2026-01-01\n")


DAYS = st.integers(0, 30)
KEYS = st.sampled_from("pq")


@given(
    st.lists(st.tuples(KEYS, DAYS), min_size=1, max_size=12),
    st.lists(st.tuples(KEYS, DAYS), min_size=1, max_size=12, unique=True),
)
def test_the_join_is_what_a_slow_one_finds(
    rows: list[tuple[str, int]], records: list[tuple[str, int]]
) -> None:
    first = datetime.date(2026, 1, 1)

    def day(number: int) -> str:
        return (first + datetime.timedelta(number)).isoformat()

    left = "\n".join(f"{place},{key},{day(at)}" for place, (key, at) in enumerate(rows))
    right = "\n".join(f"{key},{at % 10},{day(at)}" for key, at in records)
    found = as_it_was(
        columns(f"Number,Person,Day\n{left}\n"),
        columns(f"Person,Pay,Known\n{right}\n"),
        CONTRACT,
        "Person",
        "pay.csv",
    )
    for place, (key, at) in enumerate(rows):
        known = [other for name, other in records if name == key and other <= at]
        expected = (day(max(known)), str(max(known) % 10)) if known else (None, None)
        cells = found.iloc[place]
        told = tuple(None if pd.isna(cells[name]) else cells[name] for name in ("Known", "Pay"))
        assert told == expected


def test_what_was_written_after_the_day_is_refused() -> None:
    rows = columns("Number,Day,Known\n1,2026-03-10,2026-03-10T23:00\n2,2026-03-10,2026-03-11\n")
    with pytest.raises(Refused, match=r"Known is later than Day in 1 rows \(row 2\)"):
        require_known_in_time(rows, CONTRACT, "new.csv")
    require_known_in_time(rows[:1], CONTRACT, "new.csv")
    require_known_in_time(rows.drop(columns="Known"), CONTRACT, "new.csv")


@given(st.lists(st.text("abcxyz", min_size=1, max_size=3), min_size=1, max_size=20, unique=True))
def test_no_row_moves_to_another_part(people: list[str]) -> None:
    lines = [f"n{person},{person},40,2,2026-02-01,2026-01-31,no" for person in people]
    found = merged(*lines)
    split = SplitPolicy(train=0.6, validation=0.2, holdout=0.2, salt="s")
    before = unseen(split, deciding(CONTRACT, typed(table(), CONTRACT)))
    after = unseen(split, deciding(CONTRACT, typed(found.frame, CONTRACT)))
    assert after[: len(before)].tolist() == before.tolist()


@pytest.mark.parametrize("name", ['"Age"', '"Day"', '"Nobody"', "7"])
def test_since_when_is_said_by_another_column_that_nothing_is_learnt_from(name: str) -> None:
    with pytest.raises(UsageError, match=r'known_at is .*\n.*role = "ignored"'):
        load_contract(TEXT.replace('known_at = "Known"', f"known_at = {name}"))


def test_since_when_needs_the_day_of_the_row() -> None:
    with pytest.raises(UsageError, match="Name as_of too"):
        load_contract(TEXT.replace('as_of = "Day"\n', ""))
