"""The prediction log: every answer a line, nothing that must not be kept, nothing lost in silence,
people forgotten.
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from msgspec import UNSET
from support.asgi import Client
from support.asgi import client as connected
from support.model_artifacts import MODEL, small_artifact

from bento import process
from bento.answers import Served, answer, load_served
from bento.http.records import Reader
from bento.ops.prediction_log import PredictionLog, _Elsewhere, _Folder, locked
from bento.ops.settings import Settings
from flows.adapters.prediction_log import forget
from flows.cli.serving.forget import run_forget
from flows.project import settings
from sluice.errors import UsageError
from sluice.served.contract import Column, load_contract
from sluice.served.encoding import InvalidFields
from sluice.served.predictions import person_hash, person_id, sampled

SALT = "salt of the sea"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return load_served(
        small_artifact(tmp_path_factory.mktemp("artifact") / "model"), "attrition:tag", ""
    )


@pytest.fixture(scope="module")
def record(served: Served) -> dict[str, Any]:
    from bento.openapi import example

    return example(served.model.contract)


@contextmanager
def service(served: Served, place: Path | str, **given: Any) -> Iterator[Client]:
    app, ends = process.start(served, Settings(prediction_log=str(place), log_salt=SALT, **given))
    try:
        with connected(app) as client:
            yield client
    finally:
        for end in ends:
            end()


def lines(folder: Path) -> list[dict[str, Any]]:
    found = [
        path.read_text().split("\n")[:-1] for path in sorted(folder.glob("predictions-*.jsonl"))
    ]
    return [json.loads(line) for part in found for line in part]


def test_every_answer_is_a_line(served: Served, record: Any, tmp_path: Path) -> None:
    published = {column.name: record[column.key] for column in served.model.contract.features}
    with service(served, tmp_path) as client:
        single = client.post(
            "/predict", json=record, headers={"x-request-id": "r-1", "x-row-id": "4711"}
        ).json()
        many = client.post("/predict_batch?reasons=0", json=[published, record]).json()
        client.post("/predict", json=record | {"age": 3})
    kept = {line["id"]: line for line in lines(tmp_path) if line["kind"] == "prediction"}
    assert set(kept) == {single["id"], *(answer["id"] for answer in many)}
    line = kept[single["id"]]
    assert line["kind"] == "prediction"
    assert line["inputs"] == kept[many[0]["id"]]["inputs"] == record
    assert (line["request"], line["person"]) == ("r-1", person_hash(SALT, "4711"))
    assert {line[key] for key in ("model_digest", "contract_digest")} == {
        served.digests.model,
        served.digests.contract,
    }
    assert all(
        line[key] == single[key]
        for key in ("probability", "prediction", "tier", "threshold", "model")
    )
    assert line["time"].endswith("Z")


def test_of_a_request_with_wrong_fields_only_the_columns_are_kept(
    served: Served, record: Any, tmp_path: Path
) -> None:
    wrong = record | {"age": 3, "overtime": "sometimes", "shoe size": 44}
    with service(served, tmp_path) as client:
        assert (
            client.post("/predict", json=wrong, headers={"x-request-id": "r-1"}).status_code == 400
        )
        client.post("/predict_batch", json=[record, record | {"age": 3}, record | {"age": 2}])
        client.post("/predict", content=b"{")
    one, many = lines(tmp_path)
    assert one.pop("time")[:2] == "20"
    assert one == {
        "kind": "refused",
        "request": "r-1",
        "columns": ["Age", "Overtime", "(unknown)"],
        "model_digest": served.digests.model,
        "contract_digest": served.digests.contract,
    }
    assert many["columns"] == ["Age"]


def test_what_must_not_be_kept_is_not(served: Served, record: Any, tmp_path: Path) -> None:
    with service(served, tmp_path) as client:
        client.post("/predict", json=record, headers={"x-row-id": "4711"})
        client.post("/predict", json=record | {"gender": "Female"})
    text = "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert "4711" not in text
    protected = {column.key for column in served.model.contract.role("protected")}
    assert protected
    kept, refused = lines(tmp_path)
    assert not protected & set(kept["inputs"])
    assert (refused["kind"], refused["columns"]) == ("refused", ["Gender"])
    assert "Female" not in text


def test_without_a_salt_nobody_is_named(served: Served, record: Any, tmp_path: Path) -> None:
    app, ends = process.start(served, Settings(prediction_log=str(tmp_path)))
    with connected(app) as client:
        client.post("/predict", json=record, headers={"x-row-id": "4711"})
    for end in ends:
        end()
    assert ["person" in line for line in lines(tmp_path)] == [False]


def test_a_sample_is_a_share_of_the_answers(served: Served, record: Any, tmp_path: Path) -> None:
    with service(served, tmp_path, log_sample=0.2) as client:
        ids = [
            answer["id"]
            for answer in client.post("/predict_batch?reasons=0", json=[record] * 1000).json()
        ]
    kept = {line["id"] for line in lines(tmp_path)}
    assert kept == {name for name in ids if sampled(name, 0.2)}
    assert 120 < len(kept) < 280


def test_what_does_not_fit_is_counted(served: Served, record: Any, tmp_path: Path) -> None:
    with service(served, tmp_path, log_queue=10) as client:
        client.post("/predict_batch?reasons=0", json=[record] * 50)
        text = client.get("/metrics").text
    assert len(lines(tmp_path)) == 10
    assert 'sluice_prediction_log_lines_total{outcome="queue_full"} 40.0' in text


def test_a_log_that_cannot_be_written_does_not_stop_the_service(
    served: Served, record: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    app, ends = process.start(served, Settings(prediction_log=str(folder)))
    folder.rename(tmp_path / "gone")
    with connected(app) as client:
        assert client.post("/predict", json=record).status_code == 200
    for end in ends:
        end()
    assert app.log.counts == {"written": 0, "queue_full": 0, "write_failed": 1}


def test_files_are_rotated_and_old_ones_removed(
    served: Served, record: Any, tmp_path: Path
) -> None:
    for name in (
        "predictions-20010101-aaaa-0.jsonl",
        "predictions-29990101-aaaa-0.jsonl",
        "other-20010101.jsonl",
    ):
        (tmp_path / name).write_text("{}\n")
    with service(served, tmp_path, log_rotate_bytes=1000, log_retention_days=30) as client:
        for _ in range(2):
            client.post("/predict_batch?reasons=0", json=[record] * 5)
            time.sleep(0.8)
    names = {path.name for path in tmp_path.glob("*.jsonl")}
    assert {"predictions-29990101-aaaa-0.jsonl", "other-20010101.jsonl"} <= names
    assert "predictions-20010101-aaaa-0.jsonl" not in names
    assert len(names) == 4


def test_an_object_that_another_worker_removed_meanwhile_stops_no_clean_up() -> None:
    place = "memory://predictions/two-workers"
    log = _Elsewhere(Settings(prediction_log=place))
    system, root = fsspec.core.url_to_fs(place)
    old = f"{root}/predictions-20010102-aaaa-0.jsonl"
    system.pipe_file(old, b"{}\n")
    listed = [f"{root}/predictions-20010101-aaaa-0.jsonl", old]
    log._system = SimpleNamespace(glob=lambda _: listed, rm_file=system.rm_file)
    log.retain()
    assert not system.exists(old)


def test_nothing_is_removed_for_its_age_while_a_person_is_forgotten(tmp_path: Path) -> None:
    """Who forgets writes a file anew, and would bring back one that went meanwhile."""
    old = tmp_path / "predictions-20010101-aaaa-0.jsonl"
    old.write_text("{}\n")
    cleaning = Thread(target=_Folder(Settings(prediction_log=str(tmp_path))).retain)
    with locked(tmp_path):
        cleaning.start()
        cleaning.join(0.5)
        assert old.exists()
    cleaning.join()
    assert not old.exists()


def test_opinions_are_kept_with_the_id_of_the_answer(
    served: Served, record: Any, tmp_path: Path
) -> None:
    with service(served, tmp_path) as client:
        answer = client.post("/predict", json=record).json()
        opinion = {"id": answer["id"], "agrees": False, "why": "She has just signed for two years."}
        assert client.post("/feedback", json=opinion).json() == {"kept": True}
        for wrong in (
            {},
            opinion | {"id": 5},
            opinion | {"agrees": "no"},
            opinion | {"why": "x" * 2001},
            opinion | {"more": 1},
            opinion | {"id": "a b"},
        ):
            refused = client.post("/feedback", json=wrong)
            assert refused.status_code == 400
            assert all(
                {"field", "value", "allowed"} <= set(field) for field in refused.json()["fields"]
            )
        assert 'sluice_feedback_total{agrees="false"} 1.0' in client.get("/metrics").text
    [kept] = [line for line in lines(tmp_path) if line["kind"] == "feedback"]
    assert opinion.items() <= kept.items()


def test_without_a_log_an_opinion_is_not_taken(served: Served) -> None:
    with service(served, "") as client:
        assert client.post("/feedback", json={"id": "abc", "agrees": True}).status_code == 409


def test_a_person_is_forgotten(
    served: Served, record: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    with service(served, tmp_path) as client:
        for person in ("4711", "4711", "12"):
            answer = client.post("/predict", json=record, headers={"x-row-id": person}).json()
            client.post("/feedback", json={"id": answer["id"], "agrees": True})
        client.post("/predict", json=record)
    [path] = tmp_path.glob("predictions-*.jsonl")
    path.write_text(path.read_text() + '{"half a li')
    monkeypatch.setenv("SLUICE_LOG_SALT", SALT)
    assert run_forget(settings.load(), "4711", str(tmp_path)) == 0
    assert "4 lines" in capsys.readouterr().out
    kept = path.read_text().splitlines()
    assert kept[-1] == '{"half a li'
    assert [
        json.loads(line).get("person") for line in kept[:-1] if '"prediction"' in line.split(",")[0]
    ] == [
        person_hash(SALT, "12"),
        None,
    ]
    assert sum('"feedback"' in line for line in kept) == 1
    assert forget(str(tmp_path), person_hash(SALT, "4711")) == 0
    monkeypatch.delenv("SLUICE_LOG_SALT")
    with pytest.raises(UsageError, match="SLUICE_LOG_SALT"):
        run_forget(settings.load(), "4711", str(tmp_path))
    with pytest.raises(UsageError, match="there is no prediction log in"):
        forget(str(tmp_path / "none"), "x")


def test_people_of_a_list_and_of_a_table_are_forgotten(
    served: Served, record: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    contract = served.model.contract
    published = {column.name: record[column.key] for column in contract.features}
    many = [record | {"employee_id": 4711}, record | {"employee_id": 12}, record]
    names = ",".join(["Employee ID", *published])
    table = "\n".join(
        [
            names,
            *(f"{number},{','.join(map(str, published.values()))}" for number in ("4711.0", "12")),
        ]
    )
    with service(served, tmp_path) as client:
        answers = client.post("/predict_batch", json=many).json()
        client.post("/predict_batch", json=[published | {"Employee ID": 4711.0}])
        client.post(
            "/predict", json=record | {"employee_id": 4711}, headers={"x-row-id": "0004711"}
        )
        assert client.post("/rows", files={"file": ("p.csv", table, "text/csv")}).status_code == 200
        client.post(
            "/feedback", json={"id": answers[0]["id"], "agrees": False, "why": "She told\u2028me."}
        )
    assert "4711" not in "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert not any(
        {"employee_id", "Employee ID"} & set(line.get("inputs", ())) for line in lines(tmp_path)
    )
    monkeypatch.setenv("SLUICE_LOG_SALT", SALT)
    assert run_forget(settings.load(), "4711", str(tmp_path)) == 0
    assert "5 lines" in capsys.readouterr().out
    assert [line.get("person") for line in lines(tmp_path)] == [
        person_hash(SALT, "12"),
        None,
        person_hash(SALT, "12"),
    ]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (Column("Id", "id", "integer", "id", minimum=1, maximum=99), 7.0, "7"),
        (Column("Id", "id", "integer", "id", minimum=1, maximum=99), 7.5, None),
        (Column("Id", "id", "integer", "id", minimum=1, maximum=99), 100, None),
        (Column("Id", "id", "integer", "id", minimum=1, maximum=99), float("inf"), None),
        (Column("Id", "id", "number", "id", minimum=0, maximum=9), 1.5, "1.5"),
        (Column("Id", "id", "category", "id"), " E-17 ", "E-17"),
        (Column("Id", "id", "category", "id"), " ", None),
        (Column("Id", "id", "category", "id"), 7, None),
        (Column("Id", "id", "category", "id", values=("a", "b")), "c", None),
    ],
)
def test_an_id_is_one_text_however_it_is_written(
    column: Column, value: Any, said: str | None
) -> None:
    assert person_id(column, value) == said


def test_an_id_may_be_a_text(record: Any) -> None:
    text = (MODEL / "contract.toml").read_text()
    head, found, rest = text.partition(
        '[columns."Employee ID"]\nkind = "integer"\nrole = "id"\nminimum = 1\n'
    )
    assert found
    given = load_contract(
        head + '[columns."Employee ID"]\nkind = "category"\nrole = "id"\n' + rest.partition("\n")[2]
    )
    read = Reader(given)
    assert read.one(json.dumps(record | {"employee_id": "E-17"}).encode())[2] == "E-17"
    many = json.dumps(
        [record | {"employee_id": " E-17 "}, record | {"employee_id": "E:18"}, record]
    ).encode()
    assert asyncio.run(read.many(many, 3)).ids == ["E-17", "E:18", ""]
    for wrong in ("", " ", "x" * 201, 17):
        with pytest.raises(InvalidFields):
            read.one(json.dumps(record | {"employee_id": wrong}).encode())


def test_while_the_service_writes_people_are_forgotten(
    served: Served, record: Any, tmp_path: Path
) -> None:
    values = served.reader.records([record]).values[0]
    log = PredictionLog(
        Settings(prediction_log=str(tmp_path), log_salt=SALT), served.model.contract, {}
    )
    for number in range(400):
        log.answer(
            answer(served, f"a{number}", 0.5, UNSET), values, "r", "4711" if number % 2 else "12"
        )
        if number % 50 == 0:
            log._write()
            forget(str(tmp_path), person_hash(SALT, "4711"))
    log.stop()
    forget(str(tmp_path), person_hash(SALT, "4711"))
    assert sorted(line["id"] for line in lines(tmp_path)) == sorted(
        f"a{number}" for number in range(0, 400, 2)
    )


def test_an_object_store_gets_objects(served: Served, record: Any) -> None:
    place = "memory://predictions/attrition"
    with service(served, place) as client:
        client.post("/predict", json=record, headers={"x-row-id": "4711"})
        client.post("/predict", json=record, headers={"x-row-id": "12"})
    system, root = fsspec.core.url_to_fs(place)
    [path] = system.glob(f"{root}/predictions-*.jsonl")
    assert len(system.cat_file(path).splitlines()) == 2
    assert forget(place, person_hash(SALT, "4711")) == 1
    assert forget(place, person_hash(SALT, "12")) == 1
    assert system.glob(f"{root}/predictions-*.jsonl") == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_no_other_user_of_the_machine_reads_it(
    served: Served, record: Any, tmp_path: Path, umask: int
) -> None:
    folder = tmp_path / "above" / "log"
    before = os.umask(umask)
    try:
        with service(served, folder) as client:
            client.post("/predict", json=record)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [*folder.iterdir()]
    assert {path.name.partition("-")[0] for path in files} == {".lock", "predictions"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_what_an_older_version_wrote_for_everybody_is_closed(
    served: Served, record: Any, tmp_path: Path
) -> None:
    old = tmp_path / f"predictions-{time.strftime('%Y%m%d')}-0a-0.jsonl"
    old.write_text("{}\n")
    old.chmod(0o644)
    other = tmp_path / "of-somebody-else.txt"
    other.touch(0o644)
    mode = tmp_path.stat().st_mode
    with service(served, tmp_path):
        pass
    assert old.stat().st_mode & 0o777 == 0o600
    assert other.stat().st_mode & 0o777 == 0o644
    assert tmp_path.stat().st_mode == mode  # a folder that was there may be anybody's


def test_forgetting_leaves_the_log_to_its_owner(
    served: Served, record: Any, tmp_path: Path
) -> None:
    with service(served, tmp_path) as client:
        for person in ("4711", "4712"):
            client.post("/predict", json=record, headers={"x-row-id": person})
    assert forget(str(tmp_path), person_hash(SALT, "4711")) == 1
    assert len(lines(tmp_path)) == 1
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
