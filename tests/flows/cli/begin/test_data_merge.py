"""`sluice data merge`: new rows in the file of the pointer, all of them or none."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Sluice
from support.releases import ROWS, Story

from models.attrition import sample
from sluice.identity import sha256

NEW = 40
HEADER, *LINES = sample.to_csv(sample.generate(ROWS + NEW)).splitlines(keepends=True)
KNOWN_AT = """as_of = "Day"
known_at = "Known"
"""
IGNORED = """
[columns."Day"]
role = "ignored"

[columns."Known"]
role = "ignored"
"""


@pytest.fixture
def here(unreleased: Story) -> Story:
    return unreleased


@pytest.fixture
def new(here: Story) -> Path:
    """Rows that the table does not have."""
    path = here.project.parent / "new.csv"
    path.write_bytes(HEADER + b"".join(LINES[ROWS:]))
    return path


def pointer(here: Story) -> dict[str, Any]:
    return tomllib.loads((here.project / "data" / "attrition.toml").read_text())


def state(here: Story) -> tuple[bytes, dict[str, Any]]:
    return here.rows.read_bytes(), pointer(here)


def test_new_rows_are_added_and_the_pointer_names_them(
    here: Story, new: Path, sluice: Sluice
) -> None:
    before, _ = state(here)
    ended = sluice("data", "merge", new, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    after, names = state(here)
    assert after.startswith(before)
    assert after.removeprefix(before).count(b"\n") == NEW
    assert names == {"reference": "file:rows.csv", "sha256": sha256(after)}
    assert (told["added"], told["repeated"], told["file"]) == (NEW, 0, "rows.csv")
    assert 0 < told["holdout"] < NEW
    assert told["positives"] == sum(line.rstrip().endswith(b"Left") for line in LINES[ROWS:])
    assert here.rows.stat().st_mode & 0o777 == 0o600

    again = sluice("data", "merge", new)
    assert (again.code, state(here)) == (0, (after, names))
    assert "Nothing to do: the table has all of these rows." in again.out


def test_a_corrected_outcome_changes_one_cell(here: Story, sluice: Sluice) -> None:
    lines = here.rows.read_text(encoding="utf-8").splitlines()
    other = {"Left": "Stayed", "Stayed": "Left"}
    row, _, outcome = lines[5].rpartition(",")
    (here.project / "new.csv").write_text(f"{lines[0]}\n{row},{other[outcome]}\n", encoding="utf-8")
    ended = sluice("data", "merge", here.project / "new.csv")
    assert ended.code == 0, ended.err
    assert "1 row: the outcome is another one now" in ended.out
    changed = here.rows.read_text(encoding="utf-8").splitlines()
    assert [place for place, line in enumerate(lines) if line != changed[place]] == [5]


def test_rows_that_the_contract_refuses_leave_everything_as_it_was(
    here: Story, new: Path, sluice: Sluice
) -> None:
    before = state(here)
    new.write_bytes(HEADER + LINES[ROWS] + LINES[ROWS + 1].replace(b"Left", b"Gone", 1))
    text = new.read_text(encoding="utf-8").splitlines()
    new.write_text("\n".join([*text[:-1], text[-1].rpartition(",")[0] + ",Vanished"]))
    ended = sluice("data", "merge", new)
    assert ended.code == 3
    assert "Attrition" in ended.out + ended.err
    assert state(here) == before
    assert sluice("data", "merge", new, "--json").code == 3


def test_a_file_that_was_changed_beside_its_pointer_is_not_merged_into(
    here: Story, new: Path, sluice: Sluice
) -> None:
    assert sluice("data", "add", here.rows).code == 0
    here.rows.write_bytes(here.rows.read_bytes() + LINES[ROWS])
    before = state(here)
    ended = sluice("data", "merge", new)
    assert ended.code == 2
    assert "Run `sluice data add rows.csv` where the change is meant" in ended.err
    assert state(here) == before


def test_another_file_is_written_and_the_one_of_the_pointer_stays(
    here: Story, new: Path, sluice: Sluice
) -> None:
    rows, _ = state(here)
    inside, outside = here.project / "more.csv", here.project.parent / "outside.csv"
    assert sluice("data", "merge", new, "--to", outside).code == 0
    assert state(here) == (rows, pointer(here))
    assert pointer(here)["reference"] == "file:rows.csv"
    ended = sluice("data", "merge", new, "--to", inside)
    assert ended.code == 0
    assert pointer(here) == {"reference": "file:more.csv", "sha256": sha256(outside.read_bytes())}
    assert here.rows.read_bytes() == rows
    assert "is there already" in sluice("data", "merge", new, "--to", inside).err


def test_rows_that_a_program_makes_are_merged_into_a_file_alone(
    here: Story, new: Path, sluice: Sluice
) -> None:
    reference = f'reference = "sample:models.attrition.sample"\nrows = {ROWS}\n'
    digest = sha256(here.rows.read_bytes())
    (here.project / "data" / "attrition.toml").write_text(reference + f'sha256 = "{digest}"\n')
    ended = sluice("data", "merge", new)
    assert ended.code == 2
    assert "names sample:models.attrition.sample; a file of the project is required" in ended.err


def test_features_are_taken_as_they_were_on_the_day(here: Story, sluice: Sluice) -> None:
    """Age comes from records: the one of the day, and not the one that was written later."""
    contract = here.project / "models" / "attrition" / "contract.toml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("schema = 1\n", "schema = 1\n" + KNOWN_AT, 1) + IGNORED)
    names = HEADER.decode().rstrip().split(",")
    age, name = names.index("Age"), names.index("Employee ID")
    rows, records = [], ["Employee ID,Age,Known"]
    for line in LINES[ROWS : ROWS + 5]:
        cells = line.decode().rstrip().split(",")
        records += [f"{cells[name]},44,2026-03-01", f"{cells[name]},55,2026-03-20"]
        rows.append(",".join([*cells[:age], *cells[age + 1 :], "2026-03-10"]))
    head = ",".join([*names[:age], *names[age + 1 :], "Day"])
    (here.project / "new.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    (here.project / "ages.csv").write_text("\n".join(records) + "\n", encoding="utf-8")
    ended = sluice(
        "data", "merge", here.project / "new.csv", "--features", here.project / "ages.csv"
    )
    assert ended.code == 0, ended.err
    merged = here.rows.read_text(encoding="utf-8").splitlines()
    columns = merged[0].split(",")
    added = [line.split(",") for line in merged[-5:]]
    assert {line[columns.index("Age")] for line in added} == {"44"}
    assert {line[columns.index("Known")] for line in added} == {"2026-03-01"}

    late = [line.replace("2026-03-10", "2026-03-10,2026-03-11") for line in rows]
    (here.project / "new.csv").write_text("\n".join([head + ",Known", *late]), encoding="utf-8")
    ended = sluice("data", "merge", here.project / "new.csv")
    assert ended.code == 3
    assert "Known is later than Day in 5 rows" in ended.err
