"""The benchmark of drafting: its table is one that a draft takes, and its bounds can be missed."""

import csv
from pathlib import Path

import msgspec

from benchmarks.draft import __main__ as draft


def test_the_table_has_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    draft.write(tmp_path / "table.csv", 25_000, 12)
    with (tmp_path / "table.csv").open() as file:
        names, *rows = csv.reader(file)
    assert (len(names), len(rows)) == (12, 25_000)
    assert len({row[0] for row in rows}) == 25_000
    assert {row[-1] for row in rows} == {"yes", "no"}


def test_a_draft_is_measured_beside_pandas(tmp_path: Path) -> None:
    found = draft.measure(tmp_path, 2_000, 8)
    assert list(found) == ["pandas.read_csv", "sluice init"]
    assert all(one.processors > 0 and one.memory > 2**20 for one in found.values())
    assert (tmp_path / "models" / "large" / "contract.toml").is_file()
    assert draft.good(found)
    slow = msgspec.structs.replace(found["sluice init"], processors=61.0)
    assert not draft.good({**found, "sluice init": slow})
    wide = msgspec.structs.replace(found["sluice init"], memory=2**31)
    assert not draft.good({**found, "sluice init": wide})
    assert draft.table(found).splitlines()[3].startswith("| sluice init | ")
