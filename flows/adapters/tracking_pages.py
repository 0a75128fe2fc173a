"""MLflow's pages: its server, on this machine alone, over the file that releases are logged to."""

import http.client
import json
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from flows.adapters import python
from flows.adapters.tracking import ENVIRONMENT, EXPERIMENT_TAGS, artifacts
from sluice.errors import SluiceError

HEALTH = "/health"
_API = "/api/2.0/mlflow/experiments"
_Answer = TypeVar("_Answer")
_PATIENCE = 30.0  # seconds for an answer of a server that has just started


class _Experiment(Struct):
    experiment_id: str


class _Found(Struct):
    experiment: _Experiment


def words(uri: str, port: int) -> list[str]:
    """The words that start the server over the database `uri`, on a port of the loopback
    interface.

    It shows files and takes none: releases write the database themselves.
    """
    start = [*python.module("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    store = ["--backend-store-uri", uri, "--default-artifact-root", artifacts(uri) or ""]
    return [*start, *store, "--no-serve-artifacts", "--workers", "1"]


def environment() -> dict[str, str]:
    """What is set for it: no telemetry, no jobs, and no module of the user's."""
    return {
        **ENVIRONMENT,
        **python.importing(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Its own modules would be found there before those that are installed.
        "PYTHONSAFEPATH": "1",
    }


def runs_page(port: int, uri: str, model: str) -> str:
    """The address of the runs of a model on the server at `port`.

    Before its first release the model's experiment is made, so that the address leads somewhere.
    Raises SluiceError where the server does not answer as MLflow does.
    """
    experiment = _known(port, model) or _made(port, uri, model)
    view = "runs?workflowType=machine_learning"
    return f"http://127.0.0.1:{port}/#/experiments/{experiment}/{view}"


def _known(port: int, model: str) -> str:
    """The id of the experiment; empty where there is none."""
    status, body = _ask(port, "GET", f"get-by-name?experiment_name={quote(model)}")
    if status == HTTPStatus.NOT_FOUND:
        return ""
    return _read(body, _Found).experiment.experiment_id


def _made(port: int, uri: str, model: str) -> str:
    tags = [{"key": name, "value": text} for name, text in EXPERIMENT_TAGS.items()]
    document = {"name": model, "artifact_location": artifacts(uri), "tags": tags}
    _, body = _ask(port, "POST", "create", json.dumps(document))
    return _read(body, _Experiment).experiment_id


def _ask(port: int, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    """Status and body. No proxy is asked, whatever the environment says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    headers = {"Content-Type": "application/json"}
    try:
        connection.request(method, f"{_API}/{path}", body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SluiceError(f"MLflow's server on port {port} does not answer: {error}") from None
    finally:
        connection.close()


def _read(body: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError):
        shown = body[:200].decode(errors="replace")
        raise SluiceError(f"MLflow's server answers with what it should not: {shown}") from None
