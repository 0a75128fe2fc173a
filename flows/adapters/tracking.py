"""MLflow: a run for each release, a child run for each trial, a version of the model with aliases.

The key of a release identifies its run, so logging it twice gives one run. A server that is down
delays nothing: the record is kept in a folder and logged the next time.
"""

import datetime
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from flows.adapters import machine_cache
from flows.adapters.plain_text import visible
from sluice.model.fit.tuning_file import Trial
from sluice.model.json_file import Unreadable, read_json

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

Files = Mapping[str, Path | bytes]

_PROBE_SECONDS = 2.0
_KEY, _DONE, _TRIAL = "sluice.key", "sluice.complete", "sluice.trial"
_TEXT = 6000  # characters that MLflow accepts as the value of a parameter
_NAME = 250  # characters that it keeps of a name
_LONGEST_CAUSE = 200  # characters of an error that a sentence repeats
_RECORD = "record.json"
DATABASE = "sqlite:///"
_DIGEST = 12  # characters of a hash that MLflow shows beside the name of a dataset
# Its pages show an experiment of this kind as runs with metrics; without it, as traces of prompts.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
# What MLflow reads of the environment, wherever it runs for us.
ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # What a slow server did not accept is kept and logged the next time.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout belongs to the command
}


class TrackedData(Struct, frozen=True):
    """The data of a release, as MLflow names a dataset: how they are called, the SHA-256 of their
    bytes, and how many rows they have.
    """

    name: str
    sha256: str
    rows: int


class Record(Struct, frozen=True):
    """What is logged of a release, and kept in record.json as long as the server is away.

    `key` identifies the release: the same key is the same run. `model` names the experiment and the
    registered model, `name` the run. `params`, `metrics` and `tags` have a value for each label.
    `aliases` are those of the version of the model; without any there is no version. `source` is
    the commit that it was made from, empty where there is none. An older Sluice kept records
    without `data` and `source`.
    """

    key: str
    model: str
    name: str
    params: dict[str, str | int | float]
    metrics: dict[str, float]
    tags: dict[str, str]
    trials: tuple[Trial, ...]
    aliases: tuple[str, ...]
    data: TrackedData | None = None
    source: str = ""


@dataclass(frozen=True)
class Logged:
    """Where a release was logged: its run, or None, and a sentence for a person."""

    run_id: str | None
    sentence: str


@dataclass(frozen=True)
class _Run:
    """A run of MLflow: whether it was logged to its end, and whether it was made now."""

    id: str
    experiment: str
    complete: bool
    new: bool


def log_release(uri: str, record: Record, files: Files, pending: Path) -> Logged:
    """Log one release: counts, curves and models, never a row of data.

    `uri` is a server, or `sqlite:///FILE` with the artifacts in a folder beside it; empty for off.
    `files` are logged below the run by their path: a Path of a file or a folder, or bytes. The one
    named `model` is registered. Never raises because of the server: what could not be logged is
    kept below `pending`.
    """
    if not uri:
        return Logged(None, "Tracking is off: the tracking URI is empty.")
    try:
        run_id = _send(uri, record, files)
    except Exception as error:  # noqa: BLE001  a release never fails, and never waits, for want of tracking
        with _alone(pending):
            return _not_yet(error, _keep(pending, record, files))
    with _alone(pending):
        shutil.rmtree(pending / record.key, ignore_errors=True)
    return _tracked(run_id)


def move_alias(uri: str, model: str, key: str, alias: str) -> str:
    """Move an alias of a model to the version that the release of this key made; a sentence where
    something is to be told, else empty. Never raises because of the server.
    """
    try:
        _probe(uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in `_send`
            return _move_alias(_client(uri), model, key, alias)
    except Exception as error:  # noqa: BLE001  as in `log_release`
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f"MLflow does not know it yet ({lines[0][:_LONGEST_CAUSE]})."


def _move_alias(client: "MlflowClient", model: str, key: str, alias: str) -> str:
    experiment = client.get_experiment_by_name(model)
    places = [str(experiment.experiment_id)] if experiment else []
    name = key.replace("'", "")
    found = client.search_runs(places, f"tags.`{_KEY}` = '{name}'", max_results=1)
    run_id = str(found[0].info.run_id) if found else ""
    versions = client.search_model_versions(f"name = '{model}'")
    version = next((str(one.version) for one in versions if run_id and one.run_id == run_id), "")
    if not version:
        return "MLflow has no version of this release."
    aliases: dict[str, str] = client.get_registered_model(model).aliases
    if str(aliases.get(alias, "")) != version:
        client.set_registered_model_alias(model, alias, version)
    return ""


def log_pending(uri: str, pending: Path) -> list[Logged]:
    """Log what earlier releases kept below `pending`, oldest first; stop at the first that fails.

    Call it before the release at hand is logged, so that the aliases end at the newest. A record
    that cannot be read is left where it is, and its sentence says why. Of two releases at once the
    second one waits, and finds what the first one left.
    """
    if not uri or not pending.is_dir():
        return []
    logged: list[Logged] = []
    with _alone(pending):
        for path in sorted(pending.glob(f"*/{_RECORD}"), key=lambda path: path.stat().st_mtime):
            try:
                record = read_json(path.read_bytes(), Record, str(path))
            except Unreadable as error:
                logged.append(Logged(None, f"Not tracked: {error.what}."))
                continue
            logged.append(_log_kept(uri, record, path.parent))
            if logged[-1].run_id is None:
                break
    return logged


class Live(Struct, frozen=True):
    """How good a release is on a day: its number, the day, what the monitor says, and figures by
    name.
    """

    model: str
    release: int
    day: str
    verdict: str
    values: dict[str, float]


def log_live(uri: str, live: Live) -> str:
    """Log live figures on the version of a release, one point a day; a sentence for a person.

    The run that made the version has them as metrics over its days, the version has the newest day
    and verdict as tags. Never raises because of the server.
    """
    if not uri:
        return "Tracking is off: the tracking URI is empty."
    try:
        _probe(uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own use of what its dependencies deprecate
            return _log_live(_client(uri), live)
    except Exception as error:  # noqa: BLE001  nobody waits for want of tracking
        return f"Not tracked ({_cause(error)})."


def _log_live(client: "MlflowClient", live: Live) -> str:
    from mlflow.entities import Metric

    for version in client.search_model_versions(f"name = '{live.model}'"):
        run = client.get_run(version.run_id or "")
        if run.data.tags.get("release") == str(live.release):
            break
    else:
        return f"Not tracked: no version of release {live.release} of {live.model} is registered."
    noon = datetime.datetime.fromisoformat(f"{live.day}T12:00:00+00:00")
    step = noon.date().toordinal()
    new = [
        Metric(f"live_{name}", value, int(noon.timestamp() * 1000), step)
        for name, value in live.values.items()
        if step not in _steps(client, run.info.run_id, f"live_{name}")
    ]
    client.log_batch(run.info.run_id, metrics=new)
    for name, text in (("monitor_day", live.day), ("monitor_verdict", live.verdict)):
        client.set_model_version_tag(live.model, version.version, name, text)
    return f"Tracked on version {version.version} of {live.model}."


def _steps(client: "MlflowClient", run_id: str, name: str) -> set[int]:
    return {metric.step for metric in client.get_metric_history(run_id, name)}


def _log_kept(uri: str, record: Record, kept: Path) -> Logged:
    """Log what lies in the folder `kept`, and remove it."""
    files: dict[str, Path | bytes] = {file.name: file for file in (kept / "files").iterdir()}
    try:
        run_id = _send(uri, record, files)
    except Exception as error:  # noqa: BLE001  as in `log_release`
        return _not_yet(error, kept)
    shutil.rmtree(kept, ignore_errors=True)
    return _tracked(run_id)


@contextmanager
def _alone(pending: Path) -> Iterator[None]:
    """Whoever changes what is kept holds this lock: no other release sees it half-way."""
    with machine_cache.locked(pending.with_name(f".{pending.name}.lock")):
        yield


def _send(uri: str, record: Record, files: Files) -> str:
    """The run of a release on the server. Raises what MLflow and its server raise."""
    _probe(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own use of what its dependencies deprecate
        return _log(_client(uri), uri, record, files)


def _tracked(run_id: str) -> Logged:
    return Logged(run_id, f"Tracked as run {run_id}.")


def _not_yet(error: Exception, kept: Path) -> Logged:
    what = f"Not tracked yet ({_cause(error)}): kept in {kept}, logged at the next release."
    return Logged(None, what)


def _cause(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_LONGEST_CAUSE]


def _probe(uri: str) -> None:
    """Raise where a server does not answer within two seconds.

    MLflow itself would try for minutes.
    """
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    import httpx2

    answer = httpx2.get(uri.rstrip("/") + "/health", timeout=_PROBE_SECONDS)
    if answer.status_code >= 500:
        raise ConnectionError(f"{uri} answers {answer.status_code}")


def _client(uri: str) -> "MlflowClient":
    for name, text in ENVIRONMENT.items():
        os.environ.setdefault(name, text)
    database = database_of(uri)
    if database:
        database.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _log(client: "MlflowClient", uri: str, record: Record, files: Files) -> str:
    experiment = _experiment(client, uri, record.model)
    run = _run(client, experiment, record)
    _say_how_it_ended(client, run.id, record)
    if not run.complete:
        _values(client, run.id, record)
        logged: set[str] = set()
        if not run.new:
            logged = _logged_trials(client, experiment, run.id)
        _trials(client, run, record, logged)
        _dataset(client, run.id, record.data)
        for name, content in files.items():
            _artifact(client, run.id, name, content)
        client.set_tag(run.id, _DONE, "true")
        client.set_terminated(run.id)
    if record.aliases and "model" in files:
        _register(client, run.id, record)
    return run.id


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of the experiment of this name: made, or restored, if need be."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        place = artifacts(uri)
        return str(client.create_experiment(name, artifact_location=place, tags=EXPERIMENT_TAGS))
    identity = str(experiment.experiment_id)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(identity)
    for tag, text in EXPERIMENT_TAGS.items():
        if experiment.tags.get(tag) != text:
            client.set_experiment_tag(identity, tag, text)
    return identity


def artifacts(uri: str) -> str | None:
    """The folder beside a database file, as a URL; None where the server has a place of its own."""
    database = database_of(uri)
    if database is None:
        return None
    return (database.resolve().with_suffix("") / "artifacts").as_uri()


def database_of(uri: str) -> Path | None:
    """The file of a database on this machine; None for a server, and where tracking is off."""
    if not uri.startswith(DATABASE):
        return None
    return Path(uri.removeprefix(DATABASE))


def _run(client: "MlflowClient", experiment: str, record: Record) -> _Run:
    """The run with the key of this record, made if there is none."""
    key = record.key.replace("'", "")
    runs = client.search_runs([experiment], f"tags.`{_KEY}` = '{key}'", max_results=1)
    if runs:
        run_id = str(runs[0].info.run_id)
        return _Run(run_id, experiment, complete=_DONE in runs[0].data.tags, new=False)
    run = client.create_run(experiment, run_name=_named(record.name or key), tags={_KEY: key})
    return _Run(str(run.info.run_id), experiment, complete=False, new=True)


def _logged_trials(client: "MlflowClient", experiment: str, parent: str) -> set[str]:
    """The numbers of the trials below this run that were logged to their end; the others are
    deleted.
    """
    numbers = set()
    for run in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'"):
        if run.info.status == "FINISHED":
            numbers.add(run.data.tags.get(_TRIAL, ""))
        else:
            client.delete_run(run.info.run_id)
    return numbers


def _values(client: "MlflowClient", run_id: str, record: Record) -> None:
    """Log parameters and metrics of the run, and the scores of its trials one by one."""
    from mlflow.entities import Metric

    now = _now()
    metrics = _metrics(record.metrics, now)
    best = float("-inf")
    for trial in record.trials:
        best = max(best, trial.score)
        metrics.append(Metric("trial_score", trial.score, now, trial.number))
        metrics.append(Metric("best_score", best, now, trial.number))
    client.log_batch(run_id, metrics=metrics, params=_params(record.params))


def _say_how_it_ended(client: "MlflowClient", run_id: str, record: Record) -> None:
    """Name the run and its tags after the end that the release came to: a verdict that stopped for
    want of a builder has the same key when it is released later.
    """
    from mlflow.entities import RunTag

    tags = {
        **record.tags,
        "mlflow.runName": _named(record.name or record.key),
        "mlflow.source.name": f"sluice release {record.model}",
        "mlflow.source.type": "LOCAL",
    }
    if record.source:
        tags["mlflow.source.git.commit"] = record.source
    client.log_batch(
        run_id, tags=[RunTag(name, visible(text)[:_TEXT]) for name, text in tags.items()]
    )


def _named(text: str) -> str:
    """A name as MLflow takes it and its pages show it; of a long one, as of a path, the end."""
    shown = visible(text)
    return shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"


def _dataset(client: "MlflowClient", run_id: str, data: TrackedData | None) -> None:
    """Say which data the run was trained on, by name and hash."""
    if data is None:
        return
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=_named(data.name),
        digest=data.sha256[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": data.name}),
        profile=json.dumps({"num_rows": data.rows}),
    )
    context = InputTag("mlflow.data.context", "training")
    client.log_inputs(run_id, [DatasetInput(dataset, [context])])


def _trials(client: "MlflowClient", parent: _Run, record: Record, logged: set[str]) -> None:
    """A child run for each trial: MLflow's table and its parallel coordinates compare them."""
    for trial in record.trials:
        number = str(trial.number)
        if number in logged:
            continue
        name = f"trial {trial.number + 1:02d} {trial.family}"
        tags = {"mlflow.parentRunId": parent.id, _TRIAL: number}
        run_id = client.create_run(parent.experiment, run_name=name, tags=tags).info.run_id
        metrics = _metrics({"score": trial.score, "std": trial.std}, _now())
        params = _params({"family": trial.family, **trial.parameters})
        client.log_batch(run_id, metrics=metrics, params=params)
        client.set_terminated(run_id)


def _metrics(values: Mapping[str, float], now: int) -> "list[Metric]":
    """The values at step 0; `now` is in milliseconds since 1970."""
    from mlflow.entities import Metric

    return [Metric(name, float(value), now, 0) for name, value in values.items()]


def _params(values: Mapping[str, str | int | float]) -> "list[Param]":
    from mlflow.entities import Param

    return [Param(name, visible(str(value))[:_TEXT]) for name, value in values.items()]


def _now() -> int:
    return int(time.time() * 1000)


def _artifact(client: "MlflowClient", run_id: str, name: str, content: Path | bytes) -> None:
    """Log a file, a folder or bytes below the run, under this path."""
    if isinstance(content, Path) and content.is_dir():
        client.log_artifacts(run_id, str(content), name)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)
        parent = Path(name).parent
        if parent == Path():
            client.log_artifact(run_id, str(path))
        else:
            client.log_artifact(run_id, str(path), parent.as_posix())


def _register(client: "MlflowClient", run_id: str, record: Record) -> None:
    """Make one version of the model for a run, and move the aliases to it."""
    from mlflow.exceptions import MlflowException

    model = record.model
    try:
        client.get_registered_model(model)
    except MlflowException:
        client.create_registered_model(model)
    version = _version(client, model, run_id)
    for alias in record.aliases:
        client.set_registered_model_alias(model, alias, version)


def _version(client: "MlflowClient", model: str, run_id: str) -> str:
    """The version of the model that a run made, registered now if there is none."""
    for version in client.search_model_versions(f"name = '{model}'"):
        if version.run_id == run_id:
            return str(version.version)
    return str(client.create_model_version(model, f"runs:/{run_id}/model", run_id).version)


def _keep(pending: Path, record: Record, files: Files) -> Path:
    """Keep the record and its files in a folder of their own, whole or not at all; return it."""
    kept = pending / record.key
    if (kept / _RECORD).exists():
        return kept
    pending.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pending, prefix=".") as scratch:
        release = Path(scratch) / "release"
        (release / "files").mkdir(parents=True)
        for name, content in files.items():
            _copy(content, release / "files" / name)
        text = json.dumps(msgspec.to_builtins(record))
        (release / _RECORD).write_text(text, encoding="utf-8")
        release.rename(kept)
    return kept


def _copy(content: Path | bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    elif content.is_dir():
        shutil.copytree(content, target)
    else:
        shutil.copyfile(content, target)
