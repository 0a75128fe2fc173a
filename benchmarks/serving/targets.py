"""The servers of the comparison, one worker each: the service, FastAPI with the same ONNX model,
the way of tutorials, MLflow, and an empty echo as the ceiling."""

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving import model
from flows.adapters import server
from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.adapters.process import run
from flows.project.root import ROOT

PATHS = {
    "one": "/predict?reasons=0",
    "one, reasons": "/predict?reasons=1",
    "1,000 rows": "/predict_batch?reasons=0",
}
PLAIN = {name: path.partition("?")[0] for name, path in PATHS.items()}
APPS = (
    ("fastapi + onnx", "onnx_app", PATHS),
    ("tutorial", "tutorial", PLAIN),
    ("echo", "echo", PLAIN),
)


@dataclass(frozen=True)
class Target:
    """A server of the comparison: its address for each case, its port, and seconds from its start
    until it was up.
    """

    name: str
    url: str
    paths: Mapping[str, str]
    port: int
    ready: float


def start(folder: Path, stack: contextlib.ExitStack) -> Iterator[Target]:
    """Start one after the other; they stay up as long as the stack."""
    model.write(folder / "model")
    env = {"SLUICE_MODEL_DIR": str(folder / "model"), "PYTHONPATH": str(ROOT)}
    built = bento.build(
        ROOT, folder / "model", "0123456789abcdef", folder / "bentoml", name="attrition", tools=REAL
    )
    port, began = server.free_port(), time.monotonic()
    url = stack.enter_context(bento.serve(built, folder / "bentoml", port=port))
    yield Target("sluice", url, PATHS, port, time.monotonic() - began)
    for name, app, paths in APPS:
        words = ["-m", "uvicorn", f"benchmarks.serving.{app}:app", "--no-access-log"]
        yield _python(name, words, paths, folder, stack, env, "/docs")
    yield _mlflow(folder, stack, env)


def _python(
    name: str,
    words: list[str],
    paths: Mapping[str, str],
    folder: Path,
    stack: contextlib.ExitStack,
    env: Mapping[str, str],
    ready: str,
) -> Target:
    port, began = server.free_port(), time.monotonic()
    argv, log = [sys.executable, *words, "--port", str(port)], folder / f"{port}.log"
    url = stack.enter_context(server.running(argv, port, log, env=env, deadline=120, path=ready))
    return Target(name, url, paths, port, time.monotonic() - began)


def _mlflow(folder: Path, stack: contextlib.ExitStack, env: Mapping[str, str]) -> Target:
    import mlflow
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # that it pickles is known
    place = folder / "mlflow"
    pipeline = make_pipeline(FunctionTransformer(model.prepare), model.trained()[0])
    mlflow.sklearn.save_model(
        pipeline, place, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
    )
    words = [
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        str(place),
        "--workers",
        "1",
        "--env-manager",
        "local",
    ]
    # it starts uvicorn by name
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = dict.fromkeys(PATHS, "/invocations")
    return _python("mlflow", words, paths, folder, stack, {**env, "PATH": search}, "/ping")


def processor(port: int) -> float:
    """Processor seconds so far of the processes that listen on a port."""
    shown = run(["ss", "-ltnp", f"sport = :{port}"]).stdout
    total = 0.0
    for pid in set(re.findall(r"pid=(\d+)", shown)):
        times = psutil.Process(int(pid)).cpu_times()
        total += times.user + times.system
    return total
