"""Nothing that serves or trains reports to anybody."""

import sys
from pathlib import Path

from support.model_artifacts import small_artifact

from flows.adapters.process import run

_SCORE = (
    "import sys, pathlib; from sluice.served.scoring import load_model;"
    " load_model(pathlib.Path(sys.argv[1]))"
)


def test_onnx_runtime_leaves_no_id_and_no_events_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    run(
        [sys.executable, "-c", _SCORE, small_artifact(tmp_path / "model")],
        env=env,
        without=("ORT_DISABLE_TELEMETRY",),
    )
    assert list(home.rglob("*")) == []
