"""MLflow: one run a release, a child run a trial, the model as a version with its aliases.

A release is told apart by its key, so logging it twice gives one run. A server that is down delays
nothing: what was to be logged is kept in a folder and logged the next time.
"""

import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

Json = Mapping[str, Any]
Files = Mapping[str, Path | bytes]

_PROBE_SECONDS = 2.0
_KEY, _DONE, _TRIAL = "sluice.key", "sluice.complete", "sluice.trial"
_TEXT = 6000  # characters that MLflow takes as the value of a parameter
_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # what a slow server did not take is kept and logged the next time
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout belongs to the command
}


@dataclass(frozen=True)
class Logged:
    """What became of a release: the run it is in, or None, and a sentence that says where it is
    instead.
    """

    run_id: str | None
    sentence: str


def log_release(uri: str, record: Json, files: Files, pending: Path) -> Logged:
    """Log one release: counts, curves and models, never a row of data.

    `uri` is a server, or `sqlite:///FILE` with the artifacts in a folder beside it; empty: off.
    `record` has

        key      tells the release apart; the same key is the same run
        model    name of the experiment and of the registered model
        name     name of the run, e.g. the tag
        params   flat, label -> value          metrics   flat, label -> number
        tags     label -> text                 trials    as in tuning.json
        aliases  of the model version, such as ["candidate", "champion"]; none: no version

    `files` go below the run by their path: a Path of a file or a folder, or bytes. The one named
    `model` is what is registered. Never raises for a server's sake: what could not be logged is
    kept below `pending`.
    """
    if not uri:
        return Logged(None, "Tracking is off: the tracking URI is empty.")
    try:
        _probe(uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own use of what its dependencies deprecate
            run_id = _log(_client(uri), uri, record, files)
    except Exception as error:  # noqa: BLE001  a release never fails, and never waits, for want of tracking
        folder = _keep(pending, record, files)
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Logged(
            None, f"Not tracked yet ({cause[:200]}): kept in {folder}, logged at the next release."
        )
    shutil.rmtree(pending / str(record["key"]), ignore_errors=True)
    return Logged(run_id, f"Tracked as run {run_id}.")


def log_pending(uri: str, pending: Path) -> list[Logged]:
    """Log what earlier releases had to keep below `pending`, oldest first; stop at the first that
    fails again.

    To be called before the release at hand is logged, so that the aliases end at the newest.
    """
    found: list[Logged] = []
    kept = (
        sorted(pending.glob("*/record.json"), key=lambda path: path.stat().st_mtime) if uri else []
    )
    for path in kept:
        record = json.loads(path.read_text(encoding="utf-8"))
        files = path.parent / "files"
        found.append(
            log_release(uri, record, {name.name: name for name in files.iterdir()}, pending)
        )
        if found[-1].run_id is None:
            break
    return found


def _probe(uri: str) -> None:
    """Raise where a server does not answer within two seconds; MLflow itself would try for
    minutes.
    """
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    import httpx2

    answer = httpx2.get(uri.rstrip("/") + "/health", timeout=_PROBE_SECONDS)
    if answer.status_code >= 500:
        raise ConnectionError(f"{uri} answers {answer.status_code}")


def _client(uri: str) -> "MlflowClient":
    for name, text in _ENVIRONMENT.items():
        os.environ.setdefault(name, text)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _log(client: "MlflowClient", uri: str, record: Json, files: Files) -> str:
    experiment = _experiment(client, uri, record["model"])
    run_id, done, fresh = _run(client, experiment, record)
    if not done:
        _values(client, run_id, record)
        _trials(
            client,
            experiment,
            run_id,
            record,
            set() if fresh else _logged_trials(client, experiment, run_id),
        )
        for name, content in files.items():
            _artifact(client, run_id, name, content)
        client.set_tag(run_id, _DONE, "true")
        client.set_terminated(run_id)
    if record.get("aliases") and "model" in files:
        _register(client, run_id, record)
    return run_id


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        beside = None
        if uri.startswith("sqlite:///"):
            beside = (
                Path(uri.removeprefix("sqlite:///")).resolve().with_suffix("") / "artifacts"
            ).as_uri()
        return str(client.create_experiment(name, artifact_location=beside))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _run(client: "MlflowClient", experiment: str, record: Json) -> tuple[str, bool, bool]:
    """The run with this key, made if there is none; whether it was logged to its end, and whether
    it is new.
    """
    key = str(record["key"]).replace("'", "")
    found = client.search_runs([experiment], f"tags.`{_KEY}` = '{key}'", max_results=1)
    if found:
        return str(found[0].info.run_id), _DONE in found[0].data.tags, False
    made = client.create_run(experiment, run_name=record.get("name") or key, tags={_KEY: key})
    return str(made.info.run_id), False, True


def _logged_trials(client: "MlflowClient", experiment: str, parent: str) -> set[str]:
    """The numbers of the trials below this run that were logged to their end; what is left half is
    removed.
    """
    numbers = set()
    for run in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'"):
        if run.info.status == "FINISHED":
            numbers.add(run.data.tags.get(_TRIAL, ""))
        else:
            client.delete_run(run.info.run_id)
    return numbers


def _values(client: "MlflowClient", run_id: str, record: Json) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    numbers = {
        k: float(v) for k, v in record.get("metrics", {}).items() if isinstance(v, int | float)
    }
    best, history = float("-inf"), []
    for trial in record.get("trials", ()):
        best = max(best, trial["score"])
        step = int(trial["number"])
        history += [
            Metric("trial_score", trial["score"], now, step),
            Metric("best_score", best, now, step),
        ]
    client.log_batch(
        run_id,
        metrics=[*(Metric(name, value, now, 0) for name, value in numbers.items()), *history],
        params=[
            Param(name, str(value)[:_TEXT]) for name, value in record.get("params", {}).items()
        ],
        tags=[RunTag(name, str(text)[:_TEXT]) for name, text in record.get("tags", {}).items()],
    )


def _trials(
    client: "MlflowClient", experiment: str, parent: str, record: Json, logged: set[str]
) -> None:
    """A child run a trial: MLflow's own table and parallel coordinates then compare them."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    for trial in record.get("trials", ()):
        number = str(trial["number"])
        if number in logged:
            continue
        name = f"trial {trial['number'] + 1:02d} {trial['family']}"
        run = client.create_run(
            experiment, run_name=name, tags={"mlflow.parentRunId": parent, _TRIAL: number}
        )
        numbers = {
            k: trial[k]
            for k in ("score", "std", "seconds")
            if isinstance(trial.get(k), int | float)
        }
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(k, float(v), now, 0) for k, v in numbers.items()],
            params=[
                Param(k, str(v)[:_TEXT])
                for k, v in {"family": trial["family"], **trial["parameters"]}.items()
            ],
        )
        client.set_terminated(run.info.run_id)


def _artifact(client: "MlflowClient", run_id: str, name: str, content: Path | bytes) -> None:
    if isinstance(content, Path) and content.is_dir():
        client.log_artifacts(run_id, str(content), name)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        parent = Path(name).parent.as_posix()
        client.log_artifact(run_id, str(path), None if parent == "." else parent)


def _register(client: "MlflowClient", run_id: str, record: Json) -> None:
    """One version a run, and the aliases moved to it."""
    from mlflow.exceptions import MlflowException

    model = record["model"]
    try:
        client.get_registered_model(model)
    except MlflowException:
        client.create_registered_model(model)
    found = [v for v in client.search_model_versions(f"name = '{model}'") if v.run_id == run_id]
    version = (
        found[0] if found else client.create_model_version(model, f"runs:/{run_id}/model", run_id)
    )
    for alias in record["aliases"]:
        client.set_registered_model_alias(model, alias, version.version)


def _keep(pending: Path, record: Json, files: Files) -> Path:
    """The record and its files in a folder of their own; there whole or not at all."""
    kept = pending / str(record["key"])
    if (kept / "record.json").exists():
        return kept
    pending.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pending, prefix=".") as scratch:
        made = Path(scratch) / "release"
        (made / "files").mkdir(parents=True)
        for name, content in files.items():
            target = made / "files" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            elif content.is_dir():
                shutil.copytree(content, target)
            else:
                shutil.copyfile(content, target)
        (made / "record.json").write_text(json.dumps(record), encoding="utf-8")
        made.rename(kept)
    return kept
