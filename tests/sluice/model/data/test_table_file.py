"""Tables that are written: read again they say the same, and what was there stays byte for byte."""

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import Refused
from sluice.model.data.table import read_table
from sluice.model.data.table_file import like, to_csv
from sluice.served.contract import Contract, load_contract

TEXT = """
schema = 2
target = { column = "Gone", positive = "yes", negative = "no" }
[reading]
encoding = "latin-1"
decimal = ","
missing = ["?"]
[columns]
"Number" = { kind = "category", role = "id" }
"Näme" = { kind = "category", role = "feature", values = ["Zoë", "x"] }
"Pay".kind = "number"
"Pay".role = "feature"
"Pay".minimum = 0
"Pay".maximum = 9
"Pay".missing = "impute"
"Pay".fill = 1
"Gone" = { kind = "category", role = "target", values = ["no", "yes"] }
"""
GERMAN = load_contract(TEXT)
PLAIN = load_contract(TEXT.replace('encoding = "latin-1"\ndecimal = ","', ""))


def frame(lines: str, contract: Contract) -> pd.DataFrame:
    return read_table(lines.encode(contract.reading.encoding), contract, "rows.csv")


def with_a_row(content: bytes, contract: Contract, *cells: str) -> pd.DataFrame:
    held = read_table(content, contract, "rows.csv").astype(object)
    row = dict(zip(["Number", "Näme", "Pay", "Gone"], cells, strict=True))
    row = {name: cell or None for name, cell in row.items()}
    return pd.concat([held, pd.DataFrame([row], dtype=object)], ignore_index=True)


def texts(table: pd.DataFrame) -> list[list[Any]]:
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_row_is_added_as_the_others_are_written(end: str, last: bool, separator: str) -> None:
    lines = ['Gone;Number;"Näme";Pay', 'no;"a";Zoë;1,50', "yes;b;x;?"]
    content = end.join(lines).replace(";", separator).encode("latin-1")
    content += end.encode() if last else b""
    whole = with_a_row(content, GERMAN, "c", "Zoë", "2.25", "no")
    written = like(content, whole, GERMAN, "rows.csv")
    row = f"no;c;Zoë;2,25{end}".replace(";", separator).encode("latin-1")
    assert written == content.removesuffix(end.encode()) + end.encode() + row
    assert texts(read_table(written, GERMAN, "new.csv")) == texts(whole)


def test_a_mark_of_utf8_stands_above_the_encoding_of_the_contract() -> None:
    content = b"\xef\xbb\xbf" + "Number;Näme;Pay;Gone\na;Zoë;1,5;no\n".encode()
    whole = with_a_row(content, GERMAN, "c", "Zoë", "2.25", "no")
    written = like(content, whole, GERMAN, "rows.csv")
    assert written == content + "c;Zoë;2,25;no\n".encode()


def test_another_cell_or_a_new_column_writes_all_rows_anew() -> None:
    content = "Number;Näme;Pay;Gone\na;Zoë;1,50;no\n".encode("latin-1")
    whole = with_a_row(content, GERMAN, "c", "x", "", "no")
    whole.loc[0, "Gone"] = "yes"
    written = like(content, whole, GERMAN, "rows.csv")
    assert written == "Number;Näme;Pay;Gone\na;Zoë;1,50;yes\nc;x;;no\n".encode("latin-1")
    more = like(content, whole.assign(Since="2026-01-01"), GERMAN, "rows.csv")
    assert more.splitlines()[0] == "Number;Näme;Pay;Gone;Since".encode("latin-1")


def test_a_character_that_the_encoding_lacks_is_refused_by_name() -> None:
    content = "Number;Näme;Pay;Gone\na;Zoë;1,50;no\n".encode("latin-1")
    with pytest.raises(Refused, match=r"'Ł' cannot be written in iso8859-1"):
        like(content, with_a_row(content, GERMAN, "Ł", "x", "", "no"), GERMAN, "rows.csv")


def test_made_ids_are_not_written_where_they_were_not() -> None:
    made = load_contract(
        TEXT.replace(
            '{ kind = "category", role = "id" }', '{ kind = "category", role = "id", made = "row" }'
        )
    )
    content = "Näme;Pay;Gone\nZoë;1,50;no\n".encode("latin-1")
    held = read_table(content, made, "rows.csv")
    assert "Number" in held
    assert like(content, held, made, "rows.csv") == content


def test_a_parquet_file_keeps_its_types() -> None:
    held = pa.table(
        {
            "Number": pa.array([1, 2], pa.int32()),
            "Näme": pa.array(["Zoë", "x"]).dictionary_encode(),
            "Pay": pa.array([1.5, None]),
            "Gone": pa.array(["no", "yes"]),
        }
    )
    sink = io.BytesIO()
    pq.write_table(held, sink)
    content = sink.getvalue()
    written = like(content, with_a_row(content, PLAIN, "3", "x", "2.5", "no"), PLAIN, "rows")
    found = pq.read_table(io.BytesIO(written))
    assert found["Number"].type == pa.int32()
    assert found["Pay"].to_pylist() == [1.5, None, 2.5]
    with pytest.raises(Refused, match="Number is of the type int32"):
        like(content, with_a_row(content, PLAIN, "c", "x", "2.5", "no"), PLAIN, "rows")


CELLS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1, max_size=8)


@given(st.lists(CELLS.filter(lambda cell: cell.strip() == cell and cell != "?"), max_size=8))
def test_what_is_written_reads_the_same(names: list[str]) -> None:
    head = "Number;Näme;Pay;Gone\na;Zoë;1,5;no\n"
    table = pd.concat(
        [frame(head, GERMAN).astype(object)]
        + [
            pd.DataFrame([{"Number": name, "Näme": "x", "Pay": "2.5", "Gone": "no"}])
            for name in names
        ],
        ignore_index=True,
    )
    written = to_csv(table, GERMAN)
    assert texts(read_table(written, GERMAN, "rows.csv")) == texts(table)
    added = like(head.encode("latin-1"), table, GERMAN, "rows.csv")
    assert texts(read_table(added, GERMAN, "rows.csv")) == texts(table)
