"""Many rows at once: in order of risk, every row in the download, and no formula in it."""

import base64
import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from support.gate_cases import small
from support.model_artifacts import trained_metrics

from bento.http.answer import Answer
from bento.page import rows as many
from bento.page.rows import MOST, Table
from sluice.errors import Refused
from sluice.served.encoding import FieldError
from sluice.served.model_quality import model_quality
from sluice.served.uploaded_table import Problem, Row, Sheet

TIERS = small().tiers
PROBABILITIES = st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.5000001, 0.9, 1.0]), max_size=30)
HEAD = "Customer ID,Age,Weight,Spend,Visits,Tier,Region,Pays-Late?,Sex,Shoe size"
GOOD = "c1,40,70.5,,,High,N,Yes,F,43"


def answer(number: int, probability: float) -> Answer:
    return Answer(
        id=f"a{number}",
        prediction=1 if probability >= 0.5 else 0,
        label="Leaves" if probability >= 0.5 else "Stays",
        probability=probability,
        tier=TIERS.of(probability),
        threshold=0.5,
        model="m:1",
        image=None,
    )


def table(
    probabilities: Sequence[float],
    problems: Sequence[Problem] = (),
    unused: Sequence[str] = (),
    name: str = "c",
) -> Table:
    rows = tuple(Row(line, f"{name}{line}", {}) for line, _ in enumerate(probabilities, 2))
    answers = [answer(number, value) for number, value in enumerate(probabilities)]
    return many.table(small(), "x.csv", Sheet(rows, tuple(problems), tuple(unused)), answers)


@given(PROBABILITIES, st.integers(1, 40))
@settings(max_examples=40)
def test_what_is_said_of_a_number_is_counted(probabilities: list[float], number: int) -> None:
    quality = model_quality(to_builtins(trained_metrics()))  # half of any flagged are positive
    answers = [answer(place, value) for place, value in enumerate(probabilities)]
    found = many.chosen(quality, answers, number)
    if not probabilities:
        assert found is None
        return
    assert found is not None
    ordered = sorted(probabilities, reverse=True)
    within, beyond = ordered[:number], ordered[number:]
    assert (found.count, found.all) == (len(within), not beyond)
    assert found.last == f"{within[-1]:.4f}"
    assert found.below == sum(value < 0.5 for value in within)
    assert found.left_out == sum(value >= 0.5 for value in beyond)
    assert found.equal == beyond.count(within[-1])
    assert found.precision is not None
    assert found.precision.share == 0.5
    reached = max(step for step in range(10) if step / 10 <= within[-1])
    assert found.precision.of == 10 * (10 - reached)


def downloaded(of: Table) -> list[list[str]]:
    text = base64.b64decode(of.download).decode()
    assert text.startswith("\ufeff")  # by which a spreadsheet knows UTF-8
    return list(csv.reader(io.StringIO(text[1:], newline="")))


@given(PROBABILITIES)
def test_people_are_in_order_of_risk_and_of_their_lines(probabilities: list[float]) -> None:
    found = table(probabilities)
    order = sorted(enumerate(probabilities, 2), key=lambda pair: (-pair[1], pair[0]))
    assert [one.row.line for one in found.scored] == [line for line, _ in order]
    assert found.flagged == sum(value >= 0.5 for value in probabilities)
    assert sum(count for _, count in found.tiers) == len(probabilities)
    assert [name for name, _ in found.tiers] == list(reversed(TIERS.names))
    assert dict(found.tiers) == {
        name: sum(TIERS.of(value) == name for value in probabilities) for name in TIERS.names
    }


@given(PROBABILITIES, st.integers(0, 3))
def test_every_row_is_in_the_download(probabilities: list[float], wrong: int) -> None:
    error = FieldError(0, "Age", "'x'", "a whole number")
    problems = [Problem(100 + number, "p", (error, error)) for number in range(wrong)]
    head, *rows = downloaded(table(probabilities, problems))
    assert head[:3] == ["Line", "Customer ID", "Risk"]
    assert len(rows) == len(probabilities) + wrong
    assert all(len(row) == len(head) for row in rows)
    for row in rows[len(probabilities) :]:
        assert row[2:-1] == [""] * (len(head) - 3)
        assert row[-1] == "; ".join(["Age is 'x', allowed: a whole number"] * 2)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "＝"])
def test_an_id_that_a_spreadsheet_would_run_becomes_a_text(sign: str) -> None:
    [_, row] = downloaded(table([0.5], name=f"{sign}HYPERLINK"))
    assert row[1] == f"'{sign}HYPERLINK2"


def test_the_page_shows_the_first_and_the_download_has_all() -> None:
    found = table([0.5] * 250)
    assert len(found.shown) == 200
    assert len(found.scored) == 250
    assert len(downloaded(found)) == 251


def test_columns_that_are_not_fed_are_told_apart() -> None:
    found = table([0.5], unused=["Sex", "Note", "Shoe size"])
    assert found.protected == ("Sex",)
    assert found.unused == ("Note", "Shoe size")


def read(*rows: str) -> Sheet:
    return many.read("\n".join([HEAD, *rows]).encode(), small(), "x.csv")


def test_a_file_is_read_without_what_the_model_is_not_fed() -> None:
    sheet = read(GOOD, GOOD.replace("40", "4"), GOOD.replace("High", "Top"))
    assert [row.line for row in sheet.rows] == [2, 3]
    assert [problem.line for problem in sheet.problems] == [4]
    assert sheet.unused == ("Sex", "Shoe size")
    assert set(sheet.rows[0].record) == {column.key for column in small().features}


def test_a_file_of_too_many_people_and_one_of_nobody_are_refused() -> None:
    assert len(read(*[GOOD] * MOST).rows) == MOST
    with pytest.raises(Refused) as caught:
        read(*[GOOD] * (MOST + 1))
    assert caught.value.what == "x.csv has more than 10,000 rows"
    with pytest.raises(Refused, match=r"^x.csv has a header and no rows"):
        read()


def test_a_workbook_is_answered_with_how_to_save_it() -> None:
    with pytest.raises(Refused) as caught:
        many.read(b"PK\x03\x04", small(), "x.xlsx")
    assert caught.value.fix.startswith('Save it as CSV (UTF-8): in Excel by "Save as"')


def test_a_person_is_named_as_the_log_hashes_it() -> None:
    assert many.row_id(small(), Row(2, " c1 ", {})) == "c1"
    assert many.row_id(small(), Row(2, "", {})) == ""
