"""`sluice labels add`: kept once, for its owner alone, whole or not at all."""

import datetime
import json
import shutil
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from support.releases import Story

from flows.adapters import label_files
from flows.cli.live.labels import run_add, run_untouched
from flows.monitoring.labels import folder_of, settled
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.monitor.acting import in_control

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
ROWS = "id,outcome,known_at\na-0,Left,2026-11-01\na-1,Stayed,2026-11-02\n"


@pytest.fixture
def own(written: Story, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", project=written.project)


def table(tmp_path: Path, text: str, name: str = "labels.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_adding_a_table_again_changes_nothing(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for did in ("Kept", "Known already"):
        assert run_add(own, "attrition", table(tmp_path, ROWS), NOW, as_json=False) == 0
        assert capsys.readouterr().out == f"{did}: 2 labels, 2 answers labelled.\n"
    [kept] = folder_of(own, "attrition").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_same_labels_in_another_form_are_the_same(own: Settings, tmp_path: Path) -> None:
    columns = {
        "id": ["a-1", "a-0"],
        "outcome": ["Stayed", "Left"],
        "known_at": [datetime.date(2026, 11, 2), datetime.date(2026, 11, 1)],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "labels.parquet")
    other = "﻿known_at;id;outcome\n2026-11-02;a-1;Stayed\n2026-11-01;a-0;Left\n"
    for path in (
        table(tmp_path, ROWS),
        tmp_path / "labels.parquet",
        table(tmp_path, other, "other.csv"),
    ):
        run_add(own, "attrition", path, NOW, as_json=True)
    assert len(list(folder_of(own, "attrition").iterdir())) == 1


def test_a_correction_and_a_conflict_are_told(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_add(own, "attrition", table(tmp_path, ROWS), NOW, as_json=True)
    capsys.readouterr()
    more = "id,outcome,known_at\na-0,Stayed,2026-11-09\na-1,Left,2026-11-02\n"
    run_add(own, "attrition", table(tmp_path, more), NOW, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "labels": 2,
        "new": True,
        "ids": 2,
        "repeated": 0,
        "corrected": 1,
        "conflicting": 1,
    }
    assert settled(own, "attrition").outcomes["a-0"][0] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,known_at\na,2026-11-01\n", "has the columns id, known_at; outcome is required"),
        ("known_at\n2026-11-01\n", "has the columns known_at; id, outcome are required"),
        ("", "has 0 columns; id, outcome, known_at are required"),
        ("id,outcome,known_at\n", "has 0 labels"),
        (ROWS + "a-2,Perhaps,2026-11-02\n", "line 4: outcome is 'Perhaps'"),
        (ROWS + 'a-2,"Left,2026-11-02\n', "cannot be read as CSV"),
    ],
)
def test_of_a_wrong_table_nothing_is_kept(
    own: Settings, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        run_add(own, "attrition", table(tmp_path, text), NOW, as_json=False)
    assert not folder_of(own, "attrition").exists()


def test_no_utf_8_is_refused_and_no_file_is_a_mistake(own: Settings, tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes(ROWS.encode() + b"\xe9")
    with pytest.raises(Refused, match="byte 62 is not UTF-8"):
        run_add(own, "attrition", latin, NOW, as_json=False)
    with pytest.raises(UsageError, match="there is no file"):
        run_add(own, "attrition", tmp_path / "none.csv", NOW, as_json=False)
    with pytest.raises(UsageError, match="there is no model 'other'"):
        run_add(own, "other", latin, NOW, as_json=False)


def test_a_damaged_file_is_named(own: Settings, tmp_path: Path) -> None:
    run_add(own, "attrition", table(tmp_path, ROWS), NOW, as_json=True)
    [kept] = folder_of(own, "attrition").iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(SluiceError, match="its content is not what was written"):
        settled(own, "attrition")


def test_what_a_killed_command_left_is_no_label(own: Settings, tmp_path: Path) -> None:
    folder = folder_of(own, "attrition")
    folder.mkdir(parents=True)
    (folder / ".0123.jsonl-abc").write_bytes(b'{"id":"a')
    run_add(own, "attrition", table(tmp_path, ROWS), NOW, as_json=True)
    assert len(settled(own, "attrition").outcomes) == 2
    assert label_files.identity(folder) != label_files.identity(tmp_path / "none")


def test_who_is_left_untouched_is_printed_and_none_where_the_policy_leaves_nobody(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"a-{number}" for number in range(400)]
    flagged = table(tmp_path, "\n".join(["id,why", *(f"{name},x" for name in ids)]), "flagged.csv")
    with pytest.raises(UsageError, match="control_share is 0"):
        run_untouched(own, "attrition", flagged)
    project = shutil.copytree(own.project, tmp_path / "project")
    policy = project / "models" / "attrition" / "policy.toml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(f"{text}\n[monitor]\ncontrol_share = 0.1\n", encoding="utf-8")
    given = own.model_copy(update={"project": project})
    assert run_untouched(given, "attrition", flagged) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [name for name in ids if in_control(name, 0.1)]
    assert 20 <= len(printed) <= 60
    with pytest.raises(Refused, match="has the columns name; id is required"):
        run_untouched(given, "attrition", table(tmp_path, "name\nx\n", "other.csv"))


def test_labels_of_several_classes_are_kept_and_a_class_that_is_none_is_refused(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(home=own.home, project=ROOT)
    text = "id,outcome,known_at\na-0,blocked,2026-11-01\na-1,worn bearing,2026-11-02\n"
    assert run_add(settings, "pumps", table(tmp_path, text), NOW, as_json=False) == 0
    assert capsys.readouterr().out == "Kept: 2 labels, 2 answers labelled.\n"
    assert settled(settings, "pumps").outcomes["a-0"][0] == 2
    with pytest.raises(Refused, match="sound or worn bearing or blocked is required"):
        run_add(settings, "pumps", table(tmp_path, ROWS, "other.csv"), NOW, as_json=False)
