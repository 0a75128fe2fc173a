"""The container of a killed smoke run goes with the next release, that of a living one stays."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flows.adapters.image import containers, left_containers
from flows.project.root import ROOT
from sluice.errors import UsageError

HOLD = """
import sys
from pathlib import Path
from flows.adapters.image import left_containers
state, tool, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with left_containers.folder(state) as folder:
    (folder / "layout").mkdir()
    if name:
        left_containers.note(folder, tool, name)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of the tools, which are made up: what is asked of them counts here."""
    calls = tmp_path / "calls"
    calls.touch()
    for tool in ("podman", "buildah", "docker"):
        program = tmp_path / "bin" / tool
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {tool} $* >> '{calls}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return calls


def holding(state: Path, tool: str, name: str) -> "subprocess.Popen[str]":
    """Another process that is about to run a container."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state), tool, name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().startswith(str(state))
    return process


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("podman", ["podman rm --force one"]),
        ("buildah", ["buildah rm one"]),
        ("docker", ["docker rm --force one"]),
        ("drill", []),
    ],
)
def test_a_container_goes_when_its_maker_was_killed_and_not_before(
    tool: str, words: list[str], called: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with holding(state, tool, "one") as process:
        left_containers.remove(state)
        assert called.read_text() == ""
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert list(state.glob("running-*")) != []
    left_containers.remove(state)
    assert called.read_text().splitlines() == words
    assert list(state.glob("running-*")) == []


def test_one_that_was_killed_before_it_had_a_container_leaves_nothing(
    called: Path, tmp_path: Path
) -> None:
    with holding(tmp_path, "podman", "") as process:
        process.kill()
        process.communicate()
    left_containers.remove(tmp_path)
    assert list(tmp_path.glob("running-*")) == []
    assert called.read_text() == ""


def test_where_nothing_ever_ran_nothing_is_looked_for(tmp_path: Path) -> None:
    left_containers.remove(tmp_path / "never")


def _link(place: Path, outside: Path) -> None:
    place.symlink_to(outside)


def _open(place: Path, outside: Path) -> None:
    place.mkdir()
    place.chmod(0o777)


def _file(place: Path, outside: Path) -> None:
    place.touch()


def _theirs(place: Path, outside: Path) -> None:
    place.mkdir(0o755)
    if os.getuid() == 0:
        os.chown(place, 65534, 65534)
    else:
        place.chmod(0o770)


@pytest.mark.parametrize("put", [_link, _open, _file, _theirs], ids=lambda put: put.__name__)
def test_nobody_prepares_the_folder_of_what_runs(
    put: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name can be worked out, and the temporary folder is open to everybody."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    containers.environment(tmp_path / "state")
    [place] = tmp_path.glob("sluice-*")
    assert place.stat().st_mode & 0o777 == 0o700
    place.rmdir()
    (tmp_path / "outside").mkdir(0o700)
    assert callable(put)
    put(place, tmp_path / "outside")
    (tmp_path / "state" / "storage.conf").unlink()
    with pytest.raises(UsageError, match="a folder of yours is required"):
        containers.environment(tmp_path / "state")
