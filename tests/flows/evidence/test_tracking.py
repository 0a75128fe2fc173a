"""MLflow, for real on SQLite: one run a release however often it is logged, and nothing lost when a
server is away.
"""

import json
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from support.environment import kept

from flows.adapters.tracking import (
    Live,
    Logged,
    Record,
    TrackedData,
    log_live,
    log_pending,
    log_release,
    move_alias,
)
from flows.engine.outcome import EXIT, Outcome
from flows.evidence.tracking import run_name, without_home
from sluice.model.fit.training import trial_of

TRIALS = tuple(
    trial_of(number, "logistic_regression", {"C": number / 10}, [(score, score)])
    for number, score in enumerate([0.7, 0.8, 0.75])
)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'state' / 'mlflow.db'}"


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with kept():
        yield


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path | bytes]:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.onnx").write_bytes(b"onnx")
    (tmp_path / "page.html").write_text("<p>page</p>", encoding="utf-8")
    return {"model": model, "evidence.html": tmp_path / "page.html", "pictures/roc.svg": b"<svg/>"}


def record(key: str, aliases: tuple[str, ...] = ("candidate",)) -> Record:
    return Record(
        key=key,
        model="attrition",
        name=f"tag-{key}",
        params={"threshold": 0.44},
        metrics={"recall": 0.76},
        tags={"verdict": "PROMOTE"},
        trials=TRIALS,
        aliases=aliases,
    )


@pytest.mark.parametrize(
    ("outcome", "release", "verdict", "name"),
    [
        ("promoted", 3, "PROMOTE", "release 3, PROMOTE"),
        ("nothing to do", 3, "PROMOTE", "release 3, PROMOTE"),
        ("promoted", 4, "HOLD", "release 4, HOLD"),  # by an override
        ("proposed", 5, "PROMOTE", "release 5 proposed, PROMOTE"),
        ("hold", 0, "HOLD", "not released: HOLD"),
        ("refused", 0, "REJECT", "not released: REJECT"),
        ("refused", 0, "INSUFFICIENT", "not released: INSUFFICIENT"),
        ("superseded", 6, "PROMOTE", "not released: superseded"),
        ("held", 6, "PROMOTE", "not released: held"),
        ("parked", 6, "PROMOTE", "not released: parked"),
        ("no builder", 0, "PROMOTE", "not released: no builder"),
        ("quarantined", 0, "PROMOTE", "not released: quarantined"),
    ],
)
def test_a_run_is_named_by_release_and_verdict(
    outcome: str, release: int, verdict: str, name: str
) -> None:
    ended = Outcome(outcome, "why", "attrition", verdict=verdict, release=release)
    assert outcome in EXIT
    assert run_name(ended) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("file:/home/ann/churn.csv", "file:~/churn.csv"),
        ("file:/home/ann/a/b.csv", "file:~/a/b.csv"),
        ("file:/home/anna/churn.csv", "file:/home/anna/churn.csv"),
        ("file:data/churn.csv", "file:data/churn.csv"),
        ("sample:models.attrition.sample", "sample:models.attrition.sample"),
        ("churn.csv", "churn.csv"),
    ],
)
def test_data_are_named_without_the_home_of_a_person(name: str, shown: str) -> None:
    assert without_home(name, Path("/home/ann")) == shown


def test_a_run_says_what_it_was_made_from_and_how_it_ended_last(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    """The verdict came first, where no image could be built; the same key was released later."""
    data = TrackedData("people.csv", "ab" * 32, 1200)
    before = msgspec.structs.replace(
        record("later"), name="not released: no builder", data=data, source="c" * 40
    )
    released = msgspec.structs.replace(
        before, name="release 3, PROMOTE", tags={"release": "3", "image": "host/attrition:t"}
    )
    for one in (before, released):
        logged = log_release(uri, one, files, tmp_path / "pending")
    assert logged.run_id is not None
    mlflow = client(uri)
    run = mlflow.get_run(logged.run_id)
    assert run.info.run_name == "release 3, PROMOTE"
    tags = run.data.tags
    assert (tags["release"], tags["image"]) == ("3", "host/attrition:t")
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["mlflow.source.name"] == "sluice release attrition"
    [made_from] = run.inputs.dataset_inputs
    assert (made_from.dataset.name, made_from.dataset.digest) == ("people.csv", "ab" * 6)
    assert json.loads(made_from.dataset.profile) == {"num_rows": 1200}
    experiment = mlflow.get_experiment_by_name("attrition")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


LONG = f"{'x/' * 2000}people.csv"


@pytest.mark.parametrize("name", [LONG, "p\u202evsc.csv", "a\x1b[2J\n.csv", "b\udcff.csv"])
def test_no_name_keeps_a_release_from_being_logged(
    name: str, uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    """One that cannot be logged would be kept for ever, and all that come after it."""
    odd = msgspec.structs.replace(
        record(f"odd{len(name)}"),
        name=name,
        data=TrackedData(name, "ab" * 32, 1),
        tags={"dataset": name},
    )
    logged = log_release(uri, odd, files, tmp_path / "pending")
    assert logged.run_id is not None, logged.sentence
    run = client(uri).get_run(logged.run_id)
    [made_from] = run.inputs.dataset_inputs
    for shown in (run.info.run_name, made_from.dataset.name, run.data.tags["dataset"]):
        assert shown.replace("\n", " ").isprintable()
    assert made_from.dataset.name.endswith(".csv")


def client(uri: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_a_release_is_logged_with_everything(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    logged = log_release(
        uri, record("full", aliases=("candidate", "champion")), files, tmp_path / "pending"
    )
    assert logged.run_id is not None and logged.run_id in logged.sentence
    mlflow = client(uri)
    run = mlflow.get_run(logged.run_id)
    assert run.data.metrics["recall"] == 0.76 and run.data.params == {"threshold": "0.44"}
    assert run.data.tags["verdict"] == "PROMOTE" and run.info.status == "FINISHED"
    assert [m.value for m in mlflow.get_metric_history(logged.run_id, "best_score")] == [
        0.7,
        0.8,
        0.8,
    ]
    children = trials_of(mlflow, logged.run_id)
    assert sorted(child.data.metrics["score"] for child in children) == [0.7, 0.75, 0.8]
    assert {child.data.params["family"] for child in children} == {"logistic_regression"}
    names = {artifact.path for artifact in mlflow.list_artifacts(logged.run_id)}
    assert names == {"model", "evidence.html", "pictures"}
    champion = mlflow.get_model_version_by_alias("attrition", "champion")
    assert champion.run_id == logged.run_id
    assert not (tmp_path / "pending").exists()
    assert not list(Path.cwd().glob("mlruns"))


def test_an_alias_goes_back_to_an_earlier_release(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    runs = [
        log_release(uri, record(key, aliases=("champion",)), files, tmp_path / "pending").run_id
        for key in ("one", "two")
    ]
    mlflow = client(uri)
    assert mlflow.get_model_version_by_alias("attrition", "champion").run_id == runs[1]
    for _ in range(2):
        assert move_alias(uri, "attrition", "one", "champion") == ""
        assert mlflow.get_model_version_by_alias("attrition", "champion").run_id == runs[0]
    assert "no version" in move_alias(uri, "attrition", "three", "champion")
    assert mlflow.get_model_version_by_alias("attrition", "champion").run_id == runs[0]
    assert "does not know it yet" in move_alias("http://127.0.0.1:9", "attrition", "one", "x")


def test_the_same_release_again_is_the_same_run(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    first, again = (
        log_release(uri, record("twice"), files, tmp_path / "pending") for _ in range(2)
    )
    mlflow = client(uri)
    assert first == again and first.run_id is not None
    assert len(trials_of(mlflow, first.run_id)) == 3
    assert (
        len(
            [
                v
                for v in mlflow.search_model_versions("name = 'attrition'")
                if v.run_id == first.run_id
            ]
        )
        == 1
    )


def test_a_run_that_was_left_half_written_is_completed(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    log_release(uri, record("before"), files, tmp_path / "pending")
    mlflow = client(uri)
    experiment = mlflow.get_experiment_by_name("attrition").experiment_id
    half = mlflow.create_run(experiment, tags={"sluice.key": "half"}).info.run_id
    child = {"mlflow.parentRunId": half, "sluice.trial": "0"}
    mlflow.create_run(experiment, tags=child)
    done = mlflow.create_run(experiment, tags={**child, "sluice.trial": "1"}).info.run_id
    mlflow.log_metric(done, "score", 0.8)
    mlflow.set_terminated(done)
    logged = log_release(uri, record("half"), files, tmp_path / "pending")
    assert logged.run_id == half
    children = trials_of(mlflow, half)
    assert sorted(run.data.tags["sluice.trial"] for run in children) == ["0", "1", "2"]
    assert done in {run.info.run_id for run in children}
    assert mlflow.get_run(half).info.status == "FINISHED"


def test_an_empty_uri_turns_tracking_off(files: dict[str, Path | bytes], tmp_path: Path) -> None:
    logged = log_release("", record("off"), files, tmp_path / "pending")
    assert logged.run_id is None and "off" in logged.sentence
    assert not (tmp_path / "pending").exists()
    assert log_pending("", tmp_path / "pending") == []


def test_a_server_that_is_down_delays_nothing_and_loses_nothing(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path, silent: str
) -> None:
    pending = tmp_path / "pending"
    for key, server in (("down", "http://127.0.0.1:9"), ("silent", silent)):
        started = time.monotonic()
        logged = log_release(server, record(key), files, pending)
        assert time.monotonic() - started < 4
        assert logged.run_id is None and str(pending / key) in logged.sentence
    assert (pending / "down" / "files" / "pictures" / "roc.svg").read_bytes() == b"<svg/>"
    later = log_pending(uri, pending)
    assert [entry.run_id is not None for entry in later] == [True, True]
    assert not list(pending.iterdir())
    names = {artifact.path for artifact in client(uri).list_artifacts(later[0].run_id)}
    assert names == {"model", "evidence.html", "pictures"}


def test_a_server_that_is_still_down_keeps_what_is_pending(
    files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    pending = tmp_path / "pending"
    for key in ("one", "two"):
        log_release("http://127.0.0.1:9", record(key), files, pending)
    assert [entry.run_id for entry in log_pending("http://127.0.0.1:9", pending)] == [None]
    assert sorted(path.name for path in pending.iterdir()) == ["one", "two"]


def test_of_two_releases_at_once_each_finds_what_the_other_left(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    pending = tmp_path / "pending"
    keys = {f"both{number}" for number in range(4)}
    for key in sorted(keys):
        log_release("http://127.0.0.1:9", record(key), files, pending)
    with ThreadPoolExecutor(2) as releases:
        logged = list(releases.map(lambda _: log_pending(uri, pending), range(2)))
    runs = [entry.run_id for entries in logged for entry in entries]
    assert None not in runs
    assert len(set(runs)) == len(runs) == len(keys)  # each once, by whoever came first
    assert not list(pending.iterdir())


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]", b'{"key": 3}'])
def test_a_record_that_cannot_be_read_is_left_and_stops_no_other(
    uri: str, tmp_path: Path, content: bytes
) -> None:
    pending = tmp_path / "pending"
    (pending / "broken").mkdir(parents=True)
    (pending / "broken" / "record.json").write_bytes(content)
    log_release("http://127.0.0.1:9", record("whole"), {}, pending)
    logged = log_pending(uri, pending)
    assert sorted(entry.run_id is not None for entry in logged) == [False, True]
    [sentence] = [entry.sentence for entry in logged if entry.run_id is None]
    assert sentence.startswith("Not tracked: ") and "record.json" in sentence
    assert [path.name for path in pending.iterdir()] == ["broken"]


def test_a_record_that_waits_has_its_fields_in_this_order(tmp_path: Path) -> None:
    log_release("http://127.0.0.1:9", record("waits"), {}, tmp_path)
    written = json.loads((tmp_path / "waits" / "record.json").read_text(encoding="utf-8"))
    assert list(written) == [
        "key",
        "model",
        "name",
        "params",
        "metrics",
        "tags",
        "trials",
        "aliases",
        "data",
        "source",
    ]
    assert msgspec.convert(written, Record) == record("waits")


def test_a_server_that_fails_is_a_server_that_is_down(tmp_path: Path, failing: str) -> None:
    logged = log_release(failing, record("bad"), {}, tmp_path / "pending")
    assert isinstance(logged, Logged) and logged.run_id is None
    assert "503" in logged.sentence


def test_a_server_that_hangs_half_way_is_given_up(
    tmp_path: Path, hanging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    started = time.monotonic()
    logged = log_release(hanging, record("half-way"), {}, tmp_path / "pending")
    assert logged.run_id is None and (tmp_path / "pending" / "half-way" / "record.json").exists()
    assert time.monotonic() - started < 6


def trials_of(mlflow: Any, parent: str) -> list[Any]:
    experiment = mlflow.get_experiment_by_name("attrition").experiment_id
    return list(mlflow.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'"))


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a request and never answers it."""
    yield from _server({}, seconds=5.0)


@pytest.fixture
def failing() -> Iterator[str]:
    yield from _server({"/health": 503})


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that says it is well and then answers nothing."""
    yield from _server({"/health": 200}, seconds=5.0)


def _server(answers: dict[str, int], seconds: float = 0.0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in answers:
                time.sleep(seconds)
                return
            self.send_response(answers[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_live_figures_are_on_the_version_of_their_release_once_a_day(
    uri: str, files: dict[str, Path | bytes], tmp_path: Path
) -> None:
    released = msgspec.structs.replace(record("live"), model="lives", tags={"release": "7"})
    other = msgspec.structs.replace(record("other"), model="lives", tags={"release": "8"})
    run = log_release(uri, released, files, tmp_path / "pending").run_id
    log_release(uri, other, files, tmp_path / "pending")
    for day, recall in (("2026-11-01", 0.74), ("2026-11-01", 0.1), ("2026-11-02", 0.7)):
        told = log_live(uri, Live("lives", 7, day, "fine", {"recall": recall}))
        assert told == "Tracked on version 1 of lives."
    mlflow = client(uri)
    assert [point.value for point in mlflow.get_metric_history(run, "live_recall")] == [0.74, 0.7]
    version = mlflow.get_model_version("lives", "1")
    assert version.tags == {"monitor_day": "2026-11-02", "monitor_verdict": "fine"}
    assert mlflow.get_model_version("lives", "2").tags == {}
    missing = log_live(uri, Live("lives", 9, "2026-11-02", "fine", {}))
    assert missing == "Not tracked: no version of release 9 of lives is registered."


def test_live_figures_wait_for_no_server(failing: str) -> None:
    assert log_live("", Live("m", 1, "2026-11-02", "act", {})).startswith("Tracking is off")
    assert log_live(failing, Live("m", 1, "2026-11-02", "act", {})).startswith("Not tracked (")
