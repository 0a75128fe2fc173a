"""`sluice init`: from a table of one's own to a model that validates, and what is refused."""

import json
import re
from pathlib import Path

import pytest
from support import strange_tables
from support.command_line import Sluice

from flows.project.models import unreviewed
from flows.project.settings import Settings
from sluice.policy import load_policy


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, in which the commands of a test work."""
    monkeypatch.setenv("SLUICE_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLUICE_MODEL", raising=False)
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def table(project: Path, name: str, data: bytes) -> Path:
    path = project / f"{name}.csv"
    path.write_bytes(data)
    return path


def test_a_table_becomes_a_model_that_validates(project: Path, sluice: Sluice) -> None:
    path = table(project, "incomes", strange_tables.incomes())
    before = path.read_bytes()
    ended = sluice("init", path, "--yes")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "Next: sluice release incomes"
    said = " ".join(ended.out.split())
    assert "workclass" in said
    [seen] = re.findall(
        r"This holdout, (\d+) positives, sees gains in recall of ([\d.]+) points", said
    )
    assert (0 < int(seen[0]) < 300, 1 < float(seen[1]) < 10) == (True, True)
    assert path.read_bytes() == before
    written = sorted(p.relative_to(project).as_posix() for p in project.rglob("*.toml"))
    assert written == [
        "data/incomes.toml",
        "models/incomes/contract.toml",
        "models/incomes/policy.toml",
    ]
    assert 'reference = "file:incomes.csv"' in (project / "data/incomes.toml").read_text()
    # Nobody names the model: it is the only one.
    assert "Valid: 1,500 rows" in sluice("validate").out
    policy = load_policy((project / "models/incomes/policy.toml").read_text())
    assert not policy.reviewed
    assert unreviewed(project, "incomes").startswith("models/incomes/policy.toml is a draft")


def test_a_file_with_other_bytes_than_its_pointer_is_told(project: Path, sluice: Sluice) -> None:
    path = table(project, "incomes", strange_tables.incomes())
    sluice("init", path, "--yes")
    assert "other bytes" not in sluice("validate").err
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    ended = sluice("validate")
    assert ended.code == 0
    assert "incomes.csv holds other bytes than data/incomes.toml names" in ended.err


def test_what_is_found_is_json_too(project: Path, sluice: Sluice) -> None:
    path = table(project, "machines", strange_tables.machines())
    ended = sluice("init", path, "--model", "faults", "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found["leaks"] == ["Isı arızası"]
    assert found["target"] == "Makine arızası"
    assert found["positive"] == "1"
    assert found["model"] == "faults"
    assert not found["refused"]
    keys = {column["name"]: column["key"] for column in found["columns"]}
    assert keys["Makine arızası"] == "makine_arizasi"


def test_a_model_that_is_there_is_not_written_over(project: Path, sluice: Sluice) -> None:
    path = table(project, "churn", strange_tables.churn(400))
    (project / "models" / "churn").mkdir(parents=True)
    mine = project / "models" / "churn" / "policy.toml"
    mine.write_text("mine")
    ended = sluice("init", path, "--yes")
    assert ended.code == 2
    assert "policy.toml is there already" in ended.err
    assert mine.read_text() == "mine"
    assert not (project / "data").exists()


WRONG = {
    ("--target", "Chrun"): (2, "--target is 'Chrun', no column of the table"),
    ("--positive", "Maybe"): (2, "--positive is 'Maybe', no value of Churn"),
    ("--id", "gender"): (3, "gender has 2 different values in 400 rows"),
    ("--point", "20"): (2, "--point is 20; a share from 0.01 to 0.9 is required"),
    ("--model", "Mein Modell"): (2, "the model would be called 'Mein Modell'"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_choice_writes_nothing(
    words: tuple[str, str], project: Path, sluice: Sluice
) -> None:
    path = table(project, "churn", strange_tables.churn(400))
    ended = sluice("init", path, "--yes", *words)
    code, sentence = WRONG[words]
    assert (ended.code, sentence in ended.err) == (code, True)
    assert not (project / "models").exists()


def test_several_models_need_a_name(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "holds 0 models; at least 1 is required" in sluice("validate").err
    for name in ("churn", "other"):
        path = table(project, name, strange_tables.churn(600))
        assert sluice("init", path, "--yes").code == 0
    ended = sluice("validate")
    assert ended.code == 2
    assert "2 models are there and none is named: churn, other" in ended.err
    monkeypatch.setenv("SLUICE_MODEL", "other")
    assert Settings().model == "other"
    assert sluice("validate").code == 0
    assert sluice("validate", "churn").code == 0
