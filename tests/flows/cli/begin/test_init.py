"""`sluice init`: from a table of one's own to a model that validates, and what is refused."""

import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import checked_pumps, strange_tables
from support.command_line import Sluice

from flows.adapters.process import run
from flows.project import new_model
from flows.project.models import unreviewed
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.draft.generated import generate
from sluice.draft.sample_file import read_sample
from sluice.model.data.table import read_table, typed
from sluice.model.data.times import TIME
from sluice.policy import load_policy
from sluice.served.contract import load_contract


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
    assert "education-num alone finds nearly as many. A release has to be shown to find" in said
    assert re.search(r"About [\d,]+ labelled rows are needed for 90 %", said)
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
        "models/incomes/sample.toml",
    ]
    assert 'reference = "file:incomes.csv"' in (project / "data/incomes.toml").read_text()
    # Nobody names the model: it is the only one.
    assert "Valid: 1,500 rows" in sluice("validate").out
    policy = load_policy((project / "models/incomes/policy.toml").read_text())
    assert not policy.reviewed
    assert unreviewed(project, "incomes").startswith("models/incomes/policy.toml is a draft")


def test_of_a_table_outside_the_project_it_says_that_a_push_needs_it_elsewhere(
    project: Path, tmp_path: Path, sluice: Sluice
) -> None:
    """What it says to type works: the pointer names a file that another machine finds."""
    outside = tmp_path / "incomes.csv"
    outside.write_bytes(strange_tables.incomes())
    ended = sluice("init", outside, "--yes")
    said = " ".join(ended.out.split())
    assert ended.code == 0
    assert f"{outside} is outside the project, and another machine would not find it." in said
    assert said.endswith("--model incomes Next: sluice release incomes")
    inside = Path(shutil.copy(outside, project / "data" / "incomes.csv"))
    assert sluice("data", "add", inside, "--model", "incomes").code == 0
    pointer = (project / "data" / "incomes.toml").read_text()
    assert 'reference = "file:data/incomes.csv"' in pointer


def test_without_the_table_generated_rows_are_named_and_valid(
    project: Path, sluice: Sluice
) -> None:
    path = table(project, "incomes", strange_tables.incomes())
    sluice("init", path, "--yes")
    path.unlink()
    ended = sluice("validate")
    assert ended.code == 2
    assert "data/incomes.toml names incomes.csv, and there is no such file" in ended.err
    assert "--data models/incomes/sample.toml" in " ".join(ended.err.split())
    ended = sluice("validate", "--data", project / "models/incomes/sample.toml")
    assert (ended.code, "Valid: 1,500 rows" in ended.out) == (0, True)


def test_a_large_table_is_sampled_and_said_to_be(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = strange_tables.sessions(6_000).splitlines(keepends=True)
    data = b"".join([rows[0], *rows[1:]])
    path = table(project, "sessions", data)
    monkeypatch.setattr(new_model, "MOST", 2_000)
    ended = sluice("init", path, "--yes")
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "come from 2,000 of them, drawn by chance" in said
    assert said.endswith("2,000 rows are valid. Next, for all of them: sluice validate sessions")
    assert "Valid: 6,000 rows" in sluice("validate").out


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
    ("--costs", "5"): (2, "the costs are '5'; those of a miss and of a false alarm"),
    ("--costs", "5:0"): (2, "the costs are '5:0'"),
    ("--costs", "5:1", "--point", "0.2"): (2, "--point and --costs are both given"),
    ("--domain", "law"): (2, "--domain is 'law'; one of employment, customers, credit, health"),
    ("--point", "20"): (2, "--point is 20; a share from 0.01 to 0.9 is required"),
    ("--model", "Mein Modell"): (2, "the model would be called 'Mein Modell'"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_choice_writes_nothing(
    words: tuple[str, ...], project: Path, sluice: Sluice
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


def test_a_newer_table_is_a_diff_that_git_applies_and_nothing_is_written(
    project: Path, sluice: Sluice
) -> None:
    table(project, "churn", strange_tables.churn(600))
    sluice("init", project / "churn.csv", "--yes")
    contract = project / "models/churn/contract.toml"
    before = contract.read_text()
    rows = strange_tables.churn(600).replace(b",Female,", b",Diverse,", 1)
    newer = table(project, "newer", rows)
    assert sluice("validate", "--data", newer).code == 3
    ended = sluice("init", newer, "--model", "churn", "--update")
    assert ended.code == 0
    assert 'gender: values, "Diverse" in 1 row seen.' in ended.err
    assert contract.read_text() == before
    (project / "change.diff").write_text(ended.out)
    run(["git", "init", "--quiet"], cwd=project)
    run(["git", "apply", "change.diff"], cwd=project)
    assert sluice("validate", "--data", newer).code == 0
    ended = sluice("init", newer, "--model", "churn", "--update")
    assert (ended.out, "Nothing to propose" in ended.err) == ("", True)
    found = json.loads(sluice("init", newer, "--model", "churn", "--update", "--json").out)
    assert (found["changes"], found["diff"]) == ([], "")
    assert "there is no model 'other'" in sluice("init", newer, "--model", "other", "--update").err


def test_a_newer_table_of_several_classes_is_compared_and_a_new_class_is_left_to_a_person(
    project: Path, sluice: Sluice
) -> None:
    shutil.copytree(ROOT / "models" / "pumps", project / "models" / "pumps")
    rows = checked_pumps.table(900).replace(b";A20;", b";C30;", 1)
    newer = table(project, "newer", rows.replace(b";blocked", b";cracked", 1))
    ended = sluice("init", newer, "--model", "pumps", "--update")
    assert ended.code == 0
    said = " ".join(ended.err.split())
    assert 'The target Found has "cracked" in 1 row: leave these rows out, or write a class' in said
    assert 'Make: values, "C30" in 1 row seen.' in said
    assert '+values = ["A20", "A40", "B10", "C30"]' in ended.out
    assert "cracked" not in ended.out


class Typed(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_how_many_to_flag_until_the_answer_is_one(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(project, "churn", strange_tables.churn())
    monkeypatch.setattr(sys, "stdin", Typed("9\n3\ny\n"))
    ended = sluice("init", path)
    assert ended.code == 0
    said = " ".join((ended.out + ended.err).split())
    assert "the answer is '9'; a line from 1 to 6, or costs, is required. Write 2, or 5:1" in said
    assert "Floors where 20 % of the rows are flagged" in said
    asked = (project / "models/churn/policy.toml").read_text()
    assert "# It flags 20 % of them." in asked
    monkeypatch.setattr(sys, "stdin", Typed(""))
    ended = sluice("init", path, "--model", "other", "--yes", "--point", "0.2")
    assert ended.code == 0
    other = (project / "models/other/policy.toml").read_text()
    assert "# It flags 20 % of them." in other


def test_costs_decide_how_many_are_flagged(project: Path, sluice: Sluice) -> None:
    path = table(project, "churn", strange_tables.churn(3_000))
    flagged = {}
    for name, costs in {"careful": "1:2", "eager": "2:1"}.items():
        assert sluice("init", path, "--model", name, "--yes", "--costs", costs).code == 0
        policy = (project / f"models/{name}/policy.toml").read_text()
        [share] = re.findall(r"# It flags (\d+) % of them", policy)
        flagged[name] = int(share)
    assert flagged["careful"] + 10 < flagged["eager"]


def test_a_program_is_told_how_surely_a_release_finds_more_than_its_best_column(
    project: Path, sluice: Sluice
) -> None:
    told = {}
    for name, made in (("incomes", strange_tables.incomes), ("churn", strange_tables.churn)):
        ended = sluice("init", table(project, name, made(6_000)), "--yes", "--json")
        assert ended.code == 0
        told[name] = json.loads(ended.out)["best_column"]
    assert told["incomes"]["name"] == "education-num"
    assert told["incomes"]["shown"] < 0.9
    assert told["incomes"]["labels_needed"] > 6_000
    assert (told["churn"]["shown"] >= 0.9, told["churn"]["labels_needed"]) == (True, 6_000)


def test_a_parquet_file_is_drafted_from_and_released_from_alike(
    project: Path, sluice: Sluice
) -> None:
    """Numbers, texts, days, and a target of true and false; a value that is missing."""
    chance = np.random.default_rng(3)
    speed = chance.normal(1500, 180, 2_000)
    fails = chance.random(2_000) < 1 / (1 + np.exp(2.0 + (speed - 1500) / 120))
    frame = pd.DataFrame(
        {
            "part": [f"K{place}" for place in range(2_000)],
            "kind": pd.Categorical(chance.choice(["L", "M"], 2_000)),
            "speed": np.where(chance.random(2_000) < 0.03, np.nan, speed).astype("float32"),
            "wear": chance.integers(0, 250, 2_000).astype("int16"),
            "made": (
                pd.Timestamp("2024-03-01") + pd.to_timedelta(chance.integers(0, 90, 2_000), "D")
            ).date,
            "fails": fails,
        }
    )
    frame.to_parquet(project / "parts.parquet")
    ended = sluice("init", project / "parts.parquet", "--yes", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    roles = {one["name"]: (one["role"], one["kind"]) for one in told["columns"]}
    assert roles["part"][0] == "id"
    assert (roles["speed"], roles["made"]) == (("feature", "number"), ("feature", "date"))
    assert (told["target"], told["positive"], told["refused"]) == ("fails", "true", False)
    assert "Valid: 2,000 rows" in sluice("validate").out
    frame.to_csv(project / "parts.csv", index=False)
    other = sluice("init", project / "parts.csv", "--yes", "--json", "--model", "again")
    same = json.loads(other.out)["columns"]
    assert roles == {one["name"]: (one["role"], one["kind"]) for one in same}


def test_a_parquet_file_that_was_cut_off_says_so(project: Path, sluice: Sluice) -> None:
    (project / "parts.parquet").write_bytes(b"PAR1" + b"x" * 400)
    ended = sluice("init", project / "parts.parquet", "--yes")
    assert ended.code == 3
    assert "parts.parquet is a damaged Parquet file; a whole one is required" in ended.err


def visits(rows: int = 3_000) -> bytes:
    """Visits with a time each, in no order; what foretells the outcome is another from half of the
    time on.
    """
    chance = np.random.default_rng(8)
    days = chance.integers(0, 700, rows)
    signs = chance.normal(size=(rows, 2))
    telling = np.where(days < 350, signs[:, 0], signs[:, 1])
    came = chance.random(rows) < 1 / (1 + np.exp(0.5 - 2 * telling))
    times = pd.Timestamp("2022-01-01 08:15:00") + pd.to_timedelta(days, "D")
    table = pd.DataFrame(
        {
            "visit": [f"V{place}" for place in range(rows)],
            "at": times.strftime("%Y-%m-%d %H:%M:%S"),
            "one": signs[:, 0].round(3),
            "other": signs[:, 1].round(3),
            "came": np.where(came, "yes", "no"),
        }
    )
    return table.to_csv(index=False).encode()


def test_by_a_time_the_past_teaches_and_the_newest_rows_judge(
    project: Path, sluice: Sluice
) -> None:
    path = table(project, "visits", visits())
    told = sluice("init", path, "--yes")
    assert "Each row has a time, in at: --as-of at learns from the past" in told.out
    ended = sluice("init", path, "--yes", "--model", "newest", "--as-of", "at")
    assert ended.code == 0, ended.err
    assert "Rows are split by the time in at: a model learns from the past" in ended.out
    policy = (project / "models/newest/policy.toml").read_text()
    assert load_policy(policy).split.by == "time"
    assert 'as_of = "at"\n' in (project / "models/newest/contract.toml").read_text()
    assert sluice("validate", "newest").out.count("Valid: 3,000 rows") == 1
    document = json.loads(
        sluice("init", path, "--yes", "--model", "third", "--as-of", "at", "--json").out
    )
    assert (document["as_of"], document["times"]) == ("at", ["at"])
    assert 560 < document["holdout"]["rows"] < 640


def test_a_person_is_asked_whether_rows_are_split_by_their_time(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(project, "visits", visits())
    monkeypatch.setattr(sys, "stdin", Typed("y\n\ny\n"))
    ended = sluice("init", path)
    assert ended.code == 0
    said = " ".join((ended.out + ended.err).split())
    assert "Each row has a time, in at. Learn from the past, and judge on the newest rows?" in said
    assert 'by = "time"' in (project / "models/visits/policy.toml").read_text()
    monkeypatch.setattr(sys, "stdin", Typed("n\n\ny\n"))
    assert sluice("init", path, "--model", "mixed").code == 0
    assert 'by = "time"' not in (project / "models/mixed/policy.toml").read_text()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("came", "--as-of is 'came', which is the target or the id"),
        ("one", "--as-of is 'one'; a column with a day or a time in each row is required"),
        ("when", "--as-of is 'when', no column of the table"),
    ],
)
def test_a_column_that_has_no_time_splits_nothing(
    name: str, what: str, project: Path, sluice: Sluice
) -> None:
    path = table(project, "visits", visits(600))
    ended = sluice("init", path, "--yes", "--as-of", name)
    assert (ended.code, what in ended.err) == (2, True), ended.err


def test_rows_that_are_made_have_a_time_too(project: Path, sluice: Sluice) -> None:
    """Where tests and the demo have no real row, the split by time finds its column."""
    path = table(project, "visits", visits())
    assert sluice("init", path, "--yes", "--as-of", "at").code == 0
    contract = load_contract((project / "models/visits/contract.toml").read_text())
    sample = read_sample(
        (project / "models/visits/sample.toml").read_text(), "sample.toml", contract
    )
    rows = read_table(generate(sample, contract), contract, "made")
    times = typed(rows, contract)[TIME]
    assert len(np.unique(times)) > 300
    assert not np.isnat(times).any()
