"""The log that a service wrote is read: from a folder and from a store, block by block, with its
labels.
"""

import datetime
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from support.asgi import client
from support.model_artifacts import small_artifact

from bento import process
from bento.answers import Served, load_served
from bento.openapi import example
from bento.ops.settings import Settings
from flows.adapters import prediction_days
from flows.adapters.prediction_days import Passed, PredictionLog, blocks, open_log
from sluice.errors import UsageError
from sluice.monitor.day import NONE, Block
from sluice.monitor.labels import Settled


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return load_served(
        small_artifact(tmp_path_factory.mktemp("artifact") / "model"), "attrition:tag", ""
    )


def answered(served: Served, place: str, records: list[dict[str, Any]]) -> list[str]:
    """Ask a service that keeps its log at a place; the ids of its answers, and one opinion."""
    app, ends = process.start(served, Settings(prediction_log=place))
    with client(app) as asked:
        answers = asked.post("/predict_batch?reasons=0", json=records).json()
        asked.post("/feedback", json={"id": answers[0]["id"], "useful": True})
    for end in ends:
        end()
    return [answer["id"] for answer in answers]


def read(
    served: Served, log: PredictionLog, outcomes: dict[str, tuple[int, int]], digest: str = ""
) -> tuple[list[Block], Passed]:
    passed = Passed()
    found = [
        block
        for day in log.days()
        for block in blocks(
            log,
            day,
            served.model.contract,
            digest or served.digests.model,
            Settled(outcomes),
            passed,
        )
    ]
    return found, passed


def test_what_a_service_wrote_is_read(served: Served, tmp_path: Path) -> None:
    record = dict(example(served.model.contract))
    ids = answered(served, str(tmp_path), [record | {"age": 20 + at} for at in range(5)])
    log = open_log(str(tmp_path))
    [day] = log.days()
    assert day.day == datetime.datetime.now(datetime.UTC).date().isoformat()
    [block], passed = read(served, log, {ids[1]: (1, 7), ids[4]: (0, 9)})
    assert block.columns["age"] == pytest.approx(np.arange(20.0, 25.0))
    assert block.columns["job_level"] == [record["job_level"]] * 5
    assert block.outcomes.tolist() == [NONE, 1, NONE, NONE, 0]
    assert block.known.tolist() == [0, 7, 0, 0, 9]
    assert (block.flagged == (block.probabilities >= served.model.threshold)).all()
    now = datetime.datetime.now(datetime.UTC).timestamp()
    assert abs(block.times - now).max() < 600
    assert passed == Passed()


def test_a_value_that_was_not_sent_is_missing(served: Served, tmp_path: Path) -> None:
    record = dict(example(served.model.contract))
    del record["distance_from_home"]
    answered(served, str(tmp_path), [record])
    [block], _ = read(served, open_log(str(tmp_path)), {})
    assert np.isnan(block.columns["distance_from_home"]).all()


def test_a_store_is_read_as_a_folder_is(served: Served) -> None:
    place = "memory://monitored"
    answered(served, place, [dict(example(served.model.contract))] * 3)
    found, _ = read(served, open_log(place), {})
    assert sum(len(block.times) for block in found) == 3
    fsspec.filesystem("memory").rm("/monitored", recursive=True)


def test_another_model_is_passed_over_and_counted(served: Served, tmp_path: Path) -> None:
    answered(served, str(tmp_path), [dict(example(served.model.contract))] * 3)
    found, passed = read(served, open_log(str(tmp_path)), {}, "sha256:other")
    assert (found, passed.others) == ([], 3)


def test_the_size_of_a_block_changes_nothing(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = dict(example(served.model.contract))
    answered(served, str(tmp_path), [record | {"age": 20 + at} for at in range(9)])
    monkeypatch.setattr(prediction_days, "_BYTES", 500)
    found, _ = read(served, open_log(str(tmp_path)), {})
    assert len(found) > 1
    ages = np.concatenate([block.columns["age"] for block in found])
    assert ages == pytest.approx(np.arange(20.0, 29.0))


def test_no_folder_is_a_mistake_and_an_empty_one_has_no_days(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no prediction log in"):
        open_log(str(tmp_path / "none"))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        open_log(str(tmp_path / "file"))
    (tmp_path / "predictions-notes.jsonl").write_text("{}")
    assert open_log(str(tmp_path)).days() == []


def test_a_file_that_its_service_removed_meanwhile_is_not_there(
    served: Served, tmp_path: Path
) -> None:
    answered(served, str(tmp_path), [dict(example(served.model.contract))])
    log = open_log(str(tmp_path))
    for file in tmp_path.glob("*.jsonl"):
        file.unlink()
    assert read(served, log, {})[0] == []


def test_requests_that_were_refused_are_counted_by_column(served: Served, tmp_path: Path) -> None:
    record = example(served.model.contract)
    app, ends = process.start(served, Settings(prediction_log=str(tmp_path)))
    with client(app) as asked:
        asked.post("/predict", json=record)
        asked.post("/predict", json=record | {"age": 3})
        asked.post("/predict_batch", json=[record | {"age": 3, "overtime": "sometimes"}])
    for end in ends:
        end()
    found, passed = read(served, open_log(str(tmp_path)), {})
    assert sum(len(block.times) for block in found) == 1
    assert (passed.refused, passed.fields) == (2, {"Age": 2, "Overtime": 1})
    _, others = read(served, open_log(str(tmp_path)), {}, "sha256:" + "0" * 64)
    assert (others.refused, others.others) == (0, 1)
