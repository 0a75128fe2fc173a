"""One file is judged alike by the page, `sluice predict`, `sluice validate` and training."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import MODEL

from bento.page import rows as many
from flows.predict.rows_file import read_rows
from gx.validation import validate
from models.attrition import sample
from sluice.errors import Refused
from sluice.model.data.table import read_table, typed
from sluice.served.contract import load_contract
from sluice.served.uploaded_table import Sheet, check_record

CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
LINES = sample.to_csv(sample.generate(40)).decode().splitlines()
HEADER, *ROWS = LINES
COMMAS = "," * HEADER.count(",")
IMPUTED = HEADER.split(",").index("Distance from Home")
NEEDED = HEADER.split(",").index("Monthly Income")
Values = list[dict[str, object]]


@dataclass(frozen=True)
class Judged:
    """What a door made of a file: refused whole or for some rows, or the values of its rows."""

    refused: bool
    values: Values


REFUSED = Judged(True, [])


def of_sheet(read: Callable[[], Sheet]) -> Judged:
    try:
        sheet = read()
    except Refused:
        return REFUSED
    return REFUSED if sheet.problems else Judged(False, [dict(row.record) for row in sheet.rows])


def by_page(data: bytes) -> Judged:
    return of_sheet(lambda: many.read(data, CONTRACT, "x.csv"))


def by_predict(data: bytes, folder: Path) -> Judged:
    file = folder / "x.csv"
    file.write_bytes(data)
    return of_sheet(lambda: read_rows(file, CONTRACT))


def by_validate(data: bytes) -> bool:
    """Whether the file is refused."""
    try:
        return validate(CONTRACT, read_table(data, CONTRACT, "x.csv"), minimum_rows=1).refused
    except Refused:
        return True


def by_training(data: bytes) -> Judged:
    """What it is trained on, judged by the contract: that is what `by_validate` does, slowly."""
    try:
        columns = typed(read_table(data, CONTRACT, "x.csv"), CONTRACT)
    except Refused:
        return REFUSED
    keys = [column.key for column in CONTRACT.features]
    rows = zip(*(columns[key].tolist() for key in keys), strict=True)
    values = [dict(zip(keys, map(plain, row), strict=True)) for row in rows]
    if any(check_record(CONTRACT, record) for record in values):
        return REFUSED
    return Judged(False, values)


def plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def text(*lines: str, end: str = "\n") -> bytes:
    return end.join([*lines, ""]).encode()


def with_cell(row: str, place: int, cell: str) -> str:
    cells = row.split(",")
    cells[place] = cell
    return ",".join(cells)


def is_fed(name: str) -> bool:
    """Whether the model is fed the column of this name: the page reads no other."""
    column = CONTRACT.find(name)
    return column is not None and column.role == "feature"


def semicolons(*lines: str) -> list[str]:
    return [line.replace(",", ";") for line in lines]


NUMBERED = [f"{number},{row}" for number, row in enumerate(ROWS)]
ACCEPTED = {
    "as it is": text(*LINES),
    "the index of pandas": text("," + HEADER, *NUMBERED),
    "a line sep=": text("sep=;", *semicolons(*LINES), end="\r\n"),
    "a line sep= in quotes, with a mark": b"\xef\xbb\xbf" + text('"sep=;"', *semicolons(*LINES)),
    "a line sep= of commas": text("SEP=,", *LINES),
    "rows of commas at the end": text(*LINES, *[COMMAS] * 3),
    "rows of commas in between": text(*LINES[:5], COMMAS, COMMAS, *LINES[5:]),
    "rows of another number of commas": text(*LINES, ",", COMMAS + ",,", ",,,"),
    "rows of quotes and blanks": text(*LINES, ",".join(['""', " ", '" "'] * 8)),
    "lines of blanks": text("", *LINES[:9], "   ", *LINES[9:], "\t", "", ""),
    "a comma at the end of each line": text(*(line + "," for line in LINES)),
    "three commas at the end of each line": text(*(line + ",,," for line in LINES)),
    "semicolons at the end, and rows of them": text(
        *(line + ";" for line in semicolons(*LINES, COMMAS))
    ),
    "a column of blanks without a name": text(
        *(line.replace(",", f", {' ' * (number % 3)},", 1) for number, line in enumerate(LINES))
    ),
}
BLANKS = [" ", "   ", "\t", "\u00a0", "\u2003", '" "', '""', ""]
SIGNS = {" ": "space", "\t": "tab", '"': "quote", "\u00a0": "no-break space", "\u2003": "em space"}
for blank in BLANKS:
    rows = [with_cell(ROWS[0], IMPUTED, blank), *ROWS[1:]]
    named = " ".join(SIGNS[sign] for sign in blank) or "nothing"
    ACCEPTED[f"a cell of {named}"] = text(HEADER, *rows)
ROLE = HEADER.split(",").index("Job Role")
for name, place, cell in (
    ("a number behind a space", NEEDED, " 4000"),
    ("a number before spaces", NEEDED, "4000  "),
    ("a number and a no-break space", NEEDED, "4000\u00a0"),
    ("a number in quotes with spaces", NEEDED, '" 4000 "'),
    ("a number before the end of a line", NEEDED, '"4000\r\n"'),
    ("a whole number with a point", NEEDED, "4000.0"),
    ("a text behind a space", ROLE, " Technology"),
    ("a text before a tab", ROLE, "Technology\t"),
    ("a text and an em space", ROLE, "Technology\u2003"),
    ("a text between ends of lines", ROLE, '"\nTechnology\n"'),
    ("a text in quotes, and a space", ROLE, '"Technology" '),
):
    ACCEPTED[name] = text(HEADER, with_cell(ROWS[0], place, cell), *ROWS[1:])
ACCEPTED |= {
    "names behind spaces": text(HEADER.replace(",", ", "), *ROWS),
    "names before spaces": text(HEADER.replace(",", "  ,"), *ROWS),
    "names in quotes with spaces": text(
        ",".join(f'" {name} "' for name in HEADER.split(",")), *ROWS
    ),
    "a name before the end of a line": text(HEADER.replace("Job Role", '"Job Role\n"'), *ROWS),
    "a space behind every comma": text(*(line.replace(",", ", ") for line in LINES)),
    "a row of commas above the header": text(COMMAS, *LINES),
    "rows of quotes and semicolons above the header": text(
        ';;"";', ' "  " ;', *semicolons(*LINES), end="\r\n"
    ),
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + text(*LINES),
    "a mark below sep=": b"sep=;\n\xef\xbb\xbf" + text(*semicolons(*LINES)),
}
CHECKED = (
    *(
        "as it is",
        "the index of pandas",
        "a line sep=",
        "rows of commas at the end",
        "a comma at the end of each line",
    ),
    *("a space behind every comma", "a row of commas above the header"),
)
REFUSED_TABLES = {
    "a blank cell where there must be a value": text(
        HEADER, with_cell(ROWS[0], NEEDED, " "), *ROWS[1:]
    ),
    "a last column with values and no name": text(HEADER + ",", *(row + ",7" for row in ROWS)),
    "a last column with one value and no name": text(
        HEADER + ",", ROWS[0] + ",x", *(row + "," for row in ROWS[1:])
    ),
    "a first column of texts without a name": text("," + HEADER, *(f"x{row}" for row in NUMBERED)),
    "an index of pandas with a gap": text("," + HEADER, f",{ROWS[0]}", *NUMBERED[1:]),
    "a whole number with an exponent": text(HEADER, with_cell(ROWS[0], NEEDED, "4e3"), *ROWS[1:]),
    "a quote that is never closed": text(HEADER, *ROWS[:-1], ROWS[-1] + '"'),
    "a quote within a text": text(HEADER, with_cell(ROWS[0], ROLE, 'Tech"no"logy'), *ROWS[1:]),
    "rows of commas alone": text(HEADER, COMMAS, COMMAS),
    "a row with a cell too many": text(HEADER, ROWS[0] + ",x", *ROWS[1:]),
    "a row with one cell": text(*LINES, "Total"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_four_doors_take_the_same_tables_for_the_same_rows(case: str, tmp_path: Path) -> None:
    data = ACCEPTED[case]
    page = by_page(data)
    assert not page.refused
    assert len(page.values) == len(ROWS)
    assert page == by_predict(data, tmp_path) == by_training(data)
    # The check of the data is slow, and reads what training reads: cells are left to that.
    assert case not in CHECKED or not by_validate(data)


CELLS = ("a whole number with an exponent", "a quote within a text")


@pytest.mark.parametrize("case", REFUSED_TABLES)
def test_the_four_doors_refuse_the_same_tables(case: str, tmp_path: Path) -> None:
    data = REFUSED_TABLES[case]
    assert by_page(data).refused
    assert by_predict(data, tmp_path).refused
    assert by_training(data).refused
    # The check of the data is slow, and judges cells by the same contract.
    assert case in CELLS or by_validate(data)


def test_a_column_without_a_name_is_told_as_such() -> None:
    for case, said in (
        ("a last column with values and no name", "the last of 25 columns of x.csv has values"),
        ("a first column of texts without a name", "the first of 25 columns of x.csv has values"),
    ):
        for read in (
            lambda data: read_table(data, CONTRACT, "x.csv"),
            lambda data: many.read(data, CONTRACT, "x.csv"),
        ):
            with pytest.raises(Refused) as caught:
                read(REFUSED_TABLES[case])
            assert caught.value.what.startswith(said)
            assert ("index=False" in caught.value.fix) == case.startswith("a first column")


@settings(deadline=None, max_examples=60)
@given(
    blanks=st.lists(st.sampled_from(BLANKS), min_size=1, max_size=4),
    commas=st.integers(0, 3),
    empty=st.lists(st.tuples(st.integers(0, len(ROWS)), st.integers(0, 30)), max_size=4),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_doors_agree_on_tables_with_blanks_everywhere(
    blanks: list[str], commas: int, empty: list[tuple[int, int]], mark: bool, end: str
) -> None:
    rows = [with_cell(row, IMPUTED, blank) for row, blank in zip(ROWS, blanks, strict=False)]
    lines = [line + "," * commas for line in (HEADER, *rows, *ROWS[len(rows) :])]
    for place, number in empty:
        lines.insert(place + 1, "," * number)
    data = b"\xef\xbb\xbf" * mark + text(*lines, end=end)
    page = by_page(data)
    assert not page.refused
    assert page == by_training(data)
    assert [row["distance_from_home"] for row in page.values[: len(blanks)]] == [None] * len(blanks)


SIGNS_OF_ANYBODY = [
    '"',
    '""',
    " ",
    "\t",
    "\n",
    "\r\n",
    ",",
    ";",
    "'",
    "\u00a0",
    ".",
    "0",
    "e1",
    "+",
]
FED = [place for place, name in enumerate(HEADER.split(",")) if is_fed(name)]


@settings(deadline=None, max_examples=60)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(FED),
            st.integers(0, 12),
            st.sampled_from(SIGNS_OF_ANYBODY),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
    end=st.sampled_from(["", "\n", "\r\n"]),
)
def test_whatever_is_written_into_a_cell_the_doors_agree(
    edits: list[tuple[int, int, int, str, bool]], end: str
) -> None:
    table = [line.split(",") for line in (HEADER, *ROWS[:3])]
    for row, place, within, sign, quoted in edits:
        cell = table[row][place]
        cell = cell[:within] + sign + cell[within:]
        table[row][place] = f'"{cell}"' if quoted else cell
    data = ("\n".join(",".join(row) for row in table) + end).encode()
    assert by_page(data) == by_training(data)
