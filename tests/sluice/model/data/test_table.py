"""Reading a table: what is accepted stays as it was written, what is refused is refused by name."""

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.adapters.files import read_stable
from models.attrition import sample
from sluice.errors import Refused, UsageError
from sluice.model.data.table import from_parquet, read_table, to_parquet, typed
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode
from sluice.served.table_refusals import TableRefused

CONTRACT = Path(__file__).parents[4] / "models" / "attrition" / "contract.toml"
SAMPLE = sample.to_csv(sample.generate(300))
HEADER, _, BODY = SAMPLE.partition(b"\n")
APOSTROPHE = SAMPLE.index("\u2019".encode())
ROW = BODY.partition(b"\n")[0]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(CONTRACT.read_text(encoding="utf-8"))


def changed(column: str, texts: list[str], data: bytes = SAMPLE) -> bytes:
    """The CSV with the first cells of a column replaced."""
    frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    frame[column] = texts + frame[column].tolist()[len(texts) :]
    return frame.to_csv(index=False).encode()


def parquet(data: bytes = SAMPLE, /, **columns: Any) -> bytes:
    """The CSV as pandas types it, some columns replaced, as Parquet."""
    return pd.read_csv(io.BytesIO(data)).assign(**columns).to_parquet(index=False)


def renamed(old: str, new: str) -> bytes:
    return HEADER.replace(old.encode(), new.encode()) + b"\n" + BODY


def without(column: str) -> bytes:
    return (
        pd.read_csv(io.BytesIO(SAMPLE), dtype=str).drop(columns=column).to_csv(index=False).encode()
    )


def keys(data: bytes) -> bytes:
    """The CSV with the keys of its columns instead of their published names."""
    contract = load_contract(CONTRACT.read_text(encoding="utf-8"))
    header, _, rows = data.partition(b"\n")
    columns = [contract.find(name) for name in header.decode().split(",")]
    return ",".join(column.key for column in columns if column).encode() + b"\n" + rows


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "empty", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf\r\n", "empty", "is empty"),
    "only blank lines": (b"\n" * 5000, "empty", "is empty"),
    "no rows": (HEADER + b"\n", "empty", "a header and no rows"),
    "no rows and blank lines": (HEADER + b"\r\n\r\n", "empty", "a header and no rows"),
    "Parquet without rows": (parquet(HEADER), "empty", "no rows"),
    "workbook": (b"PK\x03\x04" + bytes(40), "not a CSV", "an Excel workbook"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(40), "not a CSV", "gzip"),
    "binary": (
        SAMPLE[:5000] + b"\x00\x01" + SAMPLE[5000:],
        "not a CSV",
        "byte 0x00 at offset 5000",
    ),
    "cut Parquet": (parquet()[:-500], "not a CSV", "damaged Parquet"),
    "Parquet with a flipped page": (
        parquet().replace(b"Technology", b"Techno\xff\xfegy"),
        "not a CSV",
        "damaged",
    ),
    "JSON": (b'{"detail": "sign in first"}', "not a CSV", "JSON"),
    "web page": (b"<!DOCTYPE html><html></html>", "not a CSV", "a web page"),
    "UTF-16 with mark": (SAMPLE.decode().encode("utf-16"), "UTF-16", "UTF-16"),
    "UTF-16 big endian": (SAMPLE.decode().encode("utf-16-be"), "UTF-16", "UTF-16"),
    "UTF-16 little endian": (SAMPLE.decode().encode("utf-16-le"), "UTF-16", "iconv -f UTF-16"),
    "UTF-32": (SAMPLE.decode().encode("utf-32"), "UTF-32", "UTF-32"),
    "Windows-1252": (
        HEADER + b"\n" + BODY.decode().encode("cp1252"),
        "wrong encoding",
        f"byte 0x92 at offset {APOSTROPHE}, line",
    ),
    "colons": (SAMPLE.replace(b",", b":"), "wrong delimiter", "is separated by colons; commas"),
    "a wrong declaration": (b"sep=;\n" + SAMPLE, "no header", "names none of the 24 columns"),
    "nothing but a declaration": (b"sep=,\n", "no header", "has no header"),
    "no header": (BODY, "no header", "has no header"),
    "header twice": (SAMPLE + SAMPLE, "header twice", "a second time, in line 302"),
    "column twice": (renamed("Age,", "Monthly Income,"), "duplicate column", "'Monthly Income'"),
    "name and key of a column": (
        renamed("Age,", "monthly_income,"),
        "duplicate column",
        "'Monthly Income'",
    ),
    "name and key in Parquet": (parquet(age=1), "duplicate column", "'Age'"),
    "missing column": (without("Overtime"), "missing column", "lacks 1 column: 'Overtime'"),
    "misspelt column": (
        renamed("Work-Life Balance", "work life balance"),
        "missing column",
        "'work life balance' seems to be meant for 'Work-Life Balance'",
    ),
    "unknown column": (parquet(Shoe=1), "unknown column", "'Shoe'"),
    "row index": (
        pd.read_csv(io.BytesIO(SAMPLE)).to_csv().encode().replace(b"\n7,", b"\nseven,", 1),
        "unknown column",
        "index=False",
    ),
    "short row": (
        SAMPLE + b"1,2,3\n",
        "not a CSV",
        "3 fields in line 302; 24 are required by its header",
    ),
    "long rows": (
        HEADER + b"\n" + (ROW + b",x\n") * 4,
        "not a CSV",
        "25 fields in line 2; 24 are required by its header (4 such lines)",
    ),
    "short row among semicolons": (
        b"sep=;\n" + SAMPLE.replace(b",", b";") + b"1;2;3\n",
        "not a CSV",
        "has 3 fields in line 303; 24 are required by its header",
    ),
    "open quote": (
        SAMPLE + ROW.replace(b"Male", b'"Male'),
        "not a CSV",
        "that is never closed",
    ),
    "lists in Parquet": (parquet(Age=[[1]] * 300), "wrong type", "column 'Age' holds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_no_such_table_is_refused_by_name(contract: Contract, case: str) -> None:
    data, rule, message = REFUSED[case]
    with pytest.raises(TableRefused) as caught:
        read_table(data, contract, "people.csv")
    assert caught.value.rule == rule
    assert message in str(caught.value)
    assert "people.csv" in caught.value.what
    assert caught.value.fix
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("case", ["no header", "short row", "long rows", "open quote", "binary"])
def test_a_refusal_quotes_no_row(contract: Contract, case: str) -> None:
    with pytest.raises(TableRefused) as caught:
        read_table(REFUSED[case][0], contract, "people.csv")
    assert not any(
        word in str(caught.value)
        for word in ("Technology", "Married", "Female", "Bachelor", "5390")
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: b"\n\n" + data + b"\n\n",
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: b"  \r\n" + data,
        lambda data: data.replace(b"Healthcare", b'"Healthcare"'),
        lambda data: data.replace(b",", b" ,\t "),
        lambda data: data.replace(b",", b";"),
        lambda data: data.replace(b",", b"\t"),
        lambda data: data.replace(b",", b"|"),
        lambda data: b"\xef\xbb\xbfsep=;\r\n" + data.replace(b",", b";"),
        lambda data: b'"SEP=^"\n\n' + data.replace(b",", b"^"),
        lambda data: keys(data),
        lambda data: parquet(keys(data)),
        lambda data: (
            pd.read_csv(io.BytesIO(data), dtype=str).iloc[:, ::-1].to_csv(index=False).encode()
        ),
        lambda data: parquet(data),
        lambda data: pd.read_csv(io.BytesIO(data), dtype="category").to_parquet(index=False),
        lambda data: (
            pd.read_csv(io.BytesIO(data)).astype({"Age": "float64"}).to_parquet(index=False)
        ),
        lambda data: parquet(data, Overtime=pd.read_csv(io.BytesIO(data))["Overtime"] == "Yes"),
    ],
    ids=[
        "bom",
        "crlf",
        "unended",
        "blank",
        "old line ends",
        "spaces above",
        "quoted",
        "spaces around",
        "semicolons",
        "tabs",
        "bars",
        "declared semicolons",
        "declared circumflexes",
        "keys",
        "keys in parquet",
        "reversed",
        "parquet",
        "categories",
        "floats",
        "booleans",
    ],
)
def test_the_same_table_written_otherwise_gives_the_same_bytes(
    contract: Contract, write: Callable[[bytes], bytes]
) -> None:
    expected = to_parquet(typed(read_table(SAMPLE, contract, "a.csv"), contract))
    assert to_parquet(typed(read_table(write(SAMPLE), contract, "b"), contract)) == expected


def test_texts_stay_as_written_but_for_blanks_around_them(contract: Contract) -> None:
    texts = ["NA", "None", "null", "nan", "007", "1.0", " 31", "1,000", ""]
    read = read_table(changed("Distance from Home", texts), contract, "a.csv")[
        "Distance from Home"
    ].astype(object)
    assert read.tolist()[:8] == [text.strip() for text in texts[:8]]
    assert read.isna().tolist() == [False] * 8 + [True] + [False] * 291


def test_a_cell_of_any_length_is_read(contract: Contract) -> None:
    texts = ["x" * 3_000_000, 'a "quoted" word, and\na line']
    read = read_table(changed("Job Role", texts), contract, "a.csv")
    assert read["Job Role"].tolist()[:2] == texts
    assert len(read) == 300


def test_missing_in_parquet_is_null_nan_or_empty(contract: Contract) -> None:
    empty = changed("Distance from Home", ["", ""])
    missing = pd.read_csv(io.BytesIO(SAMPLE))["Distance from Home"].astype("float64")
    missing[:2] = np.nan
    expected = typed(read_table(empty, contract, "a"), contract)["distance_from_home"]
    assert np.isnan(expected).sum() == 2
    for column in (
        missing,
        missing.astype("Int64"),
        missing.map(lambda value: "" if value != value else f"{value:.0f}"),
    ):
        data = parquet(SAMPLE, **{"Distance from Home": column})
        np.testing.assert_array_equal(
            typed(read_table(data, contract, "b"), contract)["distance_from_home"], expected
        )


def test_typed_columns_have_the_types_of_the_encoder(contract: Contract) -> None:
    columns = typed(read_table(SAMPLE, contract, "a"), contract)
    assert list(columns) == [column.key for column in contract.columns]
    assert columns["employee_id"].dtype == np.int64
    assert columns["attrition"].dtype == np.int8
    assert columns["attrition"].tolist() == (sample.generate(300)["Attrition"] == "Left").tolist()
    assert columns["age"].dtype == np.float64
    assert set(columns["gender"]) == {"Female", "Male"}
    assert encode(contract, columns).shape[0] == 300


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("Age", "abc"),
        ("Age", "12.5"),
        ("Age", "NaN"),
        ("Employee ID", ""),
        ("Attrition", "Maybe"),
        ("Attrition", ""),
    ],
)
def test_typing_what_was_not_validated_is_refused(
    contract: Contract, column: str, text: str
) -> None:
    with pytest.raises(Refused, match=f"{column}: 1 values cannot be read"):
        typed(read_table(changed(column, [text]), contract, "a"), contract)


def test_ids_may_be_texts_and_ignored_columns_left_out() -> None:
    contract = load_contract("""
        schema = 1
        target = { column = "Churn", positive = "Yes", negative = "No" }
        [columns]
        ID = { kind = "category", role = "id" }
        Tenure = { kind = "number", role = "feature", minimum = 0, maximum = 100 }
        Note = { kind = "category", role = "ignored", values = ["a", "b"] }
        Churn = { kind = "category", role = "target", values = ["No", "Yes"] }
    """)
    rows = b"7590-VH,.5,Yes\n5575-GN,1e1,No\n"
    plain = typed(read_table(b"ID,Tenure,Churn\n" + rows, contract, "a"), contract)
    noted = typed(
        read_table(
            b"Note,ID,Tenure,Churn\n" + rows.replace(b"7590", b"x,7590").replace(b"5575", b",5575"),
            contract,
            "a",
        ),
        contract,
    )
    assert contract.id.allowed == "any text"
    assert plain["id"].tolist() == noted["id"].tolist() == ["7590-VH", "5575-GN"]
    assert plain["tenure"].tolist() == noted["tenure"].tolist() == [0.5, 10.0]
    assert "note" not in noted


def test_parquet_round_trip_keeps_types_and_bytes(contract: Contract) -> None:
    columns = typed(read_table(changed("Distance from Home", ["", "12"]), contract, "a"), contract)
    columns["work_life_balance"] = np.array([None, *columns["work_life_balance"][1:]], dtype=object)
    data = to_parquet(columns)
    back = from_parquet(data)
    assert list(back) == list(columns)
    for key, values in columns.items():
        assert back[key].dtype == values.dtype
        np.testing.assert_array_equal(back[key], values)
    assert to_parquet(back) == to_parquet(columns) == data
    assert b"pandas" not in data


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(SAMPLE)
    assert read_stable(tmp_path / "a.csv") == SAMPLE


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path, stop = tmp_path / "a.csv", threading.Event()
    path.write_bytes(b"x" * 30_000_000)

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                file.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(Refused, match="changed while it was read") as caught:
            [read_stable(path) for _ in range(100)]
    finally:
        stop.set()
        writer.join()
    assert caught.value.exit_code == 3


def test_a_file_whose_size_does_not_match_is_refused() -> None:
    if not (path := Path("/proc/version")).exists():
        pytest.skip("needs /proc, whose files say that they are empty")
    with pytest.raises(Refused, match="0 bytes before"):
        read_stable(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.csv", "there is no file"),
        ("none/none.csv", "nor the folder"),
        (".", "is a folder"),
        ("a.csv/b.csv", "nor the folder"),
        ("/dev/null", "is not a regular file"),
    ],
)
def test_a_path_that_is_no_file_is_a_usage_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(SAMPLE)
    with pytest.raises(UsageError, match=message) as caught:
        read_stable(tmp_path / name)
    assert caught.value.exit_code == 2
    assert caught.value.fix


@pytest.fixture
def somebody() -> Iterator[None]:
    """A user other than root, who may read everything."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    yield
    os.seteuid(before)


@pytest.mark.usefixtures("somebody")
def test_a_file_that_may_not_be_read_is_a_usage_error() -> None:
    # pytest's own may be entered by who runs it alone
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(SAMPLE)
        path.chmod(0)
        with pytest.raises(UsageError, match="may not be read"):
            read_stable(path)
