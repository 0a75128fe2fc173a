"""`sluice replay` beside a real release: the model that is live, and a candidate that was
trained on months.
"""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support import releases
from support.prediction_logs import write_days
from support.releases import Story, Told

from flows.canary.both_models import load_both
from flows.canary.question import read_question
from flows.cli.live.replay import Wanted, run_replay
from flows.engine import store
from flows.engine.store import Record
from flows.facts.trained import Trained
from flows.project import settings
from flows.project.settings import Settings
from models.attrition import sample
from sluice.canary.verdict import Expectation
from sluice.errors import UsageError
from sluice.identity import folder_hash
from sluice.served.encoding import feature_names
from sluice.served.scoring import load_model

DAYS = [datetime.date(2026, 11, day) for day in (1, 2)]


@pytest.fixture
def own(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Settings:
    releases.enter(releases.copy(promoted[0], tmp_path), tools)
    return settings.load()


def replayed(
    own: Settings, capsys: pytest.CaptureFixture[str], **given: Any
) -> tuple[int, dict[str, Any]]:
    """Exit code and what was found."""
    code = run_replay(own, "attrition", Wanted(**given), as_json=True)
    return code, json.loads(capsys.readouterr().out)


def test_without_a_log_the_holdout_is_replayed_and_it_says_so(
    own: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    expect = tmp_path / "expected.json"
    code, found = replayed(own, capsys, expect=expect)
    assert code == 0
    assert found["source"].startswith("the holdout of the last release here, without labels")
    assert found["rows"] > 200
    assert found["agreement"]["value"] == 1
    question = {"namespace": "a", "canary": "b", "stable": "c", "weight": 5}
    body = json.dumps(question | {"expected": json.loads(expect.read_text())}).encode()
    assert len(read_question(body).expected.at_most) == 19
    assert run_replay(own, "attrition", Wanted(), as_json=False) == 0
    said = capsys.readouterr().out
    for words in ("Tiers: live down", "Foretold, with 99 % intervals", "Replayed: The share of"):
        assert words in said


def test_months_where_years_are_served_are_refused(
    own: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    both = load_both(own, "attrition", "")
    write_days(tmp_path / "log", both.running.model, both.running.digest, DAYS, 1_000)
    expect = tmp_path / "expected.json"
    _train_on_months(own)
    given = {"log": str(tmp_path / "log"), "expect": expect}
    code, found = replayed(own, capsys, **given)
    assert (code, found["rows"]) == (3, 2_000)
    assert found["sentence"].startswith("Years at Company is served 0.08333 times what")
    assert found["columns"][0]["column"] == "Years at Company"
    assert not expect.exists()
    code, found = replayed(own, capsys, candidate="live", **given)
    assert (code, found["agreement"]["value"]) == (0, 1)
    assert Expectation().flagged.change == found["expected"]["flagged"]["change"]


def test_a_file_is_replayed_without_the_rows_that_are_wrong(
    own: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = tmp_path / "people.csv"
    rows.write_bytes(releases.change(sample.to_csv(sample.generate(50)), 7, "Age", "old"))
    assert run_replay(own, "attrition", Wanted(file=rows), as_json=True) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["rows"], found["unfit"], found["source"]) == (49, 1, "people.csv")
    assert "Age is 'old'" in said.err


def test_what_cannot_be_done_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    for wanted, words in (
        (Wanted(log="a", file=tmp_path / "b"), "--log and --file are both given"),
        (Wanted(file=tmp_path / "gone.csv"), "is no file"),
        (Wanted(expect=tmp_path / "gone" / "e.json"), "there is no folder"),
    ):
        with pytest.raises(UsageError, match=words):
            run_replay(Settings(home=tmp_path), "attrition", wanted, as_json=True)


def test_where_nothing_is_live_there_is_nothing_to_replay(written: Story, tmp_path: Path) -> None:
    own = Settings(home=tmp_path / "home", project=written.project)
    with pytest.raises(UsageError, match="nothing of attrition is live"):
        run_replay(own, "attrition", Wanted(), as_json=True)


def _train_on_months(own: Settings) -> None:
    """Keep a model that was trained last: that of the release, as if its years had been months."""
    [record] = (own.home / "store" / "train").glob("[!.]*/step.json")
    document = onnx.load_model_from_string((record.parent / "model" / "model.onnx").read_bytes())
    _divide(document, record.parent / "model")
    inputs = {"months": "12"}

    def work(folder: Path) -> Trained:
        artifact = folder / "model"
        artifact.mkdir()
        for file in (record.parent / "model").iterdir():
            (artifact / file.name).write_bytes(file.read_bytes())
        (artifact / "model.onnx").write_bytes(document.SerializeToString())
        _in_months(artifact / "reference.json")
        return Trained(folder_hash(artifact), 0.5, "logistic_regression")

    store.keep(own.home, Record("train", "0" * 64, inputs, {}, {}, 0.0), work)
    store.remember(own.home, "attrition", "train", inputs)


def _in_months(path: Path) -> None:
    """Let the training rows have had months where they had years."""
    document = json.loads(path.read_text(encoding="utf-8"))
    cell = document["years_at_company"]
    cell["edges"] = [12 * edge for edge in cell["edges"]]
    path.write_text(json.dumps(document), encoding="utf-8")


def _divide(document: onnx.ModelProto, artifact: Path) -> None:
    """Let the graph divide the years at the company by twelve before anything else."""
    names = feature_names(load_model(artifact).contract)
    factors = np.ones((1, len(names)), dtype=np.float32)
    factors[0, names.index("years_at_company")] = 1 / 12
    graph = document.graph
    for node in graph.node:
        node.input[:] = ["in_months" if name == "features" else name for name in node.input]
    graph.node.insert(0, helper.make_node("Mul", ["features", "factors"], ["in_months"], "divide"))
    graph.initializer.append(numpy_helper.from_array(factors, "factors"))
