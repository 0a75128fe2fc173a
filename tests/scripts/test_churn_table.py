"""The table of the tutorial: the same bytes everywhere, and nobody's file written over."""

import hashlib
from pathlib import Path

import pytest

from scripts import churn_table


def test_the_bytes_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256(churn_table.table().encode()).hexdigest()
    assert digest[:16] == "9ff2db6bc71a3aa5"


def test_fewer_rows_are_the_first_ones() -> None:
    assert churn_table.table().startswith(churn_table.table(20))
    assert len(churn_table.table(20).splitlines()) == 21


def test_a_file_that_is_there_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "churn.csv"
    churn_table.main([str(path)])
    assert path.read_text(encoding="utf-8") == churn_table.table()
    with pytest.raises(SystemExit) as ended:
        churn_table.main([str(path)])
    assert ended.value.code == 2
    assert "is there already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        churn_table.main([str(tmp_path / "no" / "churn.csv")])
    assert "cannot be written" in capsys.readouterr().err
