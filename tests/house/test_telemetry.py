"""Nothing that serves or trains reports to anybody."""

import sys
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT, small_artifact

from flows.adapters.process import run

_SCORE = """
import importlib, pathlib, sys
importlib.import_module(sys.argv[1])
from sluice.served.scoring import load_model
load_model(pathlib.Path(sys.argv[2]))
"""


# How each process begins that scores: a worker of the service, the command line, the flow as
# Prefect loads it, and the entry point of `sluice reproduce`.
@pytest.mark.parametrize(
    "entry", ["bento.service", "flows.cli.main", "flows.release", "flows.retrain"]
)
def test_onnx_runtime_leaves_no_id_and_no_events_behind(entry: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "BENTOML_HOME": str(tmp_path / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    artifact = small_artifact(tmp_path / "model")
    run(
        [sys.executable, "-c", _SCORE, entry, artifact],
        cwd=PROJECT,
        env=env,
        without=("ORT_DISABLE_TELEMETRY",),
    )
    assert [path for path in home.rglob("*") if "onnxruntime" in path.name] == []


def test_the_rules_write_no_environment() -> None:
    """What a tool must find there is for the entries of the processes to say."""
    sources = (PROJECT / "sluice").rglob("*.py")
    assert [path for path in sources if "os.environ" in path.read_text(encoding="utf-8")] == []
