"""What the service looks at before it starts: each wrong setting is named, and ends it in one
line.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile_models import outer
from support.model_artifacts import PROJECT, small_artifact

from bento.ops.settings import Settings
from bento.preflight import check
from sluice.errors import Refused, UsageError


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("artifact") / "model")


def test_what_fits_is_taken(artifact: Path, tmp_path: Path) -> None:
    for log in ("", str(tmp_path / "a" / "log"), "memory://log"):
        check(Settings(model_dir=artifact, prediction_log=log, metrics_bind="127.0.0.1:0"))
    check(Settings(model_dir=artifact, metrics_bind="[::1]:0" if socket.has_ipv6 else ""))


@pytest.mark.parametrize("log", ["/proc/nope/x", "nowhere://x", "smb://host/share"])
def test_a_log_that_cannot_be_kept_is_named(artifact: Path, log: str) -> None:
    with pytest.raises(UsageError, match=f"SLUICE_PREDICTION_LOG is '{log}': "):
        check(Settings(model_dir=artifact, prediction_log=log))


@pytest.mark.parametrize("bind", ["999.1.1.1:99999", "127.0.0.1:99999", "192.0.2.1:3001"])
def test_an_address_that_is_none_is_named(artifact: Path, bind: str) -> None:
    with pytest.raises(UsageError, match=f"SLUICE_METRICS_BIND is '{bind}': "):
        check(Settings(model_dir=artifact, metrics_bind=bind))


def test_a_port_that_is_taken_is_named_even_by_another_service(artifact: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            UsageError, match=f"SLUICE_METRICS_BIND is '{bind}': Address already in use"
        ):
            check(Settings(model_dir=artifact, metrics_bind=bind))


def test_a_model_that_is_none_is_named(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"SLUICE_MODEL_DIR is '.*': it holds no model.onnx"):
        check(Settings(model_dir=tmp_path))
    for path in artifact.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"none")
    with pytest.raises(Refused):
        check(Settings(model_dir=tmp_path))


def test_a_model_that_would_take_the_memory_of_the_pod_is_refused(
    artifact: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(artifact, tmp_path / "model"))
    (own / "model.onnx").write_bytes(outer(30_000).SerializeToString())
    with pytest.raises(Refused, match="takes more than 136 MB of memory"):
        check(Settings(model_dir=own))


def test_the_module_of_the_service_ends_in_one_line() -> None:
    env = {**os.environ, "SLUICE_LOG_SAMPLE": "2", "PYTHONPATH": str(PROJECT)}
    words = [
        sys.executable,
        "-c",
        "import threading, time; threading.Thread(target=time.sleep, args=[60]).start(); "
        "import bento.service",
    ]
    done = subprocess.run(
        words, env=env, cwd=PROJECT, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sluice: SLUICE_LOG_SAMPLE is 2.0; a share between 0 and 1 is required."
        " Correct it, or leave it out.\n"
    )
