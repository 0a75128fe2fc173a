"""A disk that is too small is told at once, with its figures, and nothing is written to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import releases
from test_transports import on_small_disk

from flows.project.root import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases.write(tmp_path_factory.mktemp("full") / "project")


@pytest.mark.parametrize("command", ["plan", "release"])
@pytest.mark.parametrize("size", ["64k", "40m"])  # less than the table, and less than a release
def test_a_full_disk_is_told_first(project: Path, tmp_path: Path, size: str, command: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = "from sluice_command import main; main()"
    ended = subprocess.run(
        [*on_small_disk(home, size, "0"), sys.executable, "-c", program, command],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SLUICE_HOME": str(home),
            "SLUICE_PROJECT": str(project),
        },
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 1
    error = ended.stderr.partition("Error: ")[2]
    assert error.startswith(f"free space at {home} is ")
    assert "MB; 64 MB is required\n" in error
    assert "name a folder on another disk in SLUICE_HOME" in error
    assert "Traceback" not in ended.stderr
